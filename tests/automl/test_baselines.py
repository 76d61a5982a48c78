"""Baselines: what they predict, that they keep to their time, and the linear model in Keras."""

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from adaptive_nets.automl import AutoRegressor, fitting
from adaptive_nets.automl.baselines.candidate import LinearBuilder
from adaptive_nets.automl.baselines.fit_baselines import Task, fit_baselines, on_rows
from adaptive_nets.automl.baselines.linear import LinearModel
from adaptive_nets.automl.judging.splits import held_out_fraction, split

RNG = np.random.default_rng(0)
ENCODED = {
    "numbers": RNG.normal(size=(80, 3)).astype("float32") * 4,
    "missing": (RNG.random((80, 2)) < 0.2).astype("float32"),
    "categories": RNG.integers(0, 5, (80, 2)).astype("int32"),
    "tokens": RNG.integers(0, 50, (80, 2, 6)).astype("int32"),
}
CLASSES = (ENCODED["categories"][:, 0] > 2) + (ENCODED["numbers"][:, 0] > 0).astype(int)
NUMBERS = ENCODED["numbers"] @ [[1.0], [2.0], [3.0]]
KEYS = [("numbers",), ("categories",), ("missing", "tokens"), tuple(ENCODED)]


def encoding(keys):
    """A model that passes encoded columns on."""
    inputs = {
        key: keras.Input(ENCODED[key].shape[1:], dtype=ENCODED[key].dtype.name, name=key)
        for key in keys
    }
    return keras.Model(inputs, {key: keras.ops.multiply(t, 1) for key, t in inputs.items()})


@pytest.mark.parametrize("keys", KEYS, ids="+".join)
@pytest.mark.parametrize("classes", [None, 2, 3])
def test_the_keras_model_computes_what_was_fitted(keys, classes):
    encoded = {key: ENCODED[key] for key in keys}
    y = NUMBERS if classes is None else np.minimum(CLASSES, classes - 1)
    fitted = LinearModel.fit(encoded, y, None, classes)
    model = fitted.model(encoding(keys))
    unseen = {**encoded}
    if "categories" in unseen:
        # A value that training had not is read as 1.
        unseen["categories"] = np.where(encoded["categories"] == 4, 9, encoded["categories"])
        ones = np.where(unseen["categories"] == 9, 1, unseen["categories"])
        np.testing.assert_array_equal(
            fitted.outputs(unseen), fitted.outputs({**unseen, "categories": ones})
        )
    expected = fitted.outputs(unseen)
    assert expected.shape == (80, {None: 1, 2: 1, 3: 3}[classes])
    found = keras.ops.convert_to_numpy(model(unseen))
    np.testing.assert_allclose(found, expected, atol=1e-4 * (1 + np.abs(expected).max()))


def test_the_fitted_model_is_a_subnetwork_in_the_unit_of_the_search():
    fitted = LinearModel.fit(ENCODED, NUMBERS, None, None)
    mean, scale = NUMBERS.mean(axis=0), NUMBERS.std(axis=0)
    inputs = encoding(tuple(ENCODED)).output
    built = LinearBuilder(fitted.in_unit(mean, scale)).build(inputs, 1)
    model = keras.Model(inputs, built.logits)
    assert not model.trainable_variables and built.depth == 0
    expected = (fitted.outputs(ENCODED) - mean) / scale
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(ENCODED)), expected, atol=1e-4)


def task(y, classes):
    return Task(ENCODED, y, None, ENCODED, classes, 0)


def test_they_are_what_their_names_say():
    constant, linear, boosting = fit_baselines(task(CLASSES, 3), 60.0)
    shares = np.bincount(CLASSES) / 80
    np.testing.assert_allclose(constant.outputs, np.tile(shares, (80, 1)))
    np.testing.assert_allclose(linear.outputs, softmax(linear.model.outputs(ENCODED), axis=1))
    assert boosting.outputs.shape == (80, 3)
    assert (boosting.outputs.argmax(axis=1) == CLASSES).mean() > 0.8
    constant, linear, boosting = fit_baselines(task(NUMBERS, None), 60.0)
    np.testing.assert_allclose(constant.outputs, np.full((80, 1), NUMBERS.mean()))
    assert boosting.outputs.shape == (80, 1)
    # Boosting predicts one target.
    both = fit_baselines(task(np.repeat(NUMBERS, 2, axis=1), None), 60.0)
    assert [each.name for each in both] == ["constant", "linear"]


def test_without_time_boosting_is_left_out_and_rows_are_few():
    constant, linear, boosting = fit_baselines(task(CLASSES, 3), 0.0)
    assert boosting.outputs is None and "left out" in boosting.note
    some = task(CLASSES, 3).first(20)
    assert len(some.y) == 20 and all(len(values) == 20 for values in some.x.values())
    assert on_rows(some) == on_rows(some.first(20)) == "on 20 of 80 rows"
    assert [each.note for each in fit_baselines(some, 60.0)] == ["on 20 of 80 rows"] * 3


def test_of_many_rows_no_more_are_encoded_than_baselines_read(monkeypatch):
    monkeypatch.setattr(fitting, "MOST_ROWS", 40)
    table = pd.DataFrame({"size": np.linspace(-1, 1, 200)})
    model = AutoRegressor(time_limit=0.5, seed=0, verbose=0).fit(table, 3 * table["size"])
    (row,) = model.leaderboard().to_dict("records")
    assert row["note"] == "linear: time limit on 40 of 160 rows"
    # A line is known from any of its rows.
    np.testing.assert_allclose(model.predict(table), 3 * table["size"], atol=0.3)


@pytest.mark.parametrize(
    ("rows", "share"), [(100, 0.2), (2500, 0.2), (4000, 0.125), (20_000, 0.1), (10**6, 0.01)]
)
def test_the_share_that_is_held_out(rows, share):
    assert held_out_fraction(rows) == pytest.approx(share)


def test_rare_classes_are_on_both_sides():
    strata = np.repeat([0, 1, 2], [500, 2, 1])
    kept, held = split(503, strata, 0)
    assert set(strata[kept]) == {0, 1, 2} and set(strata[held]) == {0, 1}
    assert len(held) == round(503 * held_out_fraction(503))
