"""Predictions of many rows are made some at a time, and are those of all rows at once."""

import warnings

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from adaptive_nets import heads
from adaptive_nets.adanet.inspection import predictions
from adaptive_nets.adanet.inspection.predictions import compute_logits, compute_output
from adaptive_nets.data.schema import Schema

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4)).astype("float32")
FRAME = pd.DataFrame(X, columns=list("abcd"))
COLUMNS = {name: X[:, k] for k, name in enumerate("abcd")}
HEADS = {
    "classes": heads.MultiClass(class_names=["a", "bb", "a longer name"]),
    "several": heads.Multi({"one": heads.Regression(2), "two": heads.BinaryClass()}),
}


@pytest.fixture(scope="module")
def model():
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(3, kernel_initializer=keras.initializers.RandomNormal(seed=1))
    return keras.Model(inputs, outputs(inputs))


@pytest.fixture(scope="module")
def model_of_columns():
    inputs = {name: keras.Input((1,), name=name) for name in COLUMNS}
    joined = keras.layers.Concatenate()(list(inputs.values()))
    return keras.Model(inputs, keras.layers.Dense(3)(joined))


def sources(kind):
    return {
        "array": (X, X),
        "rows": (X.tolist(), X),
        "frame": (FRAME, FRAME),
        "dict": (COLUMNS, COLUMNS),
        "dataset": (tf.data.Dataset.from_tensor_slices(X).batch(7), X),
        "generator": ((X[k : k + 7] for k in range(0, 50, 7)), X),
    }[kind]


@pytest.mark.parametrize("kind", ["array", "rows", "frame", "dict", "dataset", "generator"])
@pytest.mark.parametrize("head", HEADS)
def test_some_rows_at_a_time_are_predicted_as_all(kind, head, model, model_of_columns, monkeypatch):
    x, learnt = sources(kind)
    network, schema = model_of_columns if kind == "dict" else model, Schema.infer(learnt)
    given = network, HEADS[head]
    whole = compute_output(*given, learnt, schema, 8, None)
    # 16 rows of 4 features and 3 logits, or batches of 7 rows up to 140 numbers.
    monkeypatch.setattr(predictions, "HELD_NUMBERS", 140)
    read = []
    plain = Schema.read
    monkeypatch.setattr(Schema, "read", lambda *a: read.append(plain(*a)) or read[-1])
    found = compute_output(*given, x, schema, 8, None)
    if isinstance(whole, dict):
        assert list(found) == list(whole)
    for a, b in zip(keras.tree.flatten(found), keras.tree.flatten(whole), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        exact = np.testing.assert_array_equal if a.dtype.kind in "US" else None
        (exact or np.testing.assert_allclose)(a, b)
    rows = [len(keras.tree.flatten(part)[0]) for part in read]
    assert rows == {"rows": [50], "dataset": [35, 15], "generator": [35, 15]}.get(
        kind, [16, 16, 16, 2]
    )


def test_rows_and_warnings_are_those_of_all(model, monkeypatch):
    monkeypatch.setattr(predictions, "HELD_NUMBERS", 140)
    bad = X.copy()
    bad[[37, 40], 2] = np.nan
    for x in (bad, tf.data.Dataset.from_tensor_slices(bad).batch(7)):
        with pytest.raises(ValueError, match=r"must be finite.* first in row 37\."):
            compute_logits(model, x, Schema.infer(X), 8)
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        compute_logits(model, X, Schema.infer(FRAME), 8)
    assert len([each for each in given if "have no names" in str(each.message)]) == 1


def test_no_rows_have_no_predictions(model):
    assert compute_logits(model, X[:0], Schema.infer(X), 8).shape == (0, 3)
    found = compute_output(model, HEADS["classes"], X[:0], Schema.infer(X), 8, None)
    assert found.shape == (0,)
