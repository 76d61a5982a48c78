"""`fit_encoding`: every kind of column becomes the tensors that NumPy and pandas say it should."""

import math

import hypothesis
import keras
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import strategies as st

import adaptive_nets as an
from adaptive_nets.data import Schema
from adaptive_nets.data.encoding import fit_encoding
from adaptive_nets.data.encoding.tokens import token_ids

MISSING, UNSEEN, RARE, FIRST = range(4)


def encoded(encode, schema, table):
    """What a model makes of a table, as arrays."""
    columns = {key: tf.convert_to_tensor(a) for key, a in schema.read(table).items()}
    return {name: np.asarray(tensor) for name, tensor in encode(columns).items()}


def fitted(table, **kinds):
    """A schema, its model, and what the model makes of the same table."""
    schema = Schema.infer(table, kinds=kinds)
    encode = fit_encoding(schema, table)
    return schema, encode, encoded(encode, schema, table)


def names(encode):
    return encode.layers[-1].plan.names()


# Numbers ----------------------------------------------------------------------------------------


def test_numbers_are_less_the_median_over_the_middle_half_and_0_where_missing():
    table = {"a": [1.5, 2.0, np.nan, 10.0, 4.0], "b": [0.0, 0.5, 0.25, 1.0, 0.125]}
    schema, encode, found = fitted(table)
    # Quartiles of 1.5, 2, 4, 10: 1.875, 3, 5.5.
    np.testing.assert_allclose(
        found["numbers"][:, 0], (np.array([1.5, 2, 3, 10, 4]) - 3) / 3.625, rtol=1e-6
    )
    np.testing.assert_array_equal(found["missing"], [[0], [0], [1], [0], [0]])
    assert names(encode) == {"numbers": ["a", "b"], "missing": ["a"]}
    # Missing at predict only: as if it were the median, without an indicator.
    later = encoded(encode, schema, {"a": [1.5], "b": [None]})
    np.testing.assert_array_equal(later["numbers"][:, 1], [0.0])
    assert later["numbers"].dtype == "float32" and later["missing"].shape == (1, 1)


def test_a_column_of_zeros_with_few_others_is_scaled_by_the_others():
    gains = np.zeros(1000)
    gains[::20] = np.linspace(1000.5, 9000.5, 50)
    _, _, found = fitted({"gain": gains, "rest": np.arange(1000) % 7 + 0.5})
    numbers = found["numbers"][:, 0]
    assert numbers[1] == 0 and 0.1 < numbers[20] < 1 < numbers[980] < 3


def test_numbers_are_scaled_in_double_precision_and_stay_finite():
    times = 1.6e9 + np.arange(64.0) / 8 + 0.0625
    _, encode, found = fitted({"time": times, "big": np.linspace(0, 1e-30, 64)})
    np.testing.assert_allclose(np.diff(found["numbers"][:, 0]), 0.125 / 3.9375, rtol=1e-5)
    far = encode(
        {"time": tf.constant([[1e300]], "float64"), "big": tf.constant([[-1e300]], "float64")}
    )
    assert np.isfinite(far["numbers"]).all()


def test_whole_numbers_beyond_2_to_the_53_stay_apart():
    values = 2**53 + np.array([0, 1, 2, 3, 1000, -(2**54)])
    schema, encode, found = fitted({"n": values})
    assert schema.features[0].dtype == "int64"
    steps = np.diff(found["numbers"][:4, 0].astype("float64"))
    assert (steps > 0).all() and np.allclose(steps, steps[0])
    least = {"n": np.array([np.iinfo("int64").max])}
    assert np.isfinite(encoded(encode, schema, least)["numbers"]).all()
    schema, encode, found = fitted({"n": np.repeat(values, 2)}, n="category")
    assert len(np.unique(found["categories"])) == 6
    later = encoded(encode, schema, {"n": [2**53 + 1, 2**53 + 4, None]})["categories"][:, 0]
    assert later[0] == found["categories"][2, 0] and later[1:].tolist() == [UNSEEN, MISSING]
    # More than an int64 holds: read as text.
    schema, encode, found = fitted({"n": np.array([2**64 - 1, 2**64 - 2] * 4, "uint64")})
    assert schema.features[0].dtype == "string" and len(np.unique(found["categories"])) == 2


def test_whole_numbers_of_few_values_are_also_codes():
    grades = np.array([3, 1, 2, 1, 3, 3, 1, 2, 9, 3])
    schema, encode, found = fitted({"grade": grades, "flag": grades > 1, "two": grades % 2})
    assert names(encode) == {
        "numbers": ["grade", "two"],
        "categories": ["flag"],
        "codes": ["grade"],
    }
    expected = np.select(
        [grades == 3, grades == 1, grades == 2], [FIRST, FIRST + 1, FIRST + 2], RARE
    )
    np.testing.assert_array_equal(found["codes"][:, 0], expected)
    later = encoded(encode, schema, {"grade": [4.0, None], "flag": [1, None], "two": [0, 1]})
    assert later["codes"][:, 0].tolist() == [UNSEEN, MISSING]
    assert later["categories"][:, 0].tolist() == [FIRST, MISSING]


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["29.85", " ", "1e3", "-2", "?"], [29.85, np.nan, 1000, -2, np.nan]),
        (["1,234.50", "$7", "2,000", "None", "3%"], [1234.5, 7, 2000, np.nan, 0.03]),
        (["1.234,5", "7,25", "2", "-", "0,5"], [1234.5, 7.25, 2, np.nan, 0.5]),
        (["(1,234.50)", "-$7", "$ -2,000", "?", "+3.5 $"], [-1234.5, -7, -2000, np.nan, 3.5]),
        (
            ["1\u202f234,5", "\u22127,25", "2 000", "-", "0,5 kr"],
            [1234.5, -7.25, 2000, np.nan, 0.5],
        ),
        (["1'234.5", "-1", "12'000", "-", "1.25"], [1234.5, -1, 12000, np.nan, 1.25]),
        (["1:30", "0:00:02.5", "-2:00", "-", "25:00:01"], [5400, 2.5, -7200, np.nan, 90001]),
        (["1,000,000", "0.000001", "3", "-", "2"], [1e6, 1e-6, 3, np.nan, 2]),
    ],
)
def test_numbers_as_text_are_numbers(texts, values):
    table = {"charge": texts * 4, "rest": np.arange(20) % 3 + 0.5}
    schema, encode, found = fitted(table)
    assert (schema.features[0].kind, schema.features[0].dtype) == ("number", "string")
    assert "read as missing" in schema.features[0].reason
    there = np.array(values)[~np.isnan(values)]
    low, middle, high = np.quantile(np.tile(there, 4), [0.25, 0.5, 0.75])
    expected = np.nan_to_num((np.array(values) - middle) / (high - low))
    np.testing.assert_allclose(found["numbers"][:5, 0], expected, rtol=1e-6)
    np.testing.assert_array_equal(found["missing"][:5, 0], np.isnan(values))
    # What pandas has read as numbers where no row is blank.
    later = encoded(encode, schema, {"charge": np.nan_to_num(values), "rest": np.ones(5)})
    expected = (np.nan_to_num(values) - middle) / (high - low)
    np.testing.assert_allclose(later["numbers"][:, 0], expected, rtol=1e-6)


# Categories -------------------------------------------------------------------------------------


def test_categories_are_ranked_and_missing_unseen_and_rare_ones_kept_apart():
    towns = ["b"] * 3 + ["a"] * 2 + ["c"] * 2 + ["once"] + [None, "", "NA"]
    schema, encode, found = fitted({"town": towns, "n": np.arange(11) + 0.5})
    expected = [FIRST] * 3 + [FIRST + 1] * 2 + [FIRST + 2] * 2 + [RARE] + [MISSING] * 3
    assert found["categories"][:, 0].tolist() == expected
    assert schema.features[0].missing_share == pytest.approx(3 / 11)
    later = encoded(encode, schema, {"town": ["zz", "a", np.nan], "n": [1, 2, 3]})
    assert later["categories"][:, 0].tolist() == [UNSEEN, FIRST + 1, MISSING]


def test_the_same_value_in_two_columns_has_a_code_in_each():
    left, right = ["a", "a", "b", "b", "b"], ["b", "b", "b", "b", "a"]
    _, _, found = fitted({"left": left, "right": right})
    assert found["categories"].tolist() == [[4, 3], [4, 3], [3, 3], [3, 3], [3, 2]]


def test_mixed_types_in_a_column_are_text():
    mixed = [1, "a", None, 1.0, b"a", True, "True", 1]
    schema, _, found = fitted({"mixed": mixed, "n": np.arange(8) + 0.5})
    assert schema.features[0].kind == "category"
    assert found["categories"][:, 0].tolist() == [3, 5, 0, 3, 5, 4, 4, 3]
    with pytest.raises(
        ValueError, match=r"'x' must be .* Received: \[1, 2\] \(list\), first in row 1"
    ):
        Schema.infer({"x": ["a", [1, 2]]}, kinds={})


def test_100_000_categories():
    towns = np.char.add("town ", np.arange(120_000).astype(str))
    table = {"town": np.concatenate([towns, towns[:110_000], np.repeat(towns[:10], 30)])}
    schema, _, found = fitted(table, town="category")
    codes = found["categories"][:, 0]
    assert sorted(codes[:10].tolist()) == list(range(FIRST, 13))
    # 100,000 values are known: these, and those of two rows; none that is there once.
    assert (codes[10:110_000] == RARE).sum() == 99_990
    assert (codes[110_000:120_000] == UNSEEN).all()


# Dates ------------------------------------------------------------------------------------------

MOMENTS = pd.to_datetime([
    "1899-12-31 23:59:59", "1969-07-20 20:17:40", "1970-01-01 00:00:00", "2000-02-29 12:00:00",
    "2024-12-30 06:30:00", "2100-03-01 00:00:01",
])  # fmt: skip


def turn(share):
    return [math.sin(2 * math.pi * share), math.cos(2 * math.pi * share)]


@pytest.mark.parametrize(
    "write",
    [
        lambda dates: dates,
        lambda dates: dates.tz_localize("UTC").tz_convert("Asia/Tokyo"),
        lambda dates: dates.strftime("%Y-%m-%dT%H:%M:%SZ"),
        lambda dates: dates.strftime("%Y%m%dT%H%M%S"),
        lambda dates: dates.strftime("%d.%m.%Y %H:%M:%S"),
        lambda dates: dates.strftime("%m/%d/%Y %I:%M:%S %p"),
        lambda dates: dates.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        lambda dates: dates.strftime("%B %d, %Y %I:%M:%S %p"),
        lambda dates: (dates + pd.Timedelta("5h30min")).strftime("%Y-%m-%d %H:%M:%S+05:30"),
        lambda dates: (dates - pd.Timedelta("3h30min")).strftime("%Y-%m-%d %H:%M:%S.250-0330"),
    ],
)  # fmt: skip
def test_dates_are_elapsed_time_and_what_repeats(write):
    table = pd.DataFrame({"when": write(MOMENTS)})
    table = pd.concat([table, pd.DataFrame({"when": [None]})], ignore_index=True)
    schema, encode, found = fitted(table)
    assert schema.features[0].kind == "date"
    numbers = found["numbers"]
    seconds = (MOMENTS - pd.Timestamp("1970-01-01")).total_seconds().to_numpy()
    low, middle, high = np.quantile(seconds, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(numbers[:6, 0], (seconds - middle) / (high - low), rtol=1e-6)
    parts = ("month", "day", "weekday", "hour", "minute")
    listed = [f"when {part} {wave}" for part in parts for wave in ("sine", "cosine")]
    assert names(encode)["numbers"] == ["when", *listed]
    for row, moment in enumerate(MOMENTS):
        time = moment.hour * 3600 + moment.minute * 60 + moment.second
        shares = [
            (moment.month - 1 + (moment.day - 1) / 31) / 12, (moment.day - 1) / 31,
            moment.weekday() / 7, time / 86400, time % 3600 / 3600,
        ]  # fmt: skip
        expected = np.concatenate([turn(share) for share in shares])
        np.testing.assert_allclose(numbers[row, 1:], expected, atol=1e-3)
    assert not numbers[6].any() and found["missing"][:, 0].tolist() == [0] * 6 + [1]


def test_days_alone_have_no_hours_and_what_is_no_date_is_missing():
    days = pd.date_range("2011-01-25", periods=30).strftime("%d/%m/%y")
    schema, encode, _ = fitted({"day": days})
    assert schema.features[0].style == "dmy"
    assert not any("hour" in name for name in names(encode)["numbers"])
    texts = ["31/02/11", "13/13/11", "nonsense", "", "01/03/11 ", "1/3/2011"]
    later = encoded(encode, schema, {"day": texts})["numbers"]
    assert not later[:4].any() and later[4].any()
    np.testing.assert_array_equal(later[4], later[5])
    times = encoded(encode, schema, {"day": pd.to_datetime(["2011-03-01"])})["numbers"]
    np.testing.assert_array_equal(times[0], later[4])


def test_days_that_may_be_months_are_not_guessed():
    texts = ["01/02/2020", "03/04/2020", "05/06/2020"] * 3
    schema = Schema.infer({"day": texts}, kinds={})
    assert schema.features[0].kind == "category"
    assert "day and month cannot be told apart" in schema.features[0].reason
    chosen = schema.replace(day="date")
    assert (chosen.features[0].kind, chosen.features[0].style) == ("date", "mdy")


# Text -------------------------------------------------------------------------------------------


def test_text_becomes_hashed_words_shapes_and_parts():
    rows = [f"Number {k} of the GREAT plan, größer!" for k in range(19)] + [None]
    schema, _, found = fitted({"note": rows})
    assert schema.features[0].kind == "text"
    tokens = found["tokens"]
    assert tokens.dtype == "int32" and tokens.shape[:2] == (20, 1) and not tokens[19].any()

    def bucket(token):
        return int(tf.strings.to_hash_bucket_fast(token, 1 << 15)) + 1

    words = ["number", "3", "of", "the", "great", "plan", ",", "größer", "!"]
    shapes = ["Aa", "0", "a", "a", "A", "a,", "a!"]
    whole = " number 3 of the great plan größer "
    parts = [whole[k : k + 3] for k in range(len(whole) - 2)]
    kinds = zip("wsc", (words, shapes, parts), strict=True)
    expected = [bucket(f"{mark}{token}") for mark, kind in kinds for token in kind]
    assert tokens[3, 0].tolist()[: len(expected)] == expected[: tokens.shape[2]]
    assert tokens.shape[2] >= len(expected)


def test_odd_text_has_tokens_too():
    texts = [b"caf\xe9 \xff", "日本 ok", "", "\u00a0 \t", "😀" * 200]
    ids = token_ids(tf.constant(texts), 8).numpy()
    assert ids.shape == (5, 8) and ids.max() <= 1 << 15
    assert (ids > 0).any(axis=1).tolist() == [True, True, False, False, True]
    assert token_ids(tf.constant([], tf.string), 8).shape == (0, 8)


# Tables -----------------------------------------------------------------------------------------

FRAME = pd.DataFrame({
    "n": [1.5, None, 3.0, 2.5], "t": ["a", "b", None, "a"], "b": [True, False, None, True],
    "d": pd.to_datetime(["2020-01-01 10:00", None, "2021-06-01 11:00", "2020-03-04 12:30"]),
    "i": pd.array([1, 2, None, 2**53 + 1], "Int64"),
})  # fmt: skip


@pytest.mark.parametrize(
    "convert",
    [
        lambda frame: frame.convert_dtypes(),
        lambda frame: frame.astype({"t": "category", "b": "boolean"}),
        lambda frame: pl.from_arrow(pa.Table.from_pandas(frame)),
        lambda frame: pa.Table.from_pandas(frame),
        lambda frame: {n: frame[n].tolist() for n in frame},
        lambda frame: frame.to_dict("records"),
        lambda frame: frame[list("idbtn")],
    ],
    ids=["nullable", "category", "polars", "arrow", "dict of lists", "rows", "reordered"],
)
def test_tables_of_every_make_are_read_alike(convert):
    schema, encode, expected = fitted(FRAME)
    found = encoded(encode, schema, convert(FRAME))
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    other = Schema.infer(convert(FRAME), kinds={})
    kinds = {f.name: (f.kind, f.dtype) for f in schema.features}
    assert {f.name: (f.kind, f.dtype) for f in other.features} == kinds


def test_1000_columns():
    table = np.random.default_rng(0).normal(size=(50, 1000))
    table[0, ::2] = np.nan
    schema, _, found = fitted(table)
    assert found["numbers"].shape == (50, 1000) and found["missing"].shape == (50, 500)
    assert schema.names[999] == "x999"


def test_what_was_read_is_read_again_as_it_is():
    schema = Schema.infer(FRAME, kinds={})
    once = schema.read(FRAME)
    for name, array in schema.read(once).items():
        np.testing.assert_array_equal(array, once[name])


VALUES = st.one_of(
    st.none(), st.floats(-1e6, 1e6), st.integers(-5, 5), st.sampled_from(["a", "b", "?", " ", "7"])
)


@hypothesis.settings(max_examples=40, deadline=None, database=None, derandomize=True)
@hypothesis.given(
    st.lists(VALUES, min_size=2, max_size=8), st.lists(VALUES, min_size=1, max_size=4)
)
def test_any_column_is_finite_and_missing_ones_say_so(first, later):
    table = {"x": first + first, "rest": np.arange(2 * len(first)) + 0.5}
    schema, encode, found = fitted(table)
    for array in found.values():
        assert np.isfinite(array).all()
    try:
        read = encoded(encode, schema, {"x": later, "rest": np.zeros(len(later))})
    except ValueError as error:
        assert "'x' must be" in str(error) and "\n" not in str(error)
        return
    for array in read.values():
        assert np.isfinite(array).all()
    for place, value in enumerate(later):
        if value is None and "categories" in read:
            assert read["categories"][place, 0] == MISSING


def test_days_as_numbers_are_the_dates_that_they_stand_for():
    days = np.array([20141013, 20141101, 19690228, 20200229, 20000101])
    times = pd.to_datetime(days.astype(str)).to_numpy()
    rest = np.arange(5) / 2
    _, encode, found = fitted({"x": days, "rest": rest})
    _, _, expected = fitted({"x": times, "rest": rest})
    np.testing.assert_array_equal(found["numbers"], expected["numbers"])
    wrong = {"x": tf.constant([[20140230.0], [np.nan], [1e300]], "float64")}
    wrong["rest"] = tf.zeros((3, 1), "float64")
    assert np.isfinite(encode(wrong)["numbers"]).all()


def test_it_is_saved_and_loaded(tmp_path, python):
    schema, encode, expected = fitted(FRAME)
    encode.save(tmp_path / "encode.keras")
    columns = {k: a.astype("S") if a.dtype == object else a for k, a in schema.read(FRAME).items()}
    np.savez(tmp_path / "columns.npz", **columns)
    np.savez(tmp_path / "expected.npz", **expected)
    code = """
import sys, keras, numpy as np, tensorflow as tf, adaptive_nets.data
encode = keras.saving.load_model(sys.argv[1])
found = encode({k: tf.constant(a) for k, a in np.load(sys.argv[2]).items()})
for name, array in np.load(sys.argv[3]).items():
    np.testing.assert_array_equal(found[name], array)
"""
    files = [tmp_path / name for name in ("encode.keras", "columns.npz", "expected.npz")]
    python.run("-c", code, *files)
    layer = encode.layers[-1]
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_other_schemas_and_empty_tables_are_refused():
    with pytest.raises(ValueError, match="schema must be one of a table"):
        fit_encoding(Schema.infer(np.ones((3, 2))), np.ones((3, 2)))
    schema = Schema.infer(FRAME, kinds={})
    with pytest.raises(ValueError, match="The table is empty"):
        fit_encoding(schema, FRAME.iloc[:0])
    assert isinstance(fit_encoding(schema, FRAME), keras.Model)
    assert an.data.encoding.fit_encoding is fit_encoding
