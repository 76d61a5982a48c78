"""Searches with several heads: each learns, is measured, saved, served and checked by name."""

import json

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.adanet.rounds.trainer import RoundTrainer

NAMES = np.array(["ant", "bee", "çat"])
WEIGHTS = {"kind": 1.0, "size": 0.2}


def head():
    return an.heads.Multi(
        {"kind": an.heads.MultiClass(), "size": an.heads.Regression()}, weights=WEIGHTS
    )


@pytest.fixture(scope="module")
def data(lc):
    """Three classes, and a target far from 0 that has little to do with them."""
    x, kind = lc.blobs()
    noise = np.random.default_rng(1).normal(size=len(x))
    return x, {"kind": NAMES[kind], "size": 40 + 2 * x[:, 0] - 3 * x[:, 1] + noise}


def rows(y, part):
    return {name: values[part] for name, values in y.items()}


@pytest.fixture(scope="module")
def fitted(lc, data, tmp_path_factory):
    x, y = data
    search = lc.small(
        tmp_path_factory.mktemp("multi") / "search",
        head=head(),
        generator=an.generators.Dense(widths=12, depths=[1]),
        steps_per_iteration=150,
        preprocessing="standardize",
    )
    held = (x[180:], rows(y, slice(180, None)))
    return search.fit(x[:180], rows(y, slice(180)), validation_data=held, verbose=0)


def test_every_head_learns_and_is_on_the_leaderboard(fitted, data):
    y = rows(data[1], slice(180, None))
    board = fitted.leaderboard()
    for name in ("loss", "kind/accuracy", "kind/log_loss", "size/mse", "size/r2"):
        assert {name, f"val_{name}"} <= set(board.columns)
    best = board[board.status == "selected"].iloc[-1]
    constant = pd.Series(y["kind"]).value_counts(normalize=True).max()
    assert best["val_kind/accuracy"] > constant + 0.2
    assert best["val_size/mse"] < 0.3 * y["size"].var()
    assert best["val_loss"] == pytest.approx(
        best["val_kind/log_loss"] + 0.2 * best["val_size/mse"], rel=1e-5
    )


def test_predict_and_evaluate_agree_with_scikit_learn(fitted, data):
    x, y = data
    found = fitted.predict(x)
    assert found.keys() == {"kind", "size"}
    np.testing.assert_array_equal(found["kind"], fitted.predict(x, "kind/classes"))
    accuracy = sklearn.metrics.accuracy_score(y["kind"], found["kind"])
    probabilities = fitted.predict(x, "kind/probabilities")
    log_loss = sklearn.metrics.log_loss(y["kind"], probabilities, labels=NAMES)
    mse = sklearn.metrics.mean_squared_error(y["size"], found["size"])
    weight = np.random.default_rng(0).exponential(size=len(x))
    for labels in (y, pd.DataFrame(y)):
        measured = fitted.evaluate(x, labels)
        assert measured["kind/accuracy"] == pytest.approx(accuracy, rel=1e-5)
        assert measured["size/mse"] == pytest.approx(mse, rel=1e-4)
        assert measured["loss"] == pytest.approx(log_loss + 0.2 * mse, rel=1e-4)
    weighted = fitted.evaluate(x, y, sample_weight=weight)
    expected = np.average(found["kind"] == y["kind"], weights=weight)
    assert weighted["kind/accuracy"] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="Unknown output.*kind/classes.*size/predictions"):
        fitted.predict(x, "classes")


# Loads the export in a process that cannot import adaptive_nets.
LOADER = """
import sys
sys.modules["adaptive_nets"] = None
import json, numpy as np, tensorflow as tf
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
(name,) = serve.structured_input_signature[1]
outputs = serve(**{name: tf.constant(np.load(sys.argv[2]))})
as_text = lambda v: np.char.decode(v.astype("S"), "utf-8") if v.dtype == object else v
print(json.dumps({name: as_text(value.numpy()).tolist() for name, value in outputs.items()}))
"""


def test_life_cycle_ends_where_the_package_is_not(fitted, data, tmp_path, python):
    x = data[0][:20]
    loaded = an.AdaNet.load(fitted.model_dir)
    assert loaded.head.get_config() == fitted.head.get_config()
    for name, values in fitted.predict(x).items():
        np.testing.assert_array_equal(loaded.predict(x)[name], values)
    exported = loaded.export(tmp_path / "export")
    np.save(tmp_path / "x.npy", x)
    done = python.run("-c", LOADER, exported, tmp_path / "x.npy", package=False)
    served = json.loads(done.stdout)
    assert served.keys() == {
        "kind/logits", "kind/probabilities", "kind/classes", "size/predictions",
    }  # fmt: skip
    for name, values in served.items():
        expected = fitted.predict(x, name)
        if expected.dtype.kind == "U":
            assert values == expected.tolist()
        else:
            np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)


def test_a_search_goes_on_under_the_same_heads_only(lc, fitted, data):
    x, y = data
    other = an.heads.Multi({"kind": an.heads.MultiClass(), "size": an.heads.Regression()})
    search = lc.small(
        fitted.model_dir, head=other, steps_per_iteration=150, preprocessing="standardize",
        generator=an.generators.Dense(widths=12, depths=[1]),
    )  # fmt: skip
    with pytest.raises(ValueError, match="another configuration.*weights"):
        search.fit(x[:180], rows(y, slice(180)), verbose=0)


def test_one_head_in_a_multi_is_that_head(lc, data):
    x, y = data
    plain = lc.small().fit(x, y["kind"], verbose=0)
    multi = lc.small(head=an.heads.Multi({"kind": an.heads.MultiClass()}))
    multi.fit(x, {"kind": y["kind"]}, verbose=0)
    expected = plain.predict(x, "probabilities")
    np.testing.assert_allclose(multi.predict(x, "kind/probabilities"), expected, atol=1e-5)


def test_finite_dataset_is_the_same_as_arrays(lc, data):
    x, y = data
    generator = an.generators.Dense(widths=4, depths=[1])
    settings = {"generator": generator, "mixture_weights": "vector"}
    one = lc.small(head=head(), **settings)
    one.fit(x, y, validation_split=0.25, batch_size=48, verbose=0)
    other = lc.small(head=head(), **settings)
    pairs = tf.data.Dataset.from_tensor_slices((x, y)).batch(48)
    other.fit(pairs, validation_split=0.25, verbose=0)
    lc.assert_same(one, other)
    assert one.ensemble.mixture.weights[0].shape == (4,)
    assert "val_size/mse" in one.leaderboard().columns
    assert one.evaluate(pairs) == pytest.approx(one.evaluate(x, y))


def test_endless_dataset_and_a_matrix_of_weights(lc, data):
    x, y = data
    held = tf.data.Dataset.from_tensor_slices((x[:40], rows(y, slice(40)))).batch(16)
    heads = {**head().heads, "far": an.heads.BinaryClass(surrogate="logistic")}
    more = {**y, "far": x[:, 0] > 0}
    held = held.map(lambda x, y: (x, {**y, "far": x[:, 0] > 0}))
    stream = tf.data.Dataset.from_tensor_slices((x, more)).batch(48).repeat()
    search = lc.small(
        head=an.heads.Multi(heads), mixture_weights="matrix", mixture_bias=True,
        preprocessing="standardize", generator=an.generators.Dense(widths=4, depths=[1]),
    )  # fmt: skip
    search.fit(stream, validation_data=held, verbose=0)
    board = search.leaderboard()
    assert np.isfinite(board[["objective", "val_kind/accuracy", "val_far/auc"]]).all(axis=None)
    assert search.ensemble.mixture.weights[0].shape[-1] == 3 + 1 + 1
    assert search.predict(x[:4])["far"].shape == (4,)


X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
GOOD = {"kind": np.arange(60) % 3, "size": X[:, 0]}
NAN = {**GOOD, "size": np.where(np.arange(60) == 7, np.nan, GOOD["size"])}
SHORT = {**GOOD, "size": GOOD["size"][:59]}


def dataset(y):
    return tf.data.Dataset.from_tensor_slices((X, y)).batch(8)


CASES = {
    "NaN": ((X, NAN), {}, "head 'size'.*nan in row 7"),
    "NaN in a dataset": ((dataset(NAN),), {}, "head 'size'.*nan in row 7"),
    "NaN in a stream": ((dataset(NAN).repeat(),), {}, "head 'size'.*nan in row 7"),
    "NaN in validation": ((X, GOOD), {"validation_data": (X, NAN)}, "head 'size'.*nan in row 7"),
    "missing": ((X, {"kind": GOOD["kind"]}), {}, "head 'size': they are missing"),
    "extra": ((X, {**GOOD, "age": X[:, 0]}), {}, "head 'multi': there is no head for .'age'"),
    "lengths": ((X, SHORT), {}, "head 'size'.*59 labels, but 60"),
    "all short": ((X[:40], GOOD), {}, "features with 40 rows, labels with 60"),
    "validation lengths": ((X, GOOD), {"validation_data": (X, SHORT)}, "head 'size'.*59 labels"),
    "empty": ((X[:0], {"kind": [], "size": []}), {}, "head 'kind': expected at least one label"),
    "no heads": ((X, {}), {}, "head 'kind': they are missing"),
    "array": ((X, GOOD["kind"]), {}, "head 'multi': expected a dict"),
    "text": ((X, {**GOOD, "size": ["x"] * 60}), {}, "head 'size': expected numbers"),
    "wide": ((X, {**GOOD, "kind": np.eye(3)[GOOD["kind"]]}), {}, "head 'kind'.*argmax"),
    "class_weight": ((X, GOOD), {"class_weight": {0: 2.0}}, "class_weight must be a dict by"),
    "new class": (
        (X, GOOD), {"validation_data": (X, {**GOOD, "kind": GOOD["kind"] + 1})},
        r"head 'kind'.*Received: \[3\]",
    ),
    "NaN features": ((np.where(X > 2, np.nan, X), GOOD), {}, "must be finite"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_labels_name_the_head_before_training(lc, tmp_path, monkeypatch, case):
    def run(*args):
        raise AssertionError("training began")

    monkeypatch.setattr(RoundTrainer, "run", run)
    arguments, options, said = CASES[case]
    search = lc.small(tmp_path / "new", head=head())
    with pytest.raises(ValueError, match=said) as caught:
        search.fit(*arguments, **options, verbose=0)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
