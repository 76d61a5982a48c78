"""Classes in order: probabilities from sorted cumulative logits, and labels that are refused."""

import itertools

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from adaptive_nets.heads import Ordinal

pytestmark = pytest.mark.backend_agnostic

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 4, 100)
LOGITS = RNG.normal(scale=2, size=(100, 3)).astype("float32")


def _read(head, logits, key):
    return keras.ops.convert_to_numpy(head.predictions(keras.ops.convert_to_tensor(logits))[key])


def _loss(head, logits):
    return keras.ops.convert_to_numpy(head.loss(LABELS, keras.ops.convert_to_tensor(logits)))


def test_the_loss_in_closed_form():
    above = LABELS[:, None] > np.arange(3)
    expected = np.logaddexp(0, np.where(above, -LOGITS, LOGITS).astype("float64")).mean(-1)
    np.testing.assert_allclose(_loss(Ordinal(4), LOGITS), expected, rtol=1e-5)


def test_probabilities_are_those_of_the_sorted_logits():
    head = Ordinal(4)
    above = expit(-np.sort(-LOGITS.astype("float64"), axis=1))
    edges = np.concatenate([np.ones((100, 1)), above, np.zeros((100, 1))], axis=1)
    probabilities = _read(head, LOGITS, "probabilities")
    np.testing.assert_allclose(probabilities, -np.diff(edges, axis=1), rtol=1e-4, atol=1e-7)
    assert (probabilities >= 0).all()
    medians = (np.cumsum(probabilities, axis=1) < 0.5).sum(axis=1)
    np.testing.assert_array_equal(_read(head, LOGITS, "classes"), medians)
    for name, expected in (
        ("accuracy", (medians == LABELS).mean()),
        ("mae", np.abs(medians - LABELS).mean()),
        ("log_loss", -np.log(probabilities[np.arange(100), LABELS]).mean()),
    ):
        metric = head.metrics()[name]
        metric.update_state(LABELS, LOGITS)
        assert float(metric.result()) == pytest.approx(expected, rel=1e-4), name


def test_sorting_never_raises_the_loss():
    falling = -np.sort(-LOGITS, axis=1)
    orders = itertools.permutations(range(3))
    each = [_loss(Ordinal(4), falling[:, list(order)]) for order in orders]
    assert (each[0] <= np.min(each, axis=0) + 1e-6).all()


def test_tails_keep_their_digits():
    """Differences of probabilities near 1 would round to 0."""
    found = _read(Ordinal(3), np.array([[20.0, 18.0], [-18.0, -20.0]], "float32"), "probabilities")
    exact = expit(-18.0) - expit(-20.0)
    np.testing.assert_allclose(found[:, 1], [exact, exact], rtol=1e-5)


def test_the_order_comes_from_integers_or_a_categorical():
    assert Ordinal().adapt([3, 1, 2, 1]).class_labels == [1, 2, 3]
    grades = pd.Series(pd.Categorical(["b", "a", "b"], ["b", "c", "a"], ordered=True))
    head = Ordinal().adapt(grades)
    assert head.class_labels == ["b", "c", "a"] and head.units == 2
    assert head.encode(grades).tolist() == [0, 2, 0]
    assert Ordinal(class_names=["x", "w"]).encode(["w", "x"]).tolist() == [1, 0]


@pytest.mark.parametrize(
    "head, y, words",
    [
        (Ordinal(), ["low", "high"], "strings have no order.*Pass classes=.*Received"),
        (Ordinal(["a", "b"]), ["a", "c"], "not among its classes.*Received: \\['c'\\]"),
        (Ordinal(3), [0, 3], "not among its classes.*Received: \\[3\\]"),
        (Ordinal(), [2, 2], "at least 2 classes"),
        (Ordinal(), [0.5, 1.0], "integers or strings"),
    ],
)
def test_labels_without_a_place_in_the_order_are_refused(head, y, words):
    with pytest.raises(ValueError, match=words) as caught:
        head.adapt(y)
    assert "\n" not in str(caught.value)
