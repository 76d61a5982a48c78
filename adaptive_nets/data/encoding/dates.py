"""Dates as seconds, parsed in the graph of a model, and the parts of them that repeat."""

import math

import tensorflow as tf

from adaptive_nets.data.columns.date_text import (
    COMPACT,
    MONTHS,
    PATTERNS,
    PIVOT,
    SPREAD,
    order_of,
)
from adaptive_nets.data.columns.values import MISSING_INTEGER

DAY = 86_400
# Parts that repeat, by name: each as its sine and cosine.
PARTS = ("month", "day", "weekday", "hour", "minute")
_NOTHING = "|".join(["0"] * 9)
# Behind what may be nothing, or have a sign, stands a 0.
_FIELDS = r"0\1|0\2|0\3|0\4|0\5|0\6|0.\7|\80|0\9"
_NAN = float("nan")


def seconds_of_times(times: tf.Tensor) -> tf.Tensor:
    """Returns float64 seconds since 1970 of int64 microseconds, of the same shape; or NaN.

    Args:
        times: Microseconds since 1970; the least int64 is a missing time.
    """
    second = tf.constant(1_000_000, "int64")
    whole = tf.cast(times // second, "float64") + tf.cast(times % second, "float64") / 1e6
    return tf.where(tf.equal(times, MISSING_INTEGER), tf.constant(_NAN, "float64"), whole)


def seconds_of_days(values: tf.Tensor) -> tf.Tensor:
    """Returns float64 seconds since 1970 of days such as 20141013, of the same shape; or NaN.

    Args:
        values: Numbers of a floating-point dtype; what is not such a day becomes NaN.
    """
    values = tf.cast(values, "float64")
    inside = (values >= 1000_01_01) & (values <= 9999_12_31)
    whole = tf.cast(tf.where(inside, values, tf.zeros_like(values)), "int64")
    month, day = whole // 100 % 100, whole % 100
    days = days_of(whole // 10_000, month, day)
    real = (month >= 1) & (month <= 12) & (day >= 1) & tf.equal(_civil(days)[2], day)
    real &= tf.equal(tf.cast(whole, "float64"), values)
    seconds = tf.cast(days, "float64") * DAY
    return tf.where(real, seconds, tf.constant(_NAN, "float64"))


def seconds_of_text(texts: tf.Tensor, style: str) -> tf.Tensor:
    """Returns float64 seconds since 1970 of strings, of the same shape; NaN where there is no date.

    Args:
        texts: Strings.
        style: The order of day, month and year, one of `data.columns.date_text.PATTERNS`.
    """
    if "b" in style:
        for pattern, number in MONTHS.items():
            texts = tf.strings.regex_replace(texts, pattern, number)
    if style == "ymd":
        texts = tf.strings.regex_replace(texts, COMPACT, SPREAD)
    fits = tf.strings.regex_full_match(texts, PATTERNS[style])
    fields = tf.strings.regex_replace(texts, PATTERNS[style], _FIELDS)
    fields = tf.reshape(tf.where(fits, fields, _NOTHING), [-1])
    split = tf.strings.split(fields, "|").flat_values
    parts = tf.reshape(tf.strings.to_number(split, "float64"), [-1, 9])
    date = {letter: tf.cast(parts[:, k], "int64") for k, letter in enumerate(order_of(style))}
    year, month, day = date["y"], date["m"], date["d"]
    if "d" not in style:
        day = tf.ones_like(day)
    if style != "ymd":
        century = tf.where(year >= PIVOT, tf.constant(1900, "int64"), tf.constant(2000, "int64"))
        year = tf.where(year < 100, year + century, year)
    hour, minute, second, fraction = (parts[:, k] for k in (3, 4, 5, 6))
    flat = tf.reshape(texts, [-1])
    afternoon = tf.strings.regex_full_match(flat, r"(?i).*p\.?m.*")
    halved = afternoon | tf.strings.regex_full_match(flat, r"(?i).*a\.?m.*")
    twelve = tf.constant(12, "float64")
    hour = tf.where(halved, hour % twelve + twelve * tf.cast(afternoon, "float64"), hour)
    # "+05" has become 50.
    west = tf.cast(tf.strings.regex_full_match(flat, r".*\d-\d\d:?(?:\d\d)?\s*$"), "float64")
    ahead = parts[:, 7] * 360 + parts[:, 8] * 60 * (1 - 2 * west)
    days = days_of(year, month, day)
    real = (month >= 1) & (month <= 12) & (day >= 1) & (hour < 24) & (minute < 60) & (second <= 60)
    real &= tf.equal(_civil(days)[2], day) & (year >= 1)
    time = hour * 3600 + minute * 60 + second + fraction - ahead
    found = tf.cast(days, "float64") * DAY + time
    good = tf.reshape(fits, [-1]) & real
    return tf.reshape(tf.where(good, found, tf.constant(_NAN, "float64")), tf.shape(texts))


def days_of(year: tf.Tensor, month: tf.Tensor, day: tf.Tensor) -> tf.Tensor:
    """Returns the days since 1970 of dates of the Gregorian calendar, as int64 like these."""
    # Years that begin in March end with the leap day.
    early = month <= 2
    year = year - _where(early, 1)
    passed = month - 3 + _where(early, 12)
    leaps = year // 4 - year // 100 + year // 400
    return year * 365 + leaps + (153 * passed + 2) // 5 + day - 1 - 719_468


def _civil(days):
    """Returns year, month and day of days since 1970."""
    days = days + 719_468
    era, rest = days // 146_097, days % 146_097
    year = (rest - rest // 1460 + rest // 36_524 - rest // 146_096) // 365
    rest = rest - (365 * year + year // 4 - year // 100)
    passed = (5 * rest + 2) // 153
    day = rest - (153 * passed + 2) // 5 + 1
    month = passed + 3 - _where(passed >= 10, 12)
    return year + era * 400 + _where(month <= 2, 1), month, day


def _where(condition, value):
    return tf.cast(condition, "int64") * value


def turns(seconds: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns how far each part that repeats has gone, from 0 to 1, by its name in `PARTS`.

    Args:
        seconds: float64 seconds since 1970, of any shape; NaN counts as 0.
    """
    seconds = tf.where(tf.math.is_nan(seconds), tf.zeros_like(seconds), seconds)
    days = tf.floor(seconds / DAY)
    rest = seconds - days * DAY
    whole = tf.cast(days, "int64")
    _, month, day = (tf.cast(part, "float64") for part in _civil(whole))
    # The first of January 1970 was a Thursday; weeks begin with Monday.
    weekday = tf.cast((whole + 3) % 7, "float64")
    return {
        "month": (month - 1 + (day - 1) / 31) / 12,
        "day": (day - 1) / 31,
        "weekday": weekday / 7,
        "hour": rest / DAY,
        "minute": (rest % 3600) / 3600,
    }


def waves(seconds: tf.Tensor, parts: list[tuple[int, str]]) -> tf.Tensor:
    """Returns float64 `[rows, 2 * parts]`: sines and cosines of parts that repeat; 0 where missing.

    Args:
        seconds: float64 `[rows, dates]` seconds since 1970.
        parts: Number of the date and name of the part, for each.
    """
    found = turns(seconds)
    angle = tf.stack([found[name][:, k] for k, name in parts], axis=1) * (2 * math.pi)
    there = ~tf.math.is_nan(tf.gather(seconds, [k for k, _ in parts], axis=1))
    both = tf.stack([tf.sin(angle), tf.cos(angle)], axis=2) * tf.cast(there, "float64")[:, :, None]
    return tf.reshape(both, [-1, 2 * len(parts)])
