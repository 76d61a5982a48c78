"""Labels of any container and dtype: the same classes and targets, or one line that says why."""

import decimal

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from scipy import sparse

import adaptive_nets as an

CLASSES = [0, 1, 0, 1, 1, 0]
HEADS = (an.heads.BinaryClass, an.heads.MultiClass, an.heads.Regression)
HOLDERS = {
    "list": lambda y: y,
    "floats": lambda y: np.array(y, float),
    "booleans": lambda y: np.array(y, bool),
    "column": lambda y: np.array(y)[:, None],
    "column of floats": lambda y: np.array(y, "float32")[:, None],
    "uint64": lambda y: np.array(y, "uint64"),
    "objects": lambda y: np.array(y, object),
    "nullable": lambda y: pd.array(y, dtype="Int64"),
    "Series": pd.Series,
    "DataFrame": lambda y: pd.DataFrame({"y": y}),
    "categories": lambda y: pd.Series(pd.Categorical(y)),
    "tensor": tf.constant,
    "variable": tf.Variable,
    "bfloat16": lambda y: tf.constant(y, tf.bfloat16),
    "without a masked value": lambda y: np.ma.masked_array(y, False),
    "list of arrays": lambda y: [np.array([v]) for v in y],
}
TEXTS = {
    "list": lambda y: y,
    "bytes": lambda y: [v.encode() for v in y],
    "array": np.array,
    "nullable": lambda y: pd.array(y, dtype="string"),
    "categories": pd.Categorical,
    "tensor": tf.constant,
    "column": lambda y: np.array(y)[:, None],
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("holder", HOLDERS)
def test_numbers_are_the_same_labels_in_any_container(head, holder):
    found = head().adapt(HOLDERS[holder](CLASSES)).encode(HOLDERS[holder](CLASSES))
    assert found.reshape(-1).tolist() == CLASSES


@pytest.mark.parametrize("head", HEADS[:2])
@pytest.mark.parametrize("holder", TEXTS)
def test_names_are_the_same_classes_in_any_container(head, holder):
    names = ["no", "yes", "no", "yes", "yes", "no"]
    adapted = head().adapt(TEXTS[holder](names))
    assert adapted.class_names == ["no", "yes"]
    assert adapted.encode(names).reshape(-1).tolist() == CLASSES


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, np.nan], "nan in row 2"),
        ([0, np.inf, 1], "inf in row 1"),
        ([0, None, 1], "missing.*None as label 1"),
        (pd.array([0, None, 1], dtype="Int64"), "nan in row 1"),
        (["a", float("nan"), "b"], "missing.*nan as label 1"),
        (np.ma.masked_equal([0, 1, 1], 1), "missing.*masked value in row 1"),
        (["a", 1, 0], "one type.*int and str"),
        (pd.date_range("2020", periods=3), "dtype datetime64"),
        (np.array([1j, 2, 3]), "dtype complex128"),
        ([decimal.Decimal(1)] * 3, "Received: Decimal"),
        (sparse.csr_matrix([[0], [1], [0]]), "one label per example.*csr_matrix"),
        (tf.ragged.constant([[1], [0, 1]]), "RaggedTensor"),
        pytest.param((v for v in CLASSES), "Received: generator", id="generator"),
        ({0, 1}, "Received: set"),
        (3, "Received: int"),
        ("abc", "Received: str"),
        (np.zeros((3, 1, 1)), r"shape \[3, 1, 1\]"),
        (np.array([(1,)], [("y", "i4")]), "Received: dtype void"),
    ],
    ids=str,
)
def test_what_are_no_labels_is_refused(head, labels, message):
    with pytest.raises(ValueError, match=r"\A[^\n]*" + message + r"[^\n]*\Z"):
        head().adapt(labels)


@pytest.mark.parametrize("head", HEADS[:2])
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1.5, 1], "For continuous targets use Regression. Received: 1.5 in row 1"),
        ([1e300, 0, 1], "fit in 64 bits. Received: 1e.300 in row 0"),
        (np.array([0, 2**63], "uint64"), "fit in 64 bits. Received: 9223372036854775808 in row 1"),
        (np.eye(2)[CLASSES], "one-hot"),
    ],
)
def test_what_are_no_classes_is_refused(head, labels, message):
    with pytest.raises(ValueError, match=r"\A[^\n]*" + message + r"[^\n]*\Z"):
        head().adapt(labels)


@pytest.mark.parametrize("head", HEADS[:2])
def test_a_label_that_training_did_not_have_is_named(head):
    adapted = head().adapt(["a", "b"])
    for unseen, shown in ((["a", "c"], "'c'"), ([5, 7], "5"), ([0.5, 1], "0.5")):
        with pytest.raises(ValueError, match=rf"\A[^\n]*Received: [^\n]*{shown}[^\n]*\Z"):
            adapted.encode(unseen)
    with pytest.raises(ValueError, match="classes are integers.*Received: strings"):
        head().adapt(CLASSES).encode(["a", "b"])
