"""Batches of every kind: what is in them is read, or refused with one line that names the batch."""

import collections

import keras
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import tensorflow as tf

from adaptive_nets.data.datasets import read_batches, read_dataset, stream_features

X = np.arange(18.0).reshape(6, 3)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
Y = np.array([0, 1, 0, 1, 1, 0])
Row = collections.namedtuple("Row", ["a", "b", "c"])

NAMED = {
    "frames": lambda f: f,
    "polars": lambda f: pl.from_dict(f.to_dict("list")),
    "tables": lambda f: pa.Table.from_pandas(f, preserve_index=False),
    "record batches": lambda f: pa.RecordBatch.from_pandas(f, preserve_index=False),
    "dicts": dict,
    "dicts of lists": lambda f: f.to_dict("list"),
    "records": lambda f: f.to_dict("records"),
    "named tuples": lambda f: [Row(*row) for row in f.itertuples(index=False)],
    "structured": lambda f: f.to_records(index=False),
}
PLAIN = {
    "arrays": np.asarray,
    "lists": lambda a: np.asarray(a).tolist(),
    "tensors": tf.constant,
    "without a masked value": lambda a: np.ma.masked_array(a, False),
}


class Batches(keras.utils.PyDataset):
    """Batches that were made before."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, k):
        return self.batches[k]


def pairs(as_x, as_y=np.asarray):
    return [(as_x(FRAME[k : k + 2]), as_y(Y[k : k + 2])) for k in range(0, 6, 2)]


def refused(message):
    return pytest.raises(ValueError, match=r"\A[^\n]*" + message + r"[^\n]*\Z")


@pytest.mark.parametrize("source", [iter, Batches])
@pytest.mark.parametrize("kind", NAMED)
def test_batches_with_names_are_dicts_of_columns(kind, source):
    x, y, w, size = read_batches(source(pairs(NAMED[kind])))
    assert list(x) == ["a", "b", "c"] and w is None and size == 2
    np.testing.assert_array_equal(np.stack(list(x.values()), axis=1), X)
    np.testing.assert_array_equal(y, Y)
    assert list(first_features(source(pairs(NAMED[kind])))) == ["a", "b", "c"]


@pytest.mark.parametrize("kind", PLAIN)
def test_batches_without_names_are_arrays(kind):
    batches = [(PLAIN[kind](x.to_numpy()), PLAIN[kind](y)) for x, y in pairs(lambda f: f)]
    x, y, _, _ = read_batches(iter(batches))
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


def test_names_may_come_in_another_order_in_each_batch():
    batches = [(f[list("cab")] if k else f, y) for k, (f, y) in enumerate(pairs(lambda f: f))]
    x, _, _, _ = read_batches(iter(batches))
    np.testing.assert_array_equal(np.stack([x[n] for n in "abc"], axis=1), X)


def test_several_inputs_and_a_dict_of_labels():
    batches = [
        ((f.to_numpy()[:, :1], f.to_numpy()[:, 1:]), {"one": y}) for f, y in pairs(lambda f: f)
    ]
    x, y, _, _ = read_batches(iter(batches))
    assert [part.shape for part in x] == [(6, 1), (6, 2)]
    np.testing.assert_array_equal(y["one"], Y)


def test_sparse_tensors_and_unknown_shapes_are_read():
    sparse = tf.data.Dataset.from_tensor_slices((tf.sparse.from_dense(X), Y)).batch(4)
    np.testing.assert_array_equal(read_dataset(sparse)[0], X)
    unknown = tf.data.Dataset.from_generator(
        lambda: iter(pairs(np.asarray)), (tf.float64, tf.int64)
    )
    np.testing.assert_array_equal(read_dataset(unknown)[0], X)


def batches_with(last):
    return iter([*pairs(lambda f: f)[:2], last])


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (
            (FRAME[["a", "b"]][4:], Y[4:]),
            r"same features.*{a: array, b: array}, array\) in batch 3",
        ),
        ((X[4:], Y[4:]), r"All batches must have the same.*\(array, array\) in batch 3"),
        ((FRAME[4:], Y[4:], Y[4:]), r"Received: .* in batch 3"),
        ((FRAME[4:], Y[:1]), "the same number of rows. Received: 1 and 2 rows in batch 3"),
        ((FRAME[4:].assign(a=["x", 2]), Y[4:]), "Feature 'a' .*mixed objects .int after str"),
        ((FRAME[4:], np.ma.masked_equal(Y[4:], 1)), "masked value in row 0 of a batch"),
        ((dict(FRAME[4:], a=np.ma.masked_equal(FRAME["a"][4:], 12)), Y[4:]), "'a' must not be ma"),
        ((FRAME[4:], None), "must not hold None"),
        ((dict(FRAME.iloc[4]), Y[4]), "'a' must be an array of rows"),
        ((FRAME[4:], pd.Series(Y[4:])[::-1]), "different row labels"),
        ((len, Y[4:]), "Features must be an array"),
    ],
)
def test_a_batch_that_does_not_fit_the_others_is_refused(last, message):
    with refused(message):
        read_batches(batches_with(last))


def first_features(dataset):
    return next(stream_features(dataset))


def generated(*elements):
    types = (tf.float64, tf.int64)
    return tf.data.Dataset.from_generator(lambda: iter(elements), types)


def ragged():
    rows = tf.ragged.constant([[1.0], [2.0, 3.0]])
    return tf.data.Dataset.from_tensor_slices((rows, [0, 1])).batch(2)


@pytest.mark.parametrize(
    ("read", "dataset", "message"),
    [
        (first_features, ragged, "RaggedTensorSpec"),
        (read_dataset, ragged, "RaggedTensorSpec"),
        (first_features, lambda: tf.data.Dataset.range(4).window(2), "Received: DatasetSpec"),
        (read_dataset, lambda: generated((X[0], Y[0])), "must be batched.* in batch 1"),
        (read_dataset, lambda: generated((X, Y), (X[:, :2], Y)), r"shape \(2,\) after \(3,\)"),
    ],
)
def test_a_dataset_that_is_no_batches_of_rows_is_refused(read, dataset, message):
    with refused(message):
        read(dataset())


def test_features_are_streamed_some_batches_at_a_time():
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(1)
    parts = list(stream_features(dataset, numbers=2 * X.shape[1]))
    assert [len(part) for part in parts] == [2] * (len(X) // 2) + [1] * (len(X) % 2)
    np.testing.assert_array_equal(np.concatenate(parts), X)
    odd = generated((X[:1], Y[:1]), (X[:1], Y[:1]), (X[:1, :2], Y[:1]), (X[:1], Y[:1]))
    parts = stream_features(odd, numbers=2 * X.shape[1])
    assert len(next(parts)) == 2
    with refused(r"shape \(3,\) after \(2,\)"):
        next(parts)
    unknown = generated(*[(X, Y)] * 20)
    with refused("add .repeat"):
        list(stream_features(unknown, limit=X.nbytes))
    known = unknown.apply(tf.data.experimental.assert_cardinality(20))
    assert len(list(stream_features(known, limit=X.nbytes))) == 1


def test_numbers_and_text_of_different_batches_are_not_made_one_kind():
    x, y, _, _ = read_batches(iter([([[1.0]], ["a"]), ([["b"]], [2])]))
    assert x.tolist() == [[1.0], ["b"]] and y.tolist() == ["a", 2]


def test_missing_values_are_left_to_the_schema_and_the_head_which_name_them():
    x, y, _, _ = read_batches(batches_with((FRAME[4:].assign(a=np.nan), [1, None])))
    assert np.isnan(x["a"][4:]).all() and y.tolist() == [0, 1, 0, 1, 1, None]
