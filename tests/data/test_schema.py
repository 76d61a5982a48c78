"""`Schema`: every kind of features is read by name and without loss, or refused by name."""

import json
import warnings

import hypothesis
import hypothesis.extra.numpy as arrays
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import strategies as st

import adaptive_nets as an
from adaptive_nets.data import Schema

NAMES = ["age", "hours per week", "größe"]
TABLE = np.array([[31, 40.5, 1.5], [52, 20.0, 1.75], [18, 0.25, 2.0]])
FRAME = pd.DataFrame(TABLE, columns=NAMES)

TABLES = {
    "pandas": lambda frame: frame,
    "nullable pandas": lambda frame: frame.convert_dtypes(),
    "polars": lambda frame: pl.from_dict({n: frame[n].to_list() for n in frame}),
    "arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "dict of arrays": lambda frame: {n: frame[n].to_numpy() for n in frame},
    "dict of columns [n, 1]": lambda frame: {n: frame[n].to_numpy()[:, None] for n in frame},
    "dict of lists": lambda frame: {n: frame[n].tolist() for n in frame},
    "dict of tensors": lambda frame: {n: tf.constant(frame[n].to_numpy()) for n in frame},
    "rows as dicts": lambda frame: frame.to_dict("records"),
}
ARRAYS = {
    "float64": lambda x: x,
    "float32": lambda x: x.astype("float32"),
    "float16": lambda x: x.astype("float16"),
    "lists": lambda x: x.tolist(),
    "objects": lambda x: x.astype(object),
    "matrix": np.matrix,
    "mask without masked": lambda x: np.ma.masked_array(x, np.zeros(x.shape, bool)),
    "tensor": tf.constant,
    "nameless table": pd.DataFrame,
}


@pytest.fixture(scope="module")
def columns():
    return Schema.infer(FRAME)


def refused(message):
    return pytest.raises(ValueError, match=r"\A[^\n]*" + message + r"[^\n]*\Z")


# Learning -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_of_numbers_keeps_names_order_and_values(kind):
    schema = Schema.infer(TABLES[kind](FRAME))
    assert schema.names == NAMES
    found = schema.read(TABLES[kind](FRAME))
    if isinstance(found, dict):
        assert list(found) == ["age", "hours_per_week", "grosse"]
        found = np.concatenate(list(found.values()), axis=1)
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, TABLE)


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (np.array([1, 2]), "int64"),
        (np.array([1, 2], "int8"), "int8"),
        (np.array([1, 2], "uint8"), "uint8"),
        (np.array([1, 2], "uint16"), "int32"),
        (np.array([1, 2], "uint32"), "int64"),
        (np.array([3_000_000_000]), "int64"),
        ([True, False], "bool"),
        ([1, 2.5], "float32"),
        (["a", "b"], "string"),
        ([b"a", b"b"], "string"),
    ],
)
def test_dtypes_are_those_of_the_data_whatever_its_values(given, dtype):
    (feature,) = Schema.infer(given).features
    assert (feature.dtype, feature.shape) == (dtype, ())
    assert Schema.infer(given).spec.shape == (1,)


def test_a_schema_is_a_table_and_survives_json(columns):
    text = str(columns)
    for word in (*NAMES, "hours_per_week", "float32", "number", "column (float64)"):
        assert word in text
    assert Schema.from_json(columns.to_json()) == columns
    assert json.loads(columns.to_json())["layout"] == "columns"
    assert columns.renamed == {"hours per week": "hours_per_week", "größe": "grosse"}


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (["a b", "a_b", "a-b"], ["a_b_2", "a_b", "a_b_3"]),
        (["self", "class", "3", "ß", "日"], ["self_", "class_", "feature_3", "ss", "feature"]),
        (["a/b", "_x", "inputs"], ["a_b", "x", "inputs"]),
        (["Age", "age", "age_2", "AGE"], ["Age", "age_3", "age_2", "AGE_4"]),
        (["self", "self_"], ["self__2", "self_"]),
    ],
)
def test_a_name_that_signatures_take_is_kept_and_others_get_keys_of_their_own(names, keys):
    schema = Schema.infer({name: [float(place)] for place, name in enumerate(names)})
    found = {feature.name: feature.key for feature in schema.features}
    assert found == dict(zip(names, keys, strict=True))
    # By either name, a value is that of the same feature.
    by_name = schema.read({name: [float(place)] for place, name in enumerate(names)})
    by_key = schema.read({found[name]: [float(place)] for place, name in enumerate(names)})
    np.testing.assert_array_equal(by_name, by_key)


def test_a_list_of_arrays_is_a_list_of_inputs_and_rows_are_rows():
    x = [np.ones((5, 2)), np.ones((5, 3))]
    schema = Schema.infer(x, rows=5)
    assert schema.names == ["input_1", "input_2"]
    assert {k: v.shape for k, v in schema.read(x).items()} == {"input_1": (5, 2), "input_2": (5, 3)}
    assert Schema.infer([np.ones(4), np.ones(4)], rows=2).spec.shape == (4,)
    with refused("may be rows or inputs"):
        Schema.infer([np.ones(2), np.ones(2)], rows=2)


# Reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("habit", ["as it was", "reordered", "extra", "one row", "integers"])
def test_columns_are_read_by_name(columns, kind, habit):
    frame = FRAME
    if habit == "reordered":
        frame = FRAME[NAMES[::-1]]
    elif habit == "extra":
        frame = FRAME.assign(more=["x", "y", "z"])[["more", *NAMES]]
    elif habit == "one row":
        frame = FRAME.iloc[:1]
    elif habit == "integers":
        frame = FRAME.round().astype("int64")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = columns.read(TABLES[kind](frame))
    np.testing.assert_array_equal(found, frame[NAMES].to_numpy("float64"))
    notes = [str(w.message) for w in seen if "ignored: more." in str(w.message)]
    assert len(notes) == (habit == "extra")


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize(
    ("habit", "message"),
    [
        ("renamed", r"missing: 'age' \(is it 'agee'\?\)"),
        ("missing", "missing: 'größe'. Received: age, hours per week"),
        ("NaN", "finite|mixed objects"),
        ("infinite", "'age' must be finite. Received: NaN or infinity, first in row 1"),
        ("text", "'größe' must be numbers"),
        ("large integer", "exactly. Received: 16777217 .int64., first in row 2"),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns, kind, habit, message):
    frame = {
        "renamed": lambda: FRAME.rename(columns={"age": "agee"}),
        "missing": lambda: FRAME[NAMES[:2]],
        "NaN": lambda: FRAME.assign(age=[1.0, np.nan, 2.0]),
        "infinite": lambda: FRAME.assign(age=[1.0, np.inf, 2.0]),
        "text": lambda: FRAME.assign(größe=["tall", "small", "?"]),
        "large integer": lambda: FRAME.assign(age=[1, 2, 16_777_217]),
    }[habit]()
    if habit == "large integer" and kind == "dict of tensors":
        frame = frame.astype({"age": "int64"})
    with refused(message):
        columns.read(TABLES[kind](frame))


@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.parametrize("rows", [3, 1, 0])
def test_arrays_are_read_as_they_are(kind, rows):
    schema = Schema.infer(TABLE)
    found = schema.read(ARRAYS[kind](TABLE[:rows]))
    assert found.dtype == "float32" and found.shape == (rows, 3)
    np.testing.assert_array_equal(found, TABLE[:rows])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (TABLE[:, :2], r"expects features float32\[3\]. Received: float32\[2\]"),
        ({"a": TABLE}, r"expects features float32\[3\]. Received: {a: float32\[3\]}"),
        (np.where(TABLE > 50, np.nan, TABLE), "NaN or infinity, first in row 1"),
        (TABLE * 1e300, "NaN or infinity, first in row 0"),
        (
            TABLE.astype(str),
            "must be numbers, as in the training data .float32.. Rec.* strings",
        ),
        (np.ma.masked_greater(TABLE, 50), "masked value, first in row 1"),
        (TABLE.astype(complex), "dtype complex128"),
        (None, "must be an array of rows. Received: NoneType"),
        ([[1, 2, 3], [4, 5]], "rows have one shape"),
        (tf.ragged.constant([[1.0], [2.0, 3.0]]), "Received: RaggedTensor"),
        (pd.DataFrame(TABLE[:, :2]), r"Received: float32\[2\]"),
        (np.zeros((3, 0)), r"at least one value per row. Received: an array of shape \(3, 0\)"),
        (np.array(["2020-01-01"], "M8[D]"), "Received: dtype datetime64"),
        ([], r"expects|array"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(given, message):
    if isinstance(given, list) and not given:
        assert Schema.infer(TABLE).read(given).shape == (0, 3)
        return
    with refused(message):
        Schema.infer(TABLE).read(given)


def test_columns_without_names_are_read_in_order_with_a_note(columns):
    with pytest.warns(UserWarning, match="no names, and are read in the order .*: age, hours"):
        np.testing.assert_array_equal(columns.read(TABLE), TABLE)
    with refused("by name: age, .* Received: an array of shape"):
        columns.read(TABLE[:, :2])


def test_missing_values_are_read_where_they_are_allowed(columns):
    import dataclasses

    features = tuple(dataclasses.replace(f, missing=True) for f in columns.features)
    schema = dataclasses.replace(columns, features=features)
    found = schema.read(FRAME.assign(age=[1.0, np.nan, 2.0]))
    assert np.isnan(found[1, 0]) and np.isfinite(found).sum() == 8
    with refused("must be finite"):
        schema.read(FRAME.assign(age=[1.0, np.inf, 2.0]))


@pytest.mark.parametrize(
    ("trained", "given", "expected"),
    [
        ("int64", [1.0, 2.0], [1, 2]),
        ("int64", [True, False], [1, 0]),
        ("int64", [2.9, 1.0], r"exactly. Received: 2.9 .float64., first in row 0"),
        ("int32", [1, 3_000_000_000], r"Received: 3000000000 .int64., first in row 1"),
        ("uint8", [0, -1], r"Received: -1 .int64., first in row 1"),
        ("int64", [1.0, np.nan], r"Received: nan .float64., first in row 1"),
        ("int64", [2.0**63, 1.0], r"Received: 9.22.*first in row 0"),
        ("bool", [0, 1], [False, True]),
        ("bool", [0, 2], r"Received: 2 .int64., first in row 1"),
        ("bool", [0.5, 1], r"Received: 0.5 .float64., first in row 0"),
        ("float32", [1, 16_777_216], [1, 16_777_216]),
        ("float32", [1, -16_777_217], r"Received: -16777217 .int64., first in row 1"),
        ("float32", [1, 2**40], [1, 2**40]),
        ("string", [1, 2], "must be strings, as in the training data .string.. Received: int64"),
    ],
)
def test_values_keep_or_are_refused_with_row_and_value(trained, given, expected):
    first = np.array(["a", "b"]) if trained == "string" else np.zeros(2, trained)
    schema = Schema.infer(first)
    if isinstance(expected, str):
        with refused(expected):
            schema.read(np.array(given))
    else:
        assert schema.read(np.array(given))[:, 0].tolist() == expected


NUMBERS = [*(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), "bool"]


@hypothesis.settings(max_examples=300, deadline=None, database=None, derandomize=True)
@hypothesis.given(st.data(), st.sampled_from([*NUMBERS, "float32"]), st.sampled_from(
    [*NUMBERS, "float32", "float64"]))  # fmt: skip
def test_reading_is_lossless_or_raises(data, trained, given):
    schema = Schema.infer(np.zeros(1, trained))
    values = data.draw(arrays.arrays(given, st.integers(1, 4)))
    try:
        found = schema.read(values)[:, 0]
    except ValueError as error:
        assert "\n" not in str(error) and "row" in str(error)
        return
    assert found.dtype == schema.features[0].dtype
    if given == "float64" and trained == "float32":
        np.testing.assert_array_equal(found, values.astype("float32"))
        return
    assert [int(v) if float(v).is_integer() else float(v) for v in found.tolist()] == [
        int(v) if float(v).is_integer() else float(v) for v in values.tolist()
    ]


def test_it_is_public():
    assert an.data.Schema is Schema
