"""MultiLabel: matrices and lists of names."""

import keras
import numpy as np
import pandas as pd
import pytest

from adaptive_nets.heads import MultiLabel

pytestmark = pytest.mark.backend_agnostic


def test_loss_is_the_mean_over_labels():
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=4, size=(30, 5)).astype("float32")
    labels = rng.integers(0, 2, (30, 5)).astype("float32")
    expected = np.where(labels == 1, np.logaddexp(0, -logits), np.logaddexp(0, logits)).mean(-1)
    np.testing.assert_allclose(MultiLabel(5).loss(labels, logits), expected, rtol=1e-5)


def test_label_smoothing_follows_keras():
    logits = np.array([[1.0, -2.0]], "float32")
    labels = np.array([[1.0, 0.0]], "float32")
    loss = np.asarray(MultiLabel(2, label_smoothing=0.4).loss(labels, logits))
    first = 0.8 * np.log1p(np.exp(-1.0)) + 0.2 * np.log1p(np.exp(1.0))
    second = 0.2 * np.log1p(np.exp(2.0)) + 0.8 * np.log1p(np.exp(-2.0))
    np.testing.assert_allclose(loss, [(first + second) / 2], rtol=1e-6)
    keras_loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.4)
    np.testing.assert_allclose(loss, [keras_loss(labels, logits)], rtol=1e-6)


@pytest.mark.parametrize(
    "y",
    [
        [[0, 1], [1, 1], [0, 0]],
        np.array([[0, 1], [1, 1], [0, 0]], bool),
        np.array([[0, 1], [1, 1], [0, 0]], "float64"),
        pd.DataFrame({"a": [0, 1, 0], "b": [1, 1, 0]}),
        [["b"], ["b", "a"], []],
        [{"b"}, {"a", "b"}, set()],
        pd.Series([["b"], ["b", "a"], []]),
    ],
)
def test_labels_of_every_kind_become_the_same_matrix(y):
    encoded = MultiLabel().adapt(y).encode(y)
    assert encoded.dtype == np.float32
    np.testing.assert_array_equal(encoded, [[0, 1], [1, 1], [0, 0]])


def test_names_give_the_order_of_columns():
    head = MultiLabel(class_names=["b", "a"])
    np.testing.assert_array_equal(head.encode([["a"], []]), [[0, 1], [0, 0]])
    np.testing.assert_array_equal(head.encode([[], []]), np.zeros((2, 2)))
    np.testing.assert_array_equal(head.encode([[1, 0]]), [[1, 0]])


def test_predictions_are_independent_sigmoids():
    logits = np.array([[0.0, 2.0, -2.0]], "float32")
    outputs = MultiLabel(3).predictions(logits)
    np.testing.assert_allclose(outputs["probabilities"], 1 / (1 + np.exp(-logits)), rtol=1e-6)
    np.testing.assert_array_equal(outputs["classes"], [[0, 1, 0]])


@pytest.mark.parametrize(
    "head, y, words",
    [
        (MultiLabel(), [[0, 2]], "0 or 1.*Received: 2 in row 0, column 1"),
        (MultiLabel(), [[0.5, 1.0]], "Received: 0.5"),
        (MultiLabel(3), [[0, 1]], r"\[n, 3\].*Received: shape \[1, 2\]"),
        (MultiLabel(), [0, 1, 1], "use MultiClass"),
        (MultiLabel(), np.zeros((4, 0)), "at least one class"),
        (MultiLabel(), np.zeros((0, 4)), "at least one example"),
        (MultiLabel(), [], "at least one example"),
        (MultiLabel(), [[0.0, np.nan]], "NaN"),
        (MultiLabel(), [[], []], "at least 1 classes"),
        (MultiLabel(3), [["a"], ["b"]], "3 classes"),
        (MultiLabel(class_names=["a", "b"]), [["a"], ["z"]], r"Received: \['z'\]"),
        (MultiLabel(2), np.array([["a", "b"]]), "lists of class names"),
    ],
)
def test_labels_that_do_not_fit_are_refused(head, y, words):
    with pytest.raises(ValueError, match=words) as caught:
        head.adapt(y)
    assert "\n" not in str(caught.value)


def test_names_before_adapt_name_the_way_out():
    with pytest.raises(ValueError, match="Call `adapt`"):
        MultiLabel(2).encode([["a"], ["b"]])
