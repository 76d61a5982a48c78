"""Numbers that are written as text, parsed in the graph of a model."""

import tensorflow as tf

from adaptive_nets.data.columns.number_text import (
    CLOCK,
    COMMA,
    HALF,
    NEGATIVE,
    PERCENT,
    WASTE,
    number_pattern,
    split_style,
    unit_pattern,
)


def parse_numbers(texts: tf.Tensor, style: str) -> tf.Tensor:
    """Returns float64 numbers of strings, of the same shape; what is not a number becomes NaN.

    Args:
        texts: Strings.
        style: How the numbers are written, one of `data.columns.number_text.STYLES`, or one with
            a unit.
    """
    fits = tf.strings.regex_full_match(texts, number_pattern(style))
    style, unit = split_style(style)
    if unit not in ("", PERCENT):
        texts = tf.strings.regex_replace(texts, unit_pattern(unit), "")
    found = tf.strings.regex_replace(tf.strings.regex_replace(texts, WASTE, ""), NEGATIVE, "-")
    if style == "1,234.5":
        found = tf.strings.regex_replace(found, ",", "")
    elif style in COMMA:
        found = tf.strings.regex_replace(tf.strings.regex_replace(found, r"\.", ""), ",", ".")
    if style == CLOCK:
        values = _seconds(tf.where(fits, found, "0:00"))
    else:
        values = tf.strings.to_number(tf.where(fits, found, "nan"), "float64")
    values = tf.where(tf.strings.regex_full_match(texts, ".*%.*"), values / 100, values)
    return tf.where(fits, values, tf.constant(float("nan"), "float64"))


def _seconds(clock):
    """Returns seconds of texts such as 1:30, 1:30PM, -0:00:05.5 and -1day,+23:55:00."""
    # Without days, what is taken for them is the hours.
    days = tf.strings.to_number(
        tf.strings.regex_replace(clock, r"^([+-]?\d+)(?:day|:).*$", r"\1"), "float64"
    )
    days = tf.where(tf.strings.regex_full_match(clock, ".*day.*"), days, tf.zeros_like(days))
    clock = tf.strings.regex_replace(clock, r"^.*days?,?\+?", "")
    halved = tf.strings.regex_full_match(clock, f".*{HALF}")
    afternoon = tf.strings.regex_full_match(clock, r".*[Pp]\.?[Mm]\.?")
    clock = tf.strings.regex_replace(clock, f"{HALF}$", "")
    fields = tf.strings.regex_replace(clock, r"^[+-]?(\d+):(\d+):?(.*)$", r"\1|\2|0\3")
    split = tf.strings.split(tf.reshape(fields, [-1]), "|").flat_values
    hours, minutes, seconds = tf.unstack(
        tf.reshape(tf.strings.to_number(split, "float64"), [-1, 3]), axis=1
    )
    hours = tf.reshape(hours, tf.shape(clock))
    twelve = tf.constant(12, "float64")
    hours = tf.where(halved, hours % twelve + twelve * tf.cast(afternoon, "float64"), hours)
    found = hours * 3600 + tf.reshape(minutes * 60 + seconds, tf.shape(clock))
    return days * 86_400 + tf.where(tf.strings.regex_full_match(clock, "-.*"), -found, found)
