"""BinaryClass and MultiClass against closed forms, and the labels they read."""

import keras
import numpy as np
import pandas as pd
import pytest
from head_losses import loss_of
from scipy.special import log_softmax, softmax

from adaptive_nets.heads import BinaryClass, MultiClass

pytestmark = pytest.mark.backend_agnostic


def test_binary_loss_is_the_sigmoid_cross_entropy():
    logits = np.array([[-30.0], [-2.0], [0.0], [3.0], [90.0]])
    zeros = loss_of(BinaryClass(), np.zeros((5, 1), "float32"), logits)
    ones = loss_of(BinaryClass(), np.ones((5, 1), "float32"), logits)
    np.testing.assert_allclose(zeros, np.logaddexp(0, logits[:, 0]), rtol=1e-5)
    np.testing.assert_allclose(ones, np.logaddexp(0, -logits[:, 0]), rtol=1e-5, atol=1e-30)


def test_binary_label_smoothing_moves_the_label_towards_one_half():
    loss = loss_of(BinaryClass(label_smoothing=0.2), np.ones((1, 1)), [[2.0]])
    expected = 0.9 * np.log1p(np.exp(-2.0)) + 0.1 * np.log1p(np.exp(2.0))
    np.testing.assert_allclose(loss, [expected], rtol=1e-6)


def test_multi_class_loss_is_the_softmax_cross_entropy():
    logits = np.random.default_rng(0).normal(scale=5, size=(50, 4))
    labels = MultiClass(4).encode(np.arange(50) % 4)
    expected = -log_softmax(logits, axis=-1)[np.arange(50), labels]
    np.testing.assert_allclose(
        loss_of(MultiClass(4), labels, logits), expected, rtol=2e-5, atol=1e-6
    )


def test_multi_class_label_smoothing_spreads_over_all_classes():
    logits = [[1.0, -1.0, 0.5]]
    loss = loss_of(MultiClass(3, label_smoothing=0.3), np.array([1], "int32"), logits)
    targets = np.array([0.1, 0.8, 0.1])
    np.testing.assert_allclose(loss, [-(targets * log_softmax(logits[0])).sum()], rtol=1e-6)
    keras_loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3)
    np.testing.assert_allclose(loss, keras_loss([[0.0, 1.0, 0.0]], logits), rtol=1e-6)


@pytest.mark.parametrize(
    "y",
    [
        [0, 2, 1, 2],
        np.array([0, 2, 1, 2], "uint8"),
        np.array([0.0, 2.0, 1.0, 2.0]),
        np.array([[0], [2], [1], [2]]),
        np.array([0, 2, 1, 2], dtype=object),
        pd.Series([0, 2, 1, 2], index=[9, 8, 7, 6]),
        pd.Series([0, 2, 1, 2], dtype="Int64"),
        pd.DataFrame({"label": [0, 2, 1, 2]}),
        ["a", "c", "b", "c"],
        np.array(["a", "c", "b", "c"]),
        np.array([b"a", b"c", b"b", b"c"]),
        pd.Series(["a", "c", "b", "c"]),
        pd.Series(["a", "c", "b", "c"], dtype="category"),
        [1, 7, 3, 7],
        [-1, 1, 0, 1],
    ],
)
def test_labels_of_every_kind_become_the_same_indices(y):
    head = MultiClass().adapt(y)
    encoded = head.encode(y)
    assert encoded.dtype == np.int32
    np.testing.assert_array_equal(encoded, [0, 2, 1, 2])
    assert head.units == 3


def test_backend_tensors_are_read():
    y = keras.ops.convert_to_tensor([0, 2, 1])
    np.testing.assert_array_equal(MultiClass().adapt(y).encode(y), [0, 2, 1])


@pytest.mark.parametrize(
    "y", [[0, 1, 1], [False, True, True], [0.0, 1.0, 1.0], [-1, 1, 1], ["n", "y", "y"]]
)
def test_binary_labels_of_every_kind_become_the_same_column(y):
    encoded = BinaryClass().adapt(y).encode(y)
    assert encoded.dtype == np.float32
    np.testing.assert_array_equal(encoded, [[0.0], [1.0], [1.0]])


def test_given_names_set_the_order():
    assert BinaryClass(class_names=["yes", "no"]).encode(["no", "yes"]).tolist() == [[1.0], [0.0]]
    head = MultiClass(class_names=["red", "green", "blue"])
    assert head.encode(["blue", "red"]).tolist() == [2, 0]
    assert head.encode([2, 0]).tolist() == [2, 0]  # indices, where the names are strings
    assert MultiClass(class_names=[30, 10, 20]).encode([10, 30]).tolist() == [1, 0]


def test_integer_class_names_come_back_in_predictions():
    head = MultiClass().adapt([3, 5, 9])
    assert head.class_names == [3, 5, 9]
    logits = keras.ops.convert_to_tensor([[0.0, 0.0, 1.0], [2.0, 0.0, 1.0]])
    assert np.asarray(head.predictions(logits)["classes"]).tolist() == [9, 3]


def test_probabilities_are_softmax_and_both_tails_are_kept():
    logits = np.array([[1.0, 2.0, -3.0], [0.0, 0.0, 0.0]], "float32")
    outputs = MultiClass(3).predictions(keras.ops.convert_to_tensor(logits))
    np.testing.assert_allclose(outputs["probabilities"], softmax(logits, axis=-1), rtol=1e-5)
    np.testing.assert_array_equal(outputs["classes"], [1, 0])
    outputs = BinaryClass().predictions(keras.ops.convert_to_tensor([[-40.0], [40.0], [0.0]]))
    tail = np.exp(-40.0)
    np.testing.assert_allclose(
        outputs["probabilities"], [[1.0, tail], [tail, 1.0], [0.5, 0.5]], rtol=1e-5
    )
    np.testing.assert_array_equal(outputs["classes"], [0, 1, 0])


@pytest.mark.parametrize(
    "head, y, words",
    [
        (MultiClass(3), [0, 3], r"from 0 to 2.*Received: \[3\]"),
        (MultiClass(3), [-1, 1], r"out of range.*\[-1\]"),
        (MultiClass(3), np.eye(3), r"one-hot.*argmax"),
        (MultiClass(), np.eye(3), r"y.argmax\(-1\)"),
        (MultiClass(3), [0.5, 1.0], "use Regression.*0.5 in row 0"),
        (MultiClass(3), ["a", "b"], "expected labels of 3 classes"),
        (MultiClass(), [4, 4, 4], "at least 2"),
        (MultiClass(), ["a", "a"], "at least 2"),
        (MultiClass(class_names=["a", "b"]), ["a", "c"], r"class_names.*Received: \['c'\]"),
        (MultiClass(class_names=[1, 2]), ["1", "2"], "its classes are integers"),
        (MultiClass(class_names=[1, 2]), [0, 1], r"Received: \[0\]"),
        (MultiClass(4), list(range(9)), r"\[4, 5, 6, 7, 8\]"),
        (MultiClass(4), list(range(14)), r"\.\.\.\] \(10 values\)"),
        (BinaryClass(), [0, 1, 2], "use MultiClass"),
        (BinaryClass(), ["a", "b", "c"], "use MultiClass"),
        (BinaryClass(), ["a", "a"], "pass class_names"),
        (BinaryClass(), [0.2, 0.8], "integers or strings"),
        (BinaryClass(), np.eye(2), "argmax"),
        (BinaryClass(), pd.Series([1, pd.NA], dtype="Int64"), "finite"),
        (BinaryClass(), pd.Series(["a", None, "b"]), "missing"),
    ],
)
def test_labels_that_do_not_fit_are_refused(head, y, words):
    with pytest.raises(ValueError, match=words) as caught:
        head.adapt(y)
    assert "\n" not in str(caught.value)


def test_a_refused_adapt_leaves_a_given_range_standing():
    head = MultiClass(3)
    with pytest.raises(ValueError):
        head.adapt([0, 7])
    assert head.get_config() == MultiClass(3).get_config()


def test_binary_without_adapt_reads_zero_and_one_only():
    assert BinaryClass().encode([True, False]).tolist() == [[1.0], [0.0]]
    with pytest.raises(ValueError, match="call `adapt`"):
        BinaryClass().encode(["a", "b"])
    with pytest.raises(ValueError, match="out of range"):
        BinaryClass().encode([1, 2])
