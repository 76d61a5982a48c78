"""Values of any dtype are read without loss, or refused with one line that names them."""

import datetime
import decimal
import math

import hypothesis
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from adaptive_nets.data import Schema
from adaptive_nets.data.values import as_array, first_masked

WHOLE = st.integers(-(2**70), 2**70) | st.integers(-300, 300)
FRACTION = st.floats(allow_nan=True, allow_infinity=True)
TEXT = st.text(max_size=3) | st.binary(max_size=2)
ODD = st.sampled_from([
    None, pd.NA, pd.NaT, decimal.Decimal("1.5"), datetime.date(2020, 1, 1), 1j, (1, 2), {1}, object,
    pd.Timestamp("2020"), pd.Timedelta(1), pd.Interval(0, 1), np.datetime64("2020"),
])  # fmt: skip
COLUMNS = st.one_of(
    *(st.lists(kind, min_size=1, max_size=4) for kind in (
        WHOLE, FRACTION, TEXT, st.booleans(), WHOLE | st.booleans(), WHOLE | FRACTION,
        WHOLE | TEXT, TEXT | ODD, WHOLE | ODD, st.booleans() | st.none(),
    ))
)  # fmt: skip
HOLDERS = {
    "list": list,
    "objects": lambda values: np.array([*values, None], object)[:-1],
    "series": lambda values: pd.Series(list(values), dtype=object),
    "nullable": lambda values: pd.Series(list(values)).convert_dtypes(),
    "categorical": lambda values: pd.Series(pd.Categorical(values)),
    "polars": lambda values: pl.Series(values, strict=False),
    "arrow": pa.array,
}


def same(found, given):
    """Whether a value was kept: exactly, or a fraction as its nearest float32."""
    if isinstance(given, str | bytes) or isinstance(found, str | bytes):
        return type(found) is type(given) and found == given
    if float(given).is_integer() and not isinstance(given, float):
        return int(found) == int(given)
    return np.float32(found) == np.float32(given)


@hypothesis.settings(max_examples=120, deadline=None, database=None, derandomize=True)
@hypothesis.given(COLUMNS, st.sampled_from(sorted(HOLDERS)))
def test_a_column_of_any_values_is_read_without_loss_or_refused(values, holder):
    try:
        given = HOLDERS[holder](values)
    except Exception:  # The library that holds them does not take such values.
        hypothesis.reject()
    # What a library makes of mixed values is its own affair, and what is read is what it holds.
    held = given.tolist() if hasattr(given, "tolist") else list(given)
    held = given.to_pylist() if holder == "arrow" else held
    try:
        found = Schema.infer({"c": given}).read({"c": given})["c"][:, 0].tolist()
    except ValueError as error:
        assert "\n" not in str(error) and "'c'" in str(error) and "Received" in str(error)
        return
    assert len(found) == len(held)
    assert all(map(same, found, held)), (held, found)
    assert all(isinstance(v, str | bytes) or math.isfinite(v) for v in found)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", float("nan")], "'c' .*mixed objects .missing value nan, first in row 1.. Impute"),
        (["a", None, 1], "missing value None, first in row 1"),
        ([1, "a"], "str after int, first in row 1"),
        ([[1, 2], ["a", "b"]], "str after int, first in row 1"),
        ([decimal.Decimal(1)], "Decimal '1', first in row 0.. Convert"),
        ([2**63, -1], "fit in 64 bits. Received: whole numbers up to 9223372036854775808"),
        ([[1, 2], [3]], "one shape. Received: list of rows that differ in length"),
        (pd.Series([[1, 2], [3, 4]]), r"list '\[1, 2\]', first in row 0"),
        (pd.array([True, None], dtype="boolean"), "missing value <NA>, first in row 1"),
        (pd.date_range("2020", periods=2), "dtype datetime64.*Convert"),
        ([np.ma.masked_equal([1, 2], 2), np.ones(2)], "masked value, first in row 0"),
        ([1, np.ma.masked], "masked value, first in row 1"),
        (np.array([1, 2**63], "uint64"), "hold every value exactly. Received: 9223372036854775808"),
    ],
)  # fmt: skip
def test_what_would_change_is_refused_with_its_row(values, message):
    with pytest.raises(ValueError, match=r"\A[^\n]*" + message + r"[^\n]*\Z"):
        Schema.infer({"c": values}).read({"c": values})


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (pd.Categorical([3, 1, 3]), "int64"),
        (pd.Categorical(["x", "y"]), "string"),
        (pd.arrays.SparseArray([0, 0, 1]), "int64"),
        (pl.Series(["x", "y"], dtype=pl.Categorical), "string"),
        (pa.array([1, 2, 1]).dictionary_encode(), "int64"),
        (np.array([1, 2], "float16"), "float32"),
        (tf.constant([1, 2], tf.bfloat16), "float32"),
        ([2**62, 1], "int64"),
    ],
)
def test_the_same_dtype_is_learnt_from_a_column_and_from_an_entry_of_a_dict(values, dtype):
    alone = Schema.infer({"c": values})
    assert alone.features[0].dtype == dtype
    if not isinstance(values, tf.Tensor | pa.Array):
        column = Schema.infer(pd.DataFrame({"c": pd.Series(values)}), separate=True)
        assert column.features[0].dtype == dtype
        np.testing.assert_array_equal(
            column.read({"c": values})["c"], alone.read({"c": values})["c"]
        )


def test_masked_rows_are_found_in_arrays_and_in_lists():
    assert first_masked(np.ma.masked_equal([[1, 2], [3, 4]], 3)) == 1
    assert first_masked([np.array([1]), np.ma.masked_equal([1], 1)]) == 1
    assert first_masked(np.ma.masked_array([1], False)) is first_masked([[1]]) is None


def test_a_memory_map_stays_one(tmp_path):
    mapped = np.memmap(tmp_path / "x", "float32", "w+", shape=(3, 2))
    assert isinstance(as_array(mapped, "features"), np.memmap)
