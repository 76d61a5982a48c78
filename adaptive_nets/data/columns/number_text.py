"""Numbers that are written as text: what they look like, and what stands for a missing one."""

import re

import numpy as np

# In lower case, without blanks around it. Written in a column of numbers or dates, these say that
# a value is missing. Anything else that is no number is read as missing too, and said.
MISSING_NUMBERS = frozenset((
    "", "?", "-", "--", ".", "..", "*", "na", "n/a", "n.a.", "#n/a", "#na", "nan", "null", "nil",
    "none", "<na>", "nat", "missing", "unknown", "undefined",
))  # fmt: skip
# Among categories, words such as "none" and "unknown" are values like others.
MISSING_CATEGORIES = frozenset(("", "?", "na", "n/a", "#n/a", "nan", "null", "<na>"))

_SOME = 1000
# At most this share of different texts in a column of numbers may be neither numbers nor usual
# words for a missing one.
MOST_ODD = 0.01
# What may stand between a number and what is around it, or between its thousands.
_BLANK = "[\\s\u00a0\u2009\u202f]"
_GROUP = "[ '\u00a0\u2009\u2019\u202f]"
_MINUS = "\u2212"
# Each is a regular expression of RE2 and of Python, by the way in which 1234.5 is written; the
# last is a time of day or a duration, which becomes seconds.
STYLES = {
    "1234.5": r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?",
    "1,234.5": r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?",
    "1.234,5": r"(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d*)?",
    "1 234.5": rf"(?:\d{{1,3}}(?:{_GROUP}\d{{3}})+|\d+)(?:\.\d*)?",
    "1 234,5": rf"(?:\d{{1,3}}(?:{_GROUP}\d{{3}})+|\d+)(?:,\d*)?",
    "h:m:s": r"\d+:[0-5]\d(?::[0-5]\d(?:\.\d*)?)?",
}
CLOCK = "h:m:s"
# Signs and letters of currencies, before a number or behind it.
CURRENCY = (
    "(?:[$\u20ac\u00a3\u00a5\u20b9\u20a9\u20bd\u20ba\u20aa\u0e3f]|kr|z\u0142"
    "|USD|EUR|GBP|JPY|CNY|INR|CHF|CAD|AUD|NZD|NOK|SEK|DKK|PLN|CZK|BRL|MXN|KRW|RUB|TRY|ZAR)"
)
# What is no part of a number that has been recognised, and what is a minus sign.
WASTE = f"{CURRENCY}|[%')\\s\u00a0\u2009\u2019\u202f]"
NEGATIVE = f"[({_MINUS}]"
# A decimal comma.
COMMA = ("1.234,5", "1 234,5")


def number_pattern(style: str) -> str:
    """Returns the regular expression, of RE2 and Python, of numbers that are written in a style.

    A currency, a percent sign, and brackets as a minus sign may stand around the number.

    Args:
        style: One of `STYLES`.
    """
    sign = f"[+{_MINUS}-]"
    before = f"(?:{sign}?{CURRENCY}?{_BLANK}*|{CURRENCY}{_BLANK}*{sign})"
    number = f"{STYLES[style]}{_BLANK}*(?:%|{CURRENCY})?{_BLANK}*"
    in_brackets = rf"\({_BLANK}*{CURRENCY}?{_BLANK}*{number}\)"
    return f"^{_BLANK}*(?:{before}{number}|{in_brackets}{_BLANK}*)$"


def missing_pattern(words: frozenset[str]) -> str:
    """Returns the regular expression, of RE2 and Python, of words that say that nothing is there.

    Args:
        words: `MISSING_NUMBERS` or `MISSING_CATEGORIES`.
    """
    listed = "|".join(re.sub(r"([^\w<>/#])", r"\\\1", word) for word in sorted(words) if word)
    return rf"(?i)^\s*(?:{listed})?\s*$"


def is_missing_word(texts: np.ndarray, words: frozenset[str]) -> np.ndarray:
    """Returns which texts say that nothing is there.

    Args:
        texts: `[n]` strings.
        words: `MISSING_NUMBERS` or `MISSING_CATEGORIES`.
    """
    return _matches(texts, missing_pattern(words))


def _matches(texts, pattern):
    import pandas as pd

    found = pd.Series(texts, dtype=object).str.match(pattern, flags=re.ASCII)
    return found.to_numpy(bool)


def style_of(texts: np.ndarray, most_others: float = 0.0) -> tuple[str | None, np.ndarray]:
    """Returns in which style texts are numbers, or `None`, and which of them are none.

    Args:
        texts: `[n]` different strings, none of which stands for a missing value.
        most_others: The largest share of texts that may be no numbers. Defaults to 0.
    """
    for style in STYLES:
        pattern = number_pattern(style)
        # Where a hundredth of many texts may be no numbers, a tenth of some of them is too much.
        some = _matches(texts[:_SOME], pattern)
        if len(texts) > _SOME and (~some).mean() > 0.1 > most_others:
            continue
        fits = _matches(texts, pattern)
        if len(fits) and (~fits).mean() <= most_others:
            return style, ~fits
    return None, np.ones(len(texts), bool)


def parse_numbers(
    texts: np.ndarray, style: str = "1234.5"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns numbers, which texts stand for a missing one, and which are neither.

    Args:
        texts: `[n]` strings.
        style: One of `STYLES`.
    """
    import pandas as pd

    absent = is_missing_word(texts, MISSING_NUMBERS)
    fits = _matches(texts, number_pattern(style))
    found = np.full(len(texts), np.nan)
    given = pd.Series(texts, dtype=object)[fits]
    digits = given.str.replace(WASTE, "", regex=True).str.replace(NEGATIVE, "-", regex=True)
    if style == "1,234.5":
        digits = digits.str.replace(",", "")
    elif style in COMMA:
        digits = digits.str.replace(".", "").str.replace(",", ".")
    values = _seconds(digits) if style == CLOCK else digits.astype("float64")
    found[fits] = np.where(given.str.contains("%"), values / 100, values)
    return found, absent, ~(fits | absent)


def _seconds(clock):
    """Returns seconds of texts such as 1:30 and -0:00:05.5."""
    parts = clock.str.extract(r"^[+-]?(\d+):(\d+):?(.*)$")
    parts[2] = "0" + parts[2]
    hours, minutes, seconds = (parts[k].astype("float64") for k in range(3))
    return (hours * 3600 + minutes * 60 + seconds) * np.where(clock.str.startswith("-"), -1, 1)


def write_numbers(values: np.ndarray, style: str) -> np.ndarray:
    """Returns numbers as text, as `parse_numbers` reads it.

    Args:
        values: `[n]` finite numbers.
        style: One of `STYLES`.
    """
    found = np.empty(len(values), dtype=object)
    for place, value in enumerate(values.tolist()):
        text = str(value) if isinstance(value, int) else np.format_float_positional(value, trim="-")
        if style == CLOCK:
            minutes, seconds = divmod(abs(value), 60)
            text = np.format_float_positional(seconds, trim="-")
            whole, point, rest = text.partition(".")
            sign, minutes = "-" if value < 0 else "", int(minutes)
            text = f"{sign}{minutes // 60}:{minutes % 60:02d}:{int(whole):02d}{point}{rest}"
        found[place] = text.replace(".", ",") if style in COMMA else text
    return found
