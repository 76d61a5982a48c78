"""Columns that come in another way than the training data: read exactly, or refused by name."""

import datetime
import warnings

import numpy as np
import pandas as pd
import pytest

from adaptive_nets.data import Schema
from adaptive_nets.data.columns.number_text import parse_numbers

ROWS = 60
K = np.arange(ROWS)
LARGE = 2**53 + 1 + 3 * K
DAYS = pd.to_datetime("1960-03-01") + pd.to_timedelta(K * 97, "D")
TABLE = pd.DataFrame(
    {
        "large": LARGE,
        "flag": K % 2 == 0,
        "elapsed": pd.to_timedelta(K * 3601.5, "s"),
        "clock": [datetime.time(k % 24, k) for k in K],
        "price": [f"${k + 0.5:,.2f}" for k in K * 997],
        "when": [f"{day:%d.%m.%Y}" for day in DAYS],
        "town": [["Oslo", "Bonn", "1"][k % 3] for k in K],
        "number": K / 8,
        "day": DAYS,
    }
)
SCHEMA = Schema.infer(TABLE, kinds={})
PLAIN = SCHEMA.read(TABLE)

# What is the same column, written otherwise.
SAME = [
    ("large", LARGE.astype(str)),
    ("large", [f"{k}.0" for k in LARGE]),
    ("large", [f" +{k}" for k in LARGE]),
    ("large", LARGE.astype("uint64")),
    ("large", pd.array(LARGE, "Int64")),
    ("flag", (K % 2 == 0).astype(float)),
    ("flag", np.where(K % 2 == 0, "TRUE", "false")),
    ("elapsed", K * 3601.5),
    ("elapsed", TABLE["elapsed"].astype(str)),
    ("elapsed", (K * 3601.5).astype(str)),
    ("elapsed", TABLE["elapsed"].astype("timedelta64[ms]")),
    ("elapsed", TABLE["elapsed"].dt.to_pytimedelta()),
    ("clock", [f"{k % 24:02d}:{k:02d}:00" for k in K]),
    ("price", K * 997 + 0.5),
    ("when", DAYS),
    ("town", pd.Categorical(TABLE["town"], ["1", "Bonn", "none", "Oslo"])),
    ("number", (K / 8).astype(str)),
    ("day", DAYS.date),
    ("day", DAYS.tz_localize("UTC").tz_convert("Asia/Tokyo")),
    ("day", DAYS.astype("datetime64[s]")),
    ("day", DAYS.astype(str)),
]


@pytest.mark.parametrize(("name", "values"), SAME, ids=[f"{n}{k}" for k, (n, _) in enumerate(SAME)])
def test_a_column_that_is_written_otherwise_is_the_same_column(name, values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = SCHEMA.read(TABLE.assign(**{name: values}))
    if name == "price":
        # Text of another form, but of the same numbers.
        assert found["price"][0].item() == "0.5"
    elif name == "when":
        assert found["when"][0].item().startswith("01/03/1960")
    else:
        np.testing.assert_array_equal(found[name], PLAIN[name])


# What is not such a column.
OTHER = [
    ("large", ["1e300"], "must be int64, .* Received: '1e300', first in row 0"),
    ("large", ["9007199254740993.5"], "must be int64, .* Received: '9007199254740993.5'"),
    ("large", [2**64], "must be int64, .* Received: '18446744073709551616'"),
    ("flag", [2], "'flag' must be true, false, 1 or 0, .* Received: 2, first in row 0"),
    ("flag", [1, 0.5], "Received: 0.5, first in row 1"),
    ("flag", ["yes"], "must be booleans"),
    ("flag", DAYS[:1], "'flag' must be booleans, .* Received: dates"),
    ("flag", pd.to_timedelta([1], "s"), "must be booleans, .* Received: durations"),
    ("number", pd.to_timedelta([1], "s"), "must be numbers, .* Received: durations"),
    ("number", [datetime.time(1)], "must be numbers, .* Received: durations or times of day"),
    ("price", pd.to_timedelta([1], "s"), "must be numbers, .* Received: durations"),
    ("town", pd.to_timedelta([1], "s"), "must be text, .* Received: durations"),
    ("town", DAYS[:1], "'town' must be text, as in the training data. Received: dates"),
    ("day", pd.to_timedelta([1], "s"), "must be dates, .* Received: durations"),
    ("elapsed", ["soon"], "must be numbers"),
    ("elapsed", DAYS[:1], "must be numbers, .* Received: dates"),
    ("price", ["125,73", "4,5", "$1"], "no numbers as in the training data [(]1,234.5[)]. Write"),
    ("price", ["much", "more"], "Write them in the same way. Received: 'much', first in row 0"),
    ("when", [f"{day:%m/%d/%Y}" for day in DAYS], "no dates as in the training data [(]dmy[)]"),
]


@pytest.mark.parametrize(
    ("name", "values", "message"), OTHER, ids=[f"{n}{k}" for k, (n, *_) in enumerate(OTHER)]
)
def test_a_column_of_another_kind_is_refused_by_name(name, values, message):
    with pytest.raises(ValueError, match=message) as raised:
        SCHEMA.read(TABLE[: len(values)].assign(**{name: values}))
    assert name in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("values", [["much"], ["$1", "$2", "$3", "much"], ["much"] * 9])
def test_a_word_among_numbers_is_missing_and_said(values):
    with pytest.warns(UserWarning, match="read as missing. Received: 'much', first in row"):
        found = SCHEMA.read(TABLE[: len(values)].assign(price=values))
    assert found["price"][:, 0].tolist() == values


def test_words_that_were_there_in_training_are_no_error():
    given = [f"word{k}" if k % 3 else str(k) for k in K]
    schema = Schema.infer(pd.DataFrame({"a": given}), kinds={"a": "number"})
    assert schema.features[0].missing_share == pytest.approx(2 / 3)
    with pytest.warns(UserWarning, match="read as missing"):
        schema.read(pd.DataFrame({"a": given}))


def test_values_that_are_all_missing_are_of_every_kind():
    for nothing in (
        [None] * 2,
        [np.nan] * 2,
        pd.to_timedelta([None] * 2),
        pd.to_datetime([None] * 2),
    ):
        found = SCHEMA.read(pd.DataFrame(dict.fromkeys(TABLE, nothing)))
        for feature in SCHEMA.features:
            values = found[feature.key][:, 0]
            expected = [feature.missing_value] * 2
            np.testing.assert_array_equal(values, np.array(expected, values.dtype))


def test_seconds_are_known_as_such_after_json():
    again = Schema.from_json(SCHEMA.to_json())
    assert again == SCHEMA
    styles = {f.name: f.style for f in again.features if f.dtype == "float64"}
    assert styles["elapsed"] == styles["clock"] == "h:m:s" and styles["number"] is None


# Percentages ------------------------------------------------------------------------------------

RATES = pd.DataFrame({"rate": [f"{k / 4:g}%" if k else "0" for k in K], "rest": K / 8})
RATE = Schema.infer(RATES, kinds={})


def test_percentages_are_read_with_their_signs_alone():
    assert RATE.features[0].style == "1234.5 %"
    read = RATE.read(RATES.assign(rate=[f" {k / 4} %" for k in K]))
    expected = parse_numbers(RATE.read(RATES)["rate"][:, 0], "1234.5 %")[0]
    np.testing.assert_allclose(expected, K / 400)
    np.testing.assert_array_equal(parse_numbers(read["rate"][:, 0], "1234.5 %")[0], expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RATE.read(RATES.assign(rate=0.0))
        RATE.read(RATES.assign(rate=None))


def test_numbers_without_the_sign_of_percentages_are_refused():
    with pytest.raises(ValueError, match=r"'rate' was written with percent signs .*: 0\.25, .*w 1"):
        RATE.read(RATES.assign(rate=K / 4))
    with pytest.raises(ValueError, match=r"'rate' has values that are no numbers .*'0\.25'"):
        RATE.read(RATES.assign(rate=[f"{k / 4}" for k in K]))
    with pytest.warns(UserWarning, match=r"are read as missing\. Received: '13', first in row 0"):
        RATE.read(RATES[:1].assign(rate="13"))


def test_percentages_among_numbers_without_signs_are_refused():
    plain = Schema.infer(RATES.assign(rate=K / 4), kinds={})
    with pytest.raises(ValueError, match=r"'rate' must be numbers, .*'0\.25%', first in row 1"):
        plain.read(RATES)


def test_percentages_among_other_numbers_are_warned_of():
    mixed = pd.DataFrame({"rate": ["0", "3%", "4.5"] * 20, "rest": K / 8})
    with pytest.warns(UserWarning, match=r"'rate' .* '3%' is read as 0\.03, and '4\.5' as 4\.5"):
        Schema.infer(mixed, kinds={})
