"""Checks and layout of training data."""

import re

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from adaptive_nets import heads
from adaptive_nets.data.batches import Batches
from adaptive_nets.data.datasets import is_dataset, is_endless, read_dataset
from adaptive_nets.data.rows import Rows, make_rows, split_rows
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.specs import FeatureSpec

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3)).astype("float32")
Y = RNG.integers(0, 3, 20)
HEAD = heads.MultiClass(3)


def as_features(given):
    return Schema.infer(given).read(given)


def refused(message):
    return pytest.raises(ValueError, match=r"\A[^\n]*" + message + r"[^\n]*\Z")


# Order of rows --------------------------------------------------------------------------------


@pytest.mark.parametrize("rows, size", [(50, 8), (32, 8), (7, 7), (5, 3)])
def test_every_epoch_is_a_fresh_permutation(rows, size):
    steps = 3 * rows
    order = Batches(rows, size, 1).indices(0, steps)
    assert order.shape == (steps, size) and order.dtype == np.int32
    epochs = order.reshape(-1)[: steps * size // rows * rows].reshape(-1, rows)
    assert (np.sort(epochs, axis=1) == np.arange(rows)).all()
    assert len({tuple(e) for e in epochs}) > 1


def test_the_order_is_the_seeds_alone():
    a, b = Batches(50, 8, 1).indices(0, 40), Batches(50, 8, 1).indices(0, 40)
    assert np.array_equal(a, b)
    assert not np.array_equal(a, Batches(50, 8, 2).indices(0, 40))


def test_any_step_can_be_asked_for_at_any_time():
    whole = Batches(50, 8, 1).indices(0, 40)
    batches = Batches(50, 8, 1)
    for step, steps in [(30, 5), (0, 1), (6, 9), (39, 1), (5, 2)]:
        assert np.array_equal(batches.indices(step, steps), whole[step : step + steps])


def test_a_batch_is_never_larger_than_the_data():
    batches = Batches(5, 100, 0)
    assert batches.size == 5
    assert (np.sort(batches.indices(3, 4), axis=1) == np.arange(5)).all()


# Features -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, dtype",
    [
        (X.tolist(), "float32"),
        (X.astype("float64"), "float32"),
        (X.astype("float16"), "float32"),
        (tf.constant(X), "float32"),
        (Y.astype("int64"), "int64"),
        (Y.astype("uint8"), "uint8"),
        (Y > 0, "bool"),
        (np.array([1, 1 << 40]), "int64"),
        (pd.DataFrame(X), "float32"),
        (pd.DataFrame({"a": [1, 2], "b": [True, False], "c": [0.5, 1.5]}), "float32"),
        (pd.Series([1.0, 2.0]), "float32"),
        (np.array(["a", "bc"]), object),
        (["a", "bc"], object),
    ],
)
def test_features_become_arrays_of_rows(given, dtype):
    found = as_features(given)
    expected = np.asarray(given)
    assert found.dtype == dtype and found.ndim == 2 and len(found) == len(expected)
    if dtype is object:
        assert found[:, 0].tolist() == list(given)
    else:
        expected = expected.astype("float64").reshape(found.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_a_dict_of_features_keeps_its_names():
    found = as_features({"a": [1.0, 2.0], "b": np.zeros((2, 4, 4, 1)), 3: ["x", "y"]})
    spec = Rows(found, np.zeros(2)).spec
    assert spec == {
        "a": FeatureSpec((1,), "float32"),
        "b": FeatureSpec((4, 4, 1), "float32"),
        "feature_3": FeatureSpec((1,), "string"),
    }
    assert str(spec["b"]) == "float32[4, 4, 1]"


@pytest.mark.parametrize(
    "given, message",
    [
        (pd.DataFrame({"a": [1], "b": ["x"]}), "DataFrame columns must be numeric.*Received: b,"),
        (
            pd.DataFrame([[1.0, "x"]], columns=["a", "a"]),
            "The names of features must differ. Received: a table with 'a' twice",
        ),
        ({}, "Features must be at least one array. Received: an empty dict"),
        (3.0, "Features must be an array of rows. Received: float"),
        ([[1.0, 2.0], [3.0]], "Features must be an array whose rows have one shape"),
        (np.array([1.0, None]), "Features must be numbers or strings. Received: mixed objects"),
        ({"a": np.array([[1], "x"], object)}, "Feature 'a' must be numbers or strings"),
        (np.array(["2020-01-01"], "M8[D]"), "must be numbers or strings. Received: dtype datet"),
        (np.array([1j]), "must be numbers or strings. Received: dtype complex"),
    ],
)
def test_features_of_no_use_are_refused(given, message):
    with refused(message):
        as_features(given)


# Rows -----------------------------------------------------------------------------------------


def nan_at(row):
    x = X.copy()
    x[row, 1] = np.nan
    return x


@pytest.mark.parametrize(
    "x, y, message",
    [
        (X, Y[:-1], "same number of rows. Received: features with 20 rows, labels with 19"),
        (
            {"a": X, "b": X[:5]},
            Y,
            "same number of rows. Received: features with 5 and 20 rows, labels with 20",
        ),
        (nan_at(13), Y, "'features' must be finite. Received: NaN or infinity, first in row 13"),
        ({"a": X, "b": nan_at(4)}, Y, "'b' must be finite.*first in row 4"),
        (np.full((20, 1), np.inf), Y, "'features' must be finite.*first in row 0"),
        (X[:0], Y[:0], "The data is empty: expected at least one row. Received: 0 rows"),
        (X, None, "Labels are missing"),
        (X, Y + 1, "label"),
        (X, Y.astype(float) + 0.5, "label"),
    ],
)
def test_bad_rows_are_refused(x, y, message):
    with refused(message):
        make_rows(x, y, HEAD)


def test_nan_is_found_far_down():
    x = np.zeros((70000, 1), "float32")
    x[66000] = np.nan
    with refused("first in row 66000"):
        make_rows(x, np.zeros(70000, int), HEAD)


def test_weights_have_mean_one():
    w = RNG.uniform(0, 5, 20)
    rows = make_rows(X, Y, HEAD, sample_weight=w)
    np.testing.assert_allclose(rows.w, w / w.mean(), rtol=1e-6)
    assert rows.w.dtype == np.float32
    assert make_rows(X, Y, HEAD).w is None
    both = make_rows(X, Y, HEAD, w, class_weight={0: 3.0, 2: 0.5})
    expected = w * np.array([3.0, 1.0, 0.5])[Y]
    np.testing.assert_allclose(both.w, expected / expected.mean(), rtol=1e-6)


def test_class_weights_want_one_class_a_row():
    with refused("class_weight requires one class per row. Use sample_weight"):
        make_rows(X, np.ones((20, 2)), heads.MultiLabel(2), class_weight={0: 2.0})


@pytest.mark.parametrize(
    "x",
    [
        X,
        {"a": X, "b": np.arange(20)},
        np.array([f"wörd{i}" for i in range(20)]),
        {"text": [f"{i}" for i in range(20)], "flag": Y > 0},
    ],
    ids=["array", "dict", "text", "mixed"],
)
def test_a_fingerprint_changes_with_every_row(x):
    rows = make_rows(x, Y, HEAD, np.arange(1, 21))
    assert rows.fingerprint() == make_rows(x, Y, HEAD, np.arange(1, 21)).fingerprint()
    seen = {rows.fingerprint(), rows.take(np.arange(19)).fingerprint()}
    first = next(iter(x)) if isinstance(x, dict) else None
    for row in range(20):
        changed = rows.take(np.arange(20))
        array = changed.x if first is None else changed.x[first]
        array[row, -1] = array[row, -1] + (1 if array.dtype != object else "x")
        seen.add(changed.fingerprint())
    labels = make_rows(x, np.roll(Y, 1), HEAD, np.arange(1, 21))
    weights = make_rows(x, Y, HEAD, np.arange(20, 0, -1))
    seen |= {labels.fingerprint(), weights.fingerprint(), make_rows(x, Y, HEAD).fingerprint()}
    assert len(seen) == 25


def test_a_fingerprint_tells_where_text_ends():
    a = make_rows(np.array(["ab", "c"]), [0, 1], HEAD)
    b = make_rows(np.array(["a", "bc"]), [0, 1], HEAD)
    assert a.fingerprint() != b.fingerprint()
    as_bytes = make_rows(np.array([b"ab", b"c"], object), [0, 1], HEAD)
    assert a.fingerprint() == as_bytes.fingerprint()


def test_a_split_is_seeded_disjoint_and_covers_all_rows():
    rows = make_rows(np.arange(40), np.arange(40) % 3, HEAD, np.arange(1, 41))
    train, valid = split_rows(rows, 0.25, seed=3)
    assert (len(train), len(valid)) == (30, 10)
    ids = np.concatenate([train.x[:, 0], valid.x[:, 0]])
    assert sorted(ids) == list(range(40))
    for side in (train, valid):
        assert np.array_equal(side.y, side.x[:, 0] % 3)
        expected = side.x[:, 0] + 1.0
        np.testing.assert_allclose(side.w, expected / expected.mean(), rtol=1e-5)
    again = split_rows(rows, 0.25, seed=3)[1]
    other = split_rows(rows, 0.25, seed=4)[1]
    assert np.array_equal(again.x, valid.x) and not np.array_equal(other.x, valid.x)


@pytest.mark.parametrize(
    "fraction, message",
    [
        (1.0, "validation_split must be between 0 and 1. Received: validation_split=1.0"),
        (-0.1, "validation_split must be between 0 and 1"),
        (0.01, "validation_split=0.01 of 20 rows leaves one side without rows"),
        (0.99, "leaves one side without rows"),
    ],
)
def test_bad_splits_are_refused(fraction, message):
    with refused(message):
        split_rows(make_rows(X, Y, HEAD), fraction, 0)


def test_a_split_that_leaves_only_weightless_rows_is_refused():
    w = np.zeros(20)
    w[3] = 1.0
    with refused("leaves one side with rows of weight 0 only"):
        split_rows(make_rows(X, Y, HEAD, w), 0.5, 0)


# Datasets -------------------------------------------------------------------------------------


def dataset(*parts, batch=6):
    return tf.data.Dataset.from_tensor_slices(parts).batch(batch)


def counted(parts, batch=6):
    """A dataset that does not know its length, and a list of how often it was begun."""
    begun = []

    def rows():
        begun.append(1)
        yield from zip(*parts, strict=True)

    signature = tuple(tf.TensorSpec(p.shape[1:], p.dtype) for p in parts)
    made = tf.data.Dataset.from_generator(rows, output_signature=signature)
    return made.batch(batch), begun


@pytest.mark.parametrize("weighted", [False, True])
def test_a_finite_dataset_is_read_once(weighted):
    parts = [X, Y, np.arange(20.0)][: 3 if weighted else 2]
    made, begun = counted(parts)
    assert int(made.cardinality()) == -2 and not is_endless(made)
    x, y, w = read_dataset(made)
    assert begun == [1]
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)
    np.testing.assert_array_equal(w, np.arange(20.0)) if weighted else None
    assert (w is not None) == weighted


def test_a_dataset_of_dicts_keeps_its_structure():
    made = tf.data.Dataset.from_tensor_slices(
        ({"a": X, "t": np.array([f"wörd{i}" for i in range(20)])}, Y)
    ).batch(6)
    x, y, _ = read_dataset(made)
    rows = make_rows(x, y, HEAD)
    np.testing.assert_array_equal(rows.x["a"], X)
    assert rows.x["t"][3, 0].decode() == "wörd3" and rows.spec["t"].dtype == "string"
    direct = make_rows({"a": X, "t": [f"wörd{i}" for i in range(20)]}, Y, HEAD)
    assert rows.fingerprint() == direct.fingerprint()


def test_above_the_limit_a_dataset_is_kept_on_disk(tmp_path):
    x, y, w = read_dataset(dataset(X, Y, np.arange(20.0)), limit=50, folder=str(tmp_path))
    rows = make_rows(x, y, HEAD, w)
    assert rows.on_disk and isinstance(rows.x, np.memmap)
    memory = make_rows(X, Y, HEAD, np.arange(20.0))
    assert not memory.on_disk
    np.testing.assert_array_equal(rows.x, memory.x)
    assert rows.fingerprint() == memory.fingerprint()
    one = read_dataset(dataset(X[:, 0], Y), limit=50)[0]
    assert make_rows(one, Y, HEAD).on_disk


def test_a_dataset_that_hides_its_length_is_read_only_so_far():
    made, _ = counted([X, Y])
    with refused("length is unknown.*add .repeat()"):
        read_dataset(made.repeat(100).filter(lambda *_: True), limit=100)


@pytest.mark.parametrize(
    "made, message",
    [
        (lambda: tf.data.Dataset.from_tensor_slices((X, Y)), "The dataset must be batched"),
        (
            lambda: tf.data.Dataset.from_tensor_slices((X, np.zeros((20, 2)))),
            "The dataset must be batched",
        ),
        (lambda: tf.data.Dataset.from_tensor_slices(X).batch(4), r"must yield \(features, label"),
        (lambda: dataset(X, Y, Y, Y), "must yield.*Received: tuple of 4"),
        (lambda: tf.data.Dataset.from_tensor_slices({"x": X, "y": Y}).batch(2), "must yield"),
        (lambda: dataset(X[:0], Y[:0]), "The data is empty"),
        (lambda: dataset(X, Y).take(0), "The data is empty"),
    ],
)
def test_bad_datasets_are_refused(made, message):
    with refused(message):
        read_dataset(made())


def test_endless_datasets_are_told_from_finite_ones():
    assert is_endless(dataset(X, Y).repeat())
    assert not is_endless(dataset(X, Y))
    assert is_dataset(dataset(X, Y)) and not is_dataset(X)


def test_refusals_are_one_line():
    with pytest.raises(ValueError) as caught:
        as_features([[1.0, 2.0], [3.0]])
    assert not re.search(r"\n", str(caught.value))


@pytest.mark.parametrize(
    ("w", "message"),
    [
        (np.ones((20, 2)), r"one per row. Received: .*ndarray of shape \[20, 2\]"),
        (np.ones((10, 2)), r"one per row. Received: .*ndarray of shape \[10, 2\]"),
        (2.0, "one per row. Received: .*float"),
        ("balanced", "one per row. Received: sample_weight='balanced'"),
        (np.ma.masked_equal(np.arange(20), 3), "masked array with 1 masked"),
        (pd.date_range("2020", periods=20), "in row 0"),
        (np.arange(20).astype("datetime64[ns]"), "in row 0"),
        (np.arange(20).astype("timedelta64[ns]"), "in row 0"),
        ([1.0] * 19 + [None], "Received: None in row 19"),
        (pd.array([1] * 19 + [None], dtype="Int64"), "1 masked"),
        ([1j] * 20, "Received: 1j in row 0"),
    ],
)
def test_what_are_no_weights_is_refused(w, message):
    with refused(message):
        make_rows(np.ones((20, 2)), [0, 1] * 10, heads.BinaryClass(), w)


def test_weights_of_any_size_and_container_have_mean_1():
    for w in (np.full(20, 1e308), pd.Series([2] * 20), np.full((20, 1), 3, "uint8"), [True] * 20):
        found = make_rows(np.ones((20, 2)), [0, 1] * 10, heads.BinaryClass(), w).w
        assert found.tolist() == [1.0] * 20
