"""The losses by which a network learns what a teacher says, against closed forms."""

import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

import adaptive_nets as an
from adaptive_nets.automl.distilling.augment import exchange
from adaptive_nets.automl.distilling.mimic import Mimic
from adaptive_nets.serialization import describe_object, restore_object

HEADS = {
    "two": an.heads.BinaryClass(class_names=["a", "b"]),
    "three": an.heads.MultiClass(class_names=["a", "b", "c"]),
    "numbers": an.heads.Regression(2),
    "poisson": an.heads.Poisson(1),
    "gamma": an.heads.Gamma(1),
    "quantiles": an.heads.Quantile((0.1, 0.5, 0.9)),
    "normal": an.heads.Distribution("normal", location=1.0, scale=2.0),
}


def _drawn(head, rows, seed):
    found = np.random.default_rng(seed).normal(size=(rows, head.units))
    if isinstance(head, an.heads.Distribution):
        found[:, 1] = np.abs(found[:, 1]) + 0.5
    return found


def _loss(head, teacher, logits):
    given = [keras.ops.convert_to_tensor(each, "float64") for each in (teacher, logits)]
    return np.asarray(Mimic(head).loss(*given))


def _expected(kind, t, z):
    if kind == "two":
        t, z = (np.concatenate([np.zeros_like(each), each], axis=1) for each in (t, z))
    if kind in ("two", "three"):
        return -(softmax(t, axis=1) * log_softmax(z, axis=1)).sum(axis=1)
    if kind == "poisson":
        return (np.exp(z) - np.exp(t) - np.exp(t) * (z - t))[:, 0]
    if kind == "gamma":
        return (np.exp(t - z) - 1.0 - (t - z))[:, 0]
    if kind == "normal":
        sigma, known = 2.0 / z[:, 1], 2.0 / t[:, 1]
        mean, right = 1.0 + sigma * z[:, 0], 1.0 + known * t[:, 0]
        spread = (known**2 + (right - mean) ** 2) / (2 * sigma**2)
        return np.log(sigma) + spread + np.log(2 * np.pi) / 2
    return ((t - z) ** 2).mean(axis=1)


@pytest.mark.parametrize("kind", HEADS)
def test_loss_is_that_of_the_teacher_and_least_where_logits_agree(kind):
    head = HEADS[kind]
    teacher, logits = _drawn(head, 50, 0), _drawn(head, 50, 1)
    found = _loss(head, teacher, logits)
    np.testing.assert_allclose(found, _expected(kind, teacher, logits), rtol=1e-6, atol=1e-9)
    assert (found > _loss(head, teacher, teacher)).all()
    # Convex: no chord is below the loss.
    other = _drawn(head, 50, 2)
    middle = _loss(head, teacher, (logits + other) / 2)
    assert (middle <= (found + _loss(head, teacher, other)) / 2 + 1e-9).all()


def test_a_configuration_gives_the_same_head():
    made = restore_object(describe_object(Mimic(HEADS["three"])), "head")
    assert made == Mimic(HEADS["three"]) and made != Mimic(HEADS["two"])
    assert made.units == 3 and made.output_range(np.zeros((4, 3))) is None
    assert Mimic(HEADS["numbers"]).output_range(np.array([[1.0, 5], [3.0, 5]])) == (
        [2.0, 5.0], [1.0, 1.0],
    )  # fmt: skip


def test_columns_are_exchanged_between_rows_that_are_near():
    import pandas as pd

    random = np.random.default_rng(0)
    side = np.repeat([0, 1], 40)
    table = pd.DataFrame({"a": side * 100 + np.arange(80), "b": np.array(["x", "y"])[side]})
    table["c"] = np.arange(80)
    encoded = {"numbers": random.normal(size=(80, 1)) * 0.1 + 3.0 * side[:, None]}
    found = exchange(table, encoded, 200, seed=1)
    assert list(found.columns) == ["a", "b", "c"] and len(found) == 200
    assert (found.dtypes == table.dtypes).all()
    # The two groups do not mix, and rows of one group do.
    assert ((found["a"] >= 100) == (found["b"] == "y")).all()
    mixed = found["a"] % 100 != found["c"]
    assert 0.3 < mixed.mean() < 0.7
    pd.testing.assert_frame_equal(found, exchange(table, encoded, 200, seed=1))
    assert not found.equals(exchange(table, encoded, 200, seed=2))
    assert len(exchange(table, encoded, 0, seed=1)) == 0
