"""What columns are taken for: by rules, with a reason, and as the caller says."""

import datetime
import json
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from adaptive_nets.data import Schema

ROWS = 60
NUMBER = np.arange(ROWS)
WORDS = np.array([f"word{k}" for k in NUMBER])
DRAW = np.random.default_rng(0)

# Values of a column, and its kind, dtype, whether it is also a code, and a part of the reason.
COLUMNS = {
    "fractions": (NUMBER / 8, "number", "float64", False, "fractions"),
    "whole": (NUMBER**2 % 997, "number", "float64", True, "may be codes"),
    "many whole": (np.repeat(NUMBER, 5) * 7, "number", "float64", True, "60 values"),
    "two": (NUMBER % 2, "number", "float64", False, "whole numbers"),
    "whole with holes": (np.where(NUMBER % 9, NUMBER % 5, np.nan), "number", "float64", True, ""),
    "flag": (NUMBER % 2 == 0, "boolean", "float64", False, "true or false"),
    "flag with holes": ([True, None, False] * 20, "boolean", "float64", False, "true or false"),
    "yes": (["yes", "no", "no"] * 20, "category", "string", False, "two values"),
    "true": (["true", "false", None] * 20, "category", "string", False, "two values"),
    "digits and words": (["2", "3", "4", "5more"] * 15, "category", "string", False, ""),
    "amount": ([*map(str, NUMBER[:-1] / 4), " "], "number", "string", False, "' ' read as missing"),
    "tokens": (["1", "NA", "2", "null", "3", "-"] * 10, "number", "string", True, "'NA'"),
    "postcode": ([f"0{k % 7}150" for k in NUMBER], "category", "string", False, ""),
    "row": (NUMBER + 100, "ignore", "float64", False, "one more than the last"),
    "userId": (NUMBER * 17, "ignore", "float64", False, "its name says so"),
    "store_id": (NUMBER % 12, "category", "float64", False, "stand for things"),
    "grid": (NUMBER % 12, "number", "float64", True, ""),
    "Unnamed: 0": (DRAW.permutation(ROWS) * 2, "ignore", "float64", False, "an id"),
    "hash": (WORDS, "ignore", "string", False, "one word, and there once"),
    "constant": ([7] * ROWS, "ignore", "float64", False, "the same"),
    "constant word": (["x"] * ROWS, "ignore", "string", False, "the same"),
    "nothing": ([None] * ROWS, "ignore", "float64", False, "every value is missing"),
    "blank": ([" "] * ROWS, "ignore", "string", False, "every value is missing"),
    "half": ([*WORDS[:5], *[None] * (ROWS - 5)], "category", "string", False, ""),
    "day": (pd.date_range("1960-01-01", periods=ROWS), "date", "int64", False, "dates"),
    "iso": ([f"2020-01-{k % 28 + 1:02d}" for k in NUMBER], "date", "string", False, "year, month"),
    "stamp": ([f"20140{k % 9 + 1}13T000000" for k in NUMBER], "date", "string", False, "year"),
    "days": (
        20140000 + 100 * (NUMBER % 12 + 1) + NUMBER % 28 + 1,
        "date",
        "float64",
        False,
        "days",
    ),
    "days as text": ([f"2014{k % 12 + 1:02d}13" for k in NUMBER], "date", "string", False, "year"),
    "no days": (20140100 + NUMBER % 40, "number", "float64", True, "may be codes"),
    "euro": ([f"{k % 28 + 1}.3.99" for k in NUMBER], "date", "string", False, "day, month, year"),
    "american": ([f"3/{k % 28 + 1}/1999" for k in NUMBER], "date", "string", False, "month, day"),
    "named": ([f"{k % 28 + 1}-Mar-99" for k in NUMBER], "date", "string", False, "month by name"),
    "either": ([f"3/{k % 12 + 1}/1999" for k in NUMBER], "category", "string", False, "told apart"),
    "note": ([f"this is note {k}" for k in NUMBER], "text", "string", False, "4.0 words"),
    "phrase": (["a short phrase", "another short one"] * 30, "category", "string", False, ""),
    "owed": ([f"({k}.50)" for k in NUMBER], "number", "string", False, "numbers as text"),
    "clock": ([f"{k % 24}:{k:02d}" for k in NUMBER], "number", "string", True, "numbers as text"),
    "money": (["$5", "€6", "$7", "£8"] * 15, "category", "string", False, ""),
    "of day": ([datetime.time(k % 24, 30) for k in NUMBER], "number", "float64", True, ""),
    "months": (pd.period_range("1960-01", periods=ROWS, freq="M"), "date", "int64", False, ""),
    "thirds": ([Fraction(k, 3) for k in NUMBER], "number", "float64", False, "fractions"),
    "binned": (pd.cut(NUMBER, 3).astype(object), "category", "string", False, ""),
    "huge": ([None, *(2**53 + 1 + 3 * NUMBER[1:]).tolist()], "number", "int64", True, ""),
    "weight": ([f"{k / 4} kg" for k in NUMBER], "number", "string", False, "written as 1234.5 kg"),
    "rate": ([f"{k / 4}%" for k in NUMBER], "number", "string", False, "written as 1234.5 %"),
    "installs": ([f"{10 ** (k % 5):,}+" for k in NUMBER], "number", "string", True, "1,234.5 +"),
    "two units": (
        [f"{k} km" if k % 2 else f"{k} mi" for k in NUMBER],
        "category",
        "string",
        False,
        "",
    ),
    "part": ([f"0{k % 7}15kg" for k in NUMBER], "category", "string", False, ""),
    "points": (
        [f"{k * 371 + 5:,}".replace(",", ".") for k in NUMBER],
        "number",
        "string",
        True,
        "1.234,5",
    ),
    "three digits": ([f"{k / 8:.3f}" for k in NUMBER], "number", "string", False, ""),
    "three after a comma": (
        [f"{k / 8:.3f}".replace(".", ",") for k in NUMBER],
        "number",
        "string",
        False,
        "1.234,5",
    ),
    "one odd": ([*map(str, NUMBER[1:] / 4), "n.d."], "number", "string", False, "'n.d.' read as"),
    "of Excel": (
        ["#DIV/0!", "#REF!", *map(str, NUMBER[2:] / 4)],
        "number",
        "string",
        False,
        "#DIV",
    ),
    "morning": ([f"{k % 12 + 1}:{k:02d} AM" for k in NUMBER], "number", "string", True, ""),
    "elapsed": ([f"{k % 3} days 00:{k % 60:02d}:00" for k in NUMBER], "number", "string", True, ""),
    "month": (
        [f"{2000 + k // 12}-{k % 12 + 1:02d}" for k in NUMBER],
        "date",
        "string",
        False,
        "year, month",
    ),
    "late months": ([f"2001-1{k % 3}" for k in NUMBER], "date", "string", False, "year, month"),
    "month of": (
        [f"{k % 12 + 1:02d}/{2000 + k // 12}" for k in NUMBER],
        "date",
        "string",
        False,
        "month, year",
    ),
    "no date": (
        ["0000-00-00", *[f"2020-01-{k % 28 + 1:02d}" for k in NUMBER[1:]]],
        "date",
        "string",
        False,
        "'0000-00-00' read",
    ),
    "one odd date": (
        ["soon", *[f"2020-01-{k % 28 + 1:02d}" for k in NUMBER[1:]]],
        "date",
        "string",
        False,
        "'soon' read",
    ),
    "either, once": (
        [f"{k % 12 + 1:02d}/{k // 12 + 1:02d}/2020" for k in NUMBER],
        "category",
        "string",
        False,
        "told apart",
    ),
    "beyond": ([str(2**64 + int(k) ** 2 % 7) for k in NUMBER], "category", "string", False, ""),
    "span": (NUMBER * np.timedelta64(1500, "ms"), "number", "float64", False, "fractions"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_taken_for_what_it_is(name):
    values, kind, dtype, code, reason = COLUMNS[name]
    fill = np.arange(len(values)) / 8
    schema = Schema.infer({name: values, "fill": fill}, kinds={})
    (feature,) = [f for f in (*schema.features, *schema.ignored) if f.name == name]
    assert (feature.kind, feature.dtype, feature.code) == (kind, dtype, code), feature.reason
    assert reason in feature.reason
    assert (feature in schema.ignored) == (kind == "ignore")


@pytest.mark.parametrize("value", [-999, 9999])
def test_a_number_that_may_stand_for_a_missing_one_is_said(value):
    with pytest.warns(UserWarning, match=f"'a' has {value} in 12 rows, .* replace it by NaN"):
        schema = Schema.infer({"a": np.where(NUMBER % 5, NUMBER / 8, value)}, kinds={})
    assert "far from all others" in schema.features[0].reason
    near = {"a": np.where(NUMBER % 5, NUMBER * 50, 999)}
    assert Schema.infer(near, kinds={}).features[0].reason.endswith("may be codes")


def test_a_kind_that_is_chosen_is_read_as_most_values_are_written():
    texts = np.array([*[f"{k % 12 + 1}/{k % 7 + 1}/2020" for k in NUMBER], "x", "y"], dtype=object)
    amounts = np.array([*[f"1,{k:03d}.50" for k in NUMBER], "x", "y"], dtype=object)
    kinds = {"when": "date", "paid": "number"}
    schema = Schema.infer({"when": texts, "paid": amounts}, kinds=kinds)
    assert [f.style for f in schema.features] == ["mdy", "1,234.5"]
    either = Schema.infer({"when": texts[:-2], "x": NUMBER / 8}, kinds={})
    assert either.features[0].kind == "category"
    assert (
        either.replace(when="date").read({"when": ["3/4/2020"], "x": [1.0]})["when"] == "3/4/2020"
    )
    assert either.replace(when="date").features[0].style == "mdy"
    for kind in ("date", "number"):
        with pytest.raises(ValueError, match=f"'a' cannot be of kind '{kind}': no value is a"):
            Schema.infer({"a": ["x", "y"]}, kinds={"a": kind})


def test_a_column_with_a_value_now_and_then_is_kept_or_left_out_and_said():
    rare = np.full(2000, None, dtype=object)
    rare[:3] = "x"
    some = np.where(np.arange(2000) % 100, np.nan, np.arange(2000.0))
    schema = Schema.infer({"rare": rare, "some": some}, kinds={})
    assert schema.names == ["some"] and schema.features[0].missing_share == pytest.approx(0.99)
    assert schema.ignored[0].reason == "only 3 of 2,000 values are there"


def test_row_numbers_of_some_rows_of_a_table_are_left_out():
    kept = np.sort(DRAW.permutation(1000)[:800])
    schema = Schema.infer({"number": DRAW.permutation(kept), "x": kept / 8}, kinds={})
    assert schema.names == ["x"] and "row number" in schema.ignored[0].reason


@pytest.fixture
def table():
    return pd.DataFrame({
        "age": [31.5, None, 18.25, 40.0], "town": ["Oslo", "Rome", None, "Oslo"],
        "zip code": [150, 151, 150, 152], "same": [1, 1, 1, 1], "paid": ["y", "n", "y", "n"],
    })  # fmt: skip


def test_a_schema_prints_what_each_column_is_and_why(table):
    lines = str(Schema.infer(table, target="paid")).splitlines()
    assert lines[0].split() == ["name", "kind", "dtype", "missing", "distinct", "reason"]
    assert [" ".join(line.split()) for line in lines[1:]] == [
        "age number float64 25.0% 3 numbers with fractions",
        "town category string 25.0% 2 text of two values",
        "zip code number and code float64 no 3 whole numbers of 3 values, which may be codes",
        "same ignore float64 no 1 every value is the same",
    ]


def test_kinds_can_be_chosen_with_the_data_or_later(table):
    schema = Schema.infer(table, target="paid")
    later = schema.replace({"zip code": "category", "same": "number"}, town="ignore", age="text")
    kinds = {f.name: (f.kind, f.dtype) for f in (*later.features, *later.ignored)}
    assert kinds == {
        "age": ("text", "string"), "zip code": ("category", "float64"),
        "same": ("number", "float64"), "town": ("ignore", "string"),
    }  # fmt: skip
    assert later.names == ["age", "zip code", "same"] and later.target == "paid"
    chosen = {"zip code": "category", "same": "number", "town": "ignore", "age": "text"}
    at_once = Schema.infer(table, target="paid", kinds=chosen)
    assert [(f.name, f.kind, f.dtype) for f in at_once.features] == [
        (f.name, f.kind, f.dtype) for f in later.features
    ]
    assert at_once.features[0].reason == "as you have chosen"
    days = Schema.infer({"d": ["1/2/2020", "3/4/2020"], "x": [1.5, 2]}, kinds={"d": "text"})
    assert days.replace(d="category").features[0].style is None


def test_it_survives_json_and_old_json_is_read(table):
    schema = Schema.infer(table, target="paid", kinds={"town": "text"})
    assert Schema.from_json(schema.to_json()) == schema
    plain = Schema.infer(table[["age"]].fillna(0))
    fields = set(json.loads(plain.to_json())["features"][0])
    assert fields == {"name", "key", "kind", "dtype", "shape", "missing", "source"}
    assert Schema.from_json(plain.to_json()) == plain


def test_rows_are_read_by_name_and_what_was_left_out_may_be_there_or_not(table, recwarn):
    schema = Schema.infer(table, target="paid")
    found = schema.read(table)
    assert list(found) == ["age", "town", "zip_code"] and found["town"].tolist()[2] == [""]
    again = schema.read(table[["zip code", "town", "age"]])
    assert all((again[key] == found[key]).all() for key in ("town", "zip_code"))
    assert not recwarn.list
    with pytest.warns(UserWarning, match="not in the training data are ignored: more"):
        schema.read(table.assign(more=1))
    with pytest.raises(ValueError, match=r"missing: 'zip code' \(is it 'zip_kode'\?\)"):
        schema.read(table.rename(columns={"zip code": "zip_kode"}))
    assert {key: len(array) for key, array in schema.read(table.iloc[:0]).items()} == {
        "age": 0, "town": 0, "zip_code": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("age", ["a", "1", "2", "3"], "'age' must be numbers, .* Received: 'a', first in row 0"),
        ("age", [1, np.inf, 2, 3], "'age' must be finite. .* first in row 1"),
        ("age", pd.date_range("2020", periods=4), "'age' must be numbers, .* Received: dates"),
        ("age", [2**53 + 1, 1, 2, 3], "cannot hold every value .* 9007199254740993"),
        ("age", [[1], [2], [3], [4]], r"Received: \[1\] \(list\), first in row 0"),
        ("day", [1.5, 2, 3, 4], "'day' must be dates, .* Received: numbers"),
        ("day", ["2020-01-01", "soon", "", "-"], "'day' must be dates, .* 'soon', first in row 1"),
    ],
)
def test_what_does_not_fit_is_refused_with_row_and_value(table, column, values, message):
    table = table.assign(day=pd.date_range("2019", periods=4))
    schema = Schema.infer(table, target="paid")
    with pytest.raises(ValueError, match=r"\A[^\n]*" + message + r"[^\n]*\Z"):
        schema.read(table.assign(**{column: pd.Series(values)}))


def test_other_dtypes_are_read_where_nothing_is_lost(table):
    table = table.assign(day=pd.date_range("2019", periods=4), flag=[True, False, True, False])
    schema = Schema.infer(table, target="paid")
    other = table.assign(
        age=["31.5", "?", " 18 ", "1e3"], town=[1, 2.0, None, "Oslo"],
        flag=["true", "False", "", 0], day=["2019-01-01", None, "2019-01-03T12:00", "n/a"],
    ).assign(**{"zip code": ["150", None, "1", "2"]})  # fmt: skip
    found = schema.read(other)
    np.testing.assert_array_equal(found["age"][:, 0], [31.5, np.nan, 18, 1000])
    assert found["town"][:, 0].tolist() == ["1", "2", "", "Oslo"]
    np.testing.assert_array_equal(found["flag"][:, 0], [1, 0, np.nan, 0])
    micros = np.array(["2019-01-01", "NaT", "2019-01-03T12:00", "NaT"], "M8[us]").astype("int64")
    np.testing.assert_array_equal(found["day"][:, 0], micros)


@pytest.mark.parametrize(
    ("learnt", "given", "message"),
    [
        (["1,5", "2,25", "7"], ["1.5", "2", "3"], "'x' .* no numbers .*1.234,5.* '1.5', .* row 0"),
        (["31.1.2020", "1.2.2020"], ["2020-01-01", ""], "'x' .* no dates .*'2020-01-01'"),
    ],
)
def test_text_in_another_style_is_read_as_missing_and_said(learnt, given, message):
    schema = Schema.infer({"x": learnt, "y": np.arange(len(learnt)) / 2}, kinds={})
    with pytest.warns(UserWarning, match=message):
        schema.read({"x": given, "y": np.zeros(len(given))})


@pytest.mark.parametrize(
    ("learnt", "given", "message"),
    [
        (["1,5", "2,25"], [1.0, np.inf], "'x' must be finite. Received: infinity, first in row 1"),
        (["1,5", "2,25"], pd.to_datetime(["2020-01-01"] * 2), "'x' must be numbers, .*: dates"),
        (["31.1.2020", "1.2.2020"], [1.5, 2.5], "'x' must be dates, .* Received: numbers"),
    ],
)
def test_what_is_no_text_must_be_numbers_or_dates_where_the_text_was(learnt, given, message):
    schema = Schema.infer({"x": learnt, "y": [0.5, 1.5]}, kinds={})
    with pytest.raises(ValueError, match=message):
        schema.read({"x": given, "y": [0.5, 1.5]})


def test_days_as_numbers_are_read_in_every_form_that_dates_have():
    days = [20141013, 20141101, 19690228, 20200229, 20000101]
    schema = Schema.infer({"x": days, "y": np.arange(5) / 2}, kinds={})
    times = pd.to_datetime([str(day) for day in days])
    for given in (days, np.array(days, "float64"), times, times.date, [str(d) for d in times],
                  [str(day) for day in days]):  # fmt: skip
        assert schema.read({"x": given, "y": np.zeros(5)})["x"][:, 0].tolist() == days
    assert np.isnan(schema.read({"x": [None], "y": [0.0]})["x"]).all()
    for wrong in (20140230, 20141301, 2014, times[:1] + pd.Timedelta("1h"), 20141013.5):
        with pytest.raises(ValueError, match="'x' must be days, as numbers such as 20141013 or"):
            schema.read({"x": [wrong] if np.ndim(wrong) == 0 else wrong, "y": [0.0]})


def test_names_that_differ_in_capital_letters_have_other_keys():
    # Signatures of a SavedModel have small letters alone.
    schema = Schema.infer({"Age": [1.5, 2], "age": [3.5, 4], "AGE": [5.5, 6]}, kinds={})
    assert [f.key for f in schema.features] == ["Age", "age_2", "AGE_3"]


def test_arrays_and_tables_without_names_are_read_in_order():
    x = np.array([[1.5, "a"], [2.5, "b"], [None, "a"]], dtype=object)
    schema = Schema.infer(x, kinds={})
    assert [(f.name, f.kind) for f in schema.features] == [
        ("x0", "number"), ("x1", "category"),
    ]  # fmt: skip
    assert schema.read(x.tolist())["x1"].tolist() == [["a"], ["b"], ["a"]]
    named = Schema.infer(pd.DataFrame(x, columns=["n", "c"]), kinds={})
    with pytest.warns(UserWarning, match="read in the order of the training data: n, c"):
        assert named.read(x)["c"].tolist() == [["a"], ["b"], ["a"]]
    with pytest.raises(ValueError, match="by name: n, c. Received: an array of 3 columns"):
        named.read(np.ones((2, 3)))


def test_names_that_are_empty_or_there_twice():
    with pytest.warns(UserWarning, match="Columns without a name are called column_1"):
        schema = Schema.infer(pd.DataFrame([[1.5, 2.5], [2.0, 3.5]], columns=["a", ""]), kinds={})
    assert schema.names == ["a", "column_1"]
    with pytest.raises(ValueError, match="a table with 'a' twice"):
        Schema.infer(pd.DataFrame([[1.5, 2.5]], columns=["a", "a"]), kinds={})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: Schema.infer(t, target="payed"), r"missing: 'payed' \(is it 'paid'\?\)"),
        (lambda t: Schema.infer(t, kinds={"twon": "text"}), r"missing: 'twon' \(is it 'town'\?\)"),
        (lambda t: Schema.infer(t, kinds={"town": "words"}), r"kinds\['town'\] must be one of"),
        (lambda t: Schema.infer(t[["same", "paid"]], target="paid"), "At least one column must be"),
        (lambda t: Schema.infer(t[["paid"]], target="paid"), "a column besides its target"),
        (lambda t: Schema.infer(t, target="paid").replace(town="words"), "town must be one of"),
        (lambda t: Schema.infer(t, kinds={}).replace(tonw="text"), r"is it 'town'\?"),
        (lambda t: Schema.infer(t[["age"]], kinds={}).replace(age="ignore"), "one column must be"),
    ],
)
def test_wrong_names_and_kinds_are_refused_in_a_line(table, call, message):
    with pytest.raises(ValueError, match=r"\A[^\n]*" + message + r"[^\n]*\Z"):
        call(table)
