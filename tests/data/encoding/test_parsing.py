"""A text is the same number, date or missing value in the graph of a model as in Python."""

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from adaptive_nets.data.columns import date_text, number_text
from adaptive_nets.data.encoding import dates
from adaptive_nets.data.encoding.number_text import parse_numbers

SETTINGS = {
    "max_examples": 12, "deadline": None, "database": None, "derandomize": True,
    "phases": (hypothesis.Phase.explicit, hypothesis.Phase.generate),
}  # fmt: skip
DIGITS = st.text("0123456789", min_size=1, max_size=4)
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(str),
    st.integers(-(10**12), 10**12).map("{:,}".format),
    st.floats(-1e6, 1e6).map("{:,.2f}".format),
    st.builds("{}.{},{}".format, DIGITS, DIGITS, DIGITS),
    st.text("0123456789.,:+-\u2212()eE$% €\u00a0'", max_size=8),
    st.integers(-(10**9), 10**9).map(lambda k: f"{k:,} kr".replace(",", "\u202f")),
    st.sampled_from(
        [
            "",
            " ",
            "NaN",
            "inf",
            "-",
            "?",
            "1_000",
            "0x10",
            "１２",
            "$ 5",
            "5 %",
            "\n7",
            "(1,234.5)",
            "-$5",
            "$-5",
            "EUR 5",
            "5 USD",
            "1:05",
            "-0:00:05.25",
            "12:61",
            "0,125",
            "12,34,567",
            "5 kg",
            "(5)kg",
            "-1 days +23:55:00",
            "1 day, 2:03:04.5",
            "12:05 a.m.",
            "1:05:06PM",
            "$(5)",
        ]
    ),
)
PART = st.integers(0, 32)
DATES = st.one_of(
    st.datetimes().map(str),
    st.datetimes().map(lambda d: f"{d.year:04d}{d:%m%dT%H%M%S}"),
    st.datetimes().map(lambda d: f"{d:%d.%m.}{d.year:04d}"),
    st.datetimes().map(lambda d: f"{d:%m/%d/%y %I:%M %p}"),
    st.builds("{:04d}-{}-{} {}:{:02d}".format, st.integers(0, 9999), PART, PART, PART, PART),
    st.builds("{}/{}/{}".format, PART, PART, PART),
    st.sampled_from(["2001-11", "11/2001", "Nov. 2001", "2001-13", "0000-00-00", "20011103"]),
    st.datetimes().map(lambda d: f"{d:%a, %d %b} {d.year:04d} {d:%H:%M:%S} GMT"),
    st.datetimes().map(lambda d: f"{d:%B} {d.day}th, {d.year:04d}, {d:%I:%M %p}"),
    st.sampled_from(["1-Jan-99", "Sept. 3, 2001", "May 5 2020", "mayor 5 2020", "5 Marchs 2020"]),
    st.builds("2020-01-0{}T10:00:0{}.5{}".format, st.integers(0, 9), st.integers(0, 9),
              st.sampled_from(["Z", "+01", "-0830", "+05:30", " UTC", " pm"])),
    st.text("0123456789-/.: TZ+", max_size=12),
)  # fmt: skip


@hypothesis.settings(**SETTINGS)
@hypothesis.given(st.lists(NUMBERS, min_size=40, max_size=80))
def test_numbers(texts):
    array = np.array(texts, dtype=object)
    for style in [*number_text.STYLES, "1,234.5 kg", "1234.5 +", "1,234.5 %"]:
        expected, absent, bad = number_text.parse_numbers(array, style)
        assert (np.isnan(expected) == (absent | bad)).all()
        np.testing.assert_array_equal(parse_numbers(tf.constant(texts), style), expected)


@hypothesis.settings(**SETTINGS)
@hypothesis.given(st.lists(DATES, min_size=40, max_size=80))
def test_dates(texts):
    array = np.array(texts, dtype=object)
    for style in date_text.PATTERNS:
        times, absent, bad = date_text.parse_dates(array, style)
        assert (np.isnat(times) == (absent | bad)).all()
        expected = np.where(np.isnat(times), np.nan, times.astype("int64") / 1e6)
        found = dates.seconds_of_text(tf.constant(texts), style)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
        seconds = dates.seconds_of_times(tf.constant(times.astype("int64")))
        np.testing.assert_allclose(seconds, expected, rtol=0, atol=1e-4)
        # Earlier years are written with fewer digits.
        there = times[times >= np.datetime64("1000")]
        assert "d" in style or (there == there.astype("M8[M]")).all()
        again = date_text.parse_dates(date_text.write_dates(there, style), style)[0]
        np.testing.assert_array_equal(again, there)


@pytest.mark.parametrize("words", [number_text.MISSING_NUMBERS, number_text.MISSING_CATEGORIES])
def test_words_for_missing_values(words):
    texts = [w for word in words for w in (word, f" {word.upper()}\t", f"{word}x", f"x{word}")]
    expected = [text.strip().lower() in words for text in texts]
    pattern = number_text.missing_pattern(words)
    assert number_text.is_missing_word(np.array(texts, dtype=object), words).tolist() == expected
    assert tf.strings.regex_full_match(texts, pattern).numpy().tolist() == expected


def test_numbers_and_dates_as_they_are_written():
    for style, texts, expected in (
        ("1,234.5", ["0,125", "1,234", "12,34,567"], [np.nan, 1234, 1_234_567]),
        ("1.234,5", ["0,125", "1.234", "-1.234.567,5"], [0.125, 1234, -1_234_567.5]),
        ("1234.5 kg", ["5 kg", "-2.5kg", "5", "5 lb"], [5, -2.5, np.nan, np.nan]),
        ("1,234.5 +", ["10,000+", "0+"], [10_000, 0]),
        ("1,234.5 %", ["0 %", " 0.00", "0"], [0, 0, 0]),
        ("h:m:s", ["12:05 AM", "1:05 pm", "12:00 p.m."], [300, 47_100, 43_200]),
        ("h:m:s", ["0 days 00:05:00", "-1 days +23:55:00", "1 day, 2:03"], [300, -300, 93_780]),
    ):
        found, _, _ = number_text.parse_numbers(np.array(texts, dtype=object), style)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(parse_numbers(tf.constant(texts), style), expected)
        again = number_text.write_numbers(found[~np.isnan(found)], style)
        np.testing.assert_array_equal(
            number_text.parse_numbers(again, style)[0], found[~np.isnan(found)]
        )
    for style, text in (
        ("ym", "2001-11"),
        ("my", "11/2001"),
        ("by", "Nov 2001"),
        ("ymd", "20011101"),
    ):
        times, _, _ = date_text.parse_dates(np.array([text, "2001-1101"], dtype=object), style)
        assert times[0] == np.datetime64("2001-11-01") and np.isnat(times[1])
