"""Dates that are written as text: in which order, and what they are in seconds."""

import re

import numpy as np

from adaptive_nets.data.columns.number_text import MISSING_NUMBERS, is_missing_word, most_odd

_TIME = (
    r"(?:,?[T ]\s*(\d{1,2}):?(\d{2})(?::?(\d{2})(?:[.,](\d{1,9}))?)?(?:\s*[AaPp]\.?[Mm]\.?)?)?"
    r"\s*(?:Z|z|UTC|GMT|([+-]\d{2}):?(\d{2})?)?\s*$"
)
_DAY, _NTH = r"^\s*(?:[A-Za-z]{2,9}\.?,?\s+)?", r"(?:st|nd|rd|th)?[-/. ,]+"
_NO_TIME = "()" * 6 + r"\s*$"
# Regular expressions of RE2 and of Python; "b" is a month by its name. Groups: three parts of the
# date, hour, minute, second, fraction of it, hours and minutes of the time zone. Where no day is
# written, its group is empty.
PATTERNS = {
    "ymd": r"^\s*(\d{4})[-/. ](\d{1,2})[-/. ](\d{1,2})" + _TIME,
    "dmy": r"^\s*(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4}|\d{2})" + _TIME,
    "mdy": r"^\s*(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4}|\d{2})" + _TIME,
    "dby": _DAY + r"(\d{1,2})" + _NTH + r"(\d{1,2})[-/. ,]+(\d{4}|\d{2})" + _TIME,
    "bdy": _DAY + r"(\d{1,2})[-/. ,]+(\d{1,2})" + _NTH + r"(\d{4}|\d{2})" + _TIME,
    "ym": r"^\s*(\d{4})[-/.](\d{1,2})()" + _NO_TIME,
    "my": r"^\s*()(\d{1,2})[-/.](\d{4})" + _NO_TIME,
    "by": r"^\s*()(\d{1,2})[-/. ,]+(\d{4})" + _NO_TIME,
}
# Days such as 20141013, and what they are written as before they are read.
COMPACT, SPREAD = r"^(\s*\d{4})(\d\d)(\d\d)(\D|$)", r"\1-\2-\3\4"
# Month names in front of which and behind which there are no letters; the rest may be left out.
MONTHS = {
    rf"(?i:\b{name[:3]}(?:{name[3:]}|{name[3:4]})?\b\.?)": str(number)
    for number, name in enumerate((
        "january", "february", "march", "april", "may", "june", "july", "august", "september",
        "october", "november", "december",
    ), start=1)
}  # fmt: skip
_MONTH = re.compile("|".join(f"({pattern})" for pattern in MONTHS), re.ASCII)
_WRITTEN = {
    "dmy": "%d/%m/%Y %H:%M:%S.%f", "mdy": "%m/%d/%Y %H:%M:%S.%f",
    "dby": "%d %B %Y %H:%M:%S.%f", "bdy": "%B %d %Y %H:%M:%S.%f",
    "ym": "%Y-%m", "my": "%m/%Y", "by": "%B %Y",
}  # fmt: skip
_WORDS = {
    "ymd": "year, month, day", "dmy": "day, month, year", "mdy": "month, day, year",
    "dby": "day, month by name, year", "bdy": "month by name, day, year",
    "ym": "year, month", "my": "month, year", "by": "month by name, year",
}  # fmt: skip
# What databases write for no date.
_NO_DATE = r"^\s*0000-00-00"
# Two-digit years from 69 on are of the last century, as in POSIX.
PIVOT = 69


def date_style(texts: np.ndarray) -> tuple[str | None, str]:
    """Returns in which order texts are dates, or `None`; and why.

    Args:
        texts: `[n]` different strings, none of which stands for a missing value.
    """
    for styles in (("ymd",), ("dmy", "mdy"), ("ym",), ("my",)):
        pattern = re.compile(PATTERNS[styles[0]], re.ASCII)
        matched = np.array([bool(pattern.match(_plain(text, styles[0]))) for text in texts])
        if not _nearly(matched):
            continue
        bad = {style: int((~_valid(texts[matched], style)).sum()) for style in styles}
        least = min(bad.values())
        best = [style for style in styles if bad[style] == least]
        if not _nearly(_valid(texts, best[0])):
            return None, ""
        if len(best) == 2:
            return None, "dates whose day and month cannot be told apart"
        return best[0], _reason(best[0])
    for style in ("dby", "bdy", "by"):
        named = np.array([bool(_MONTH.search(text)) for text in texts[:100]])
        if _nearly(named) and _nearly(_valid(texts, style)):
            return style, _reason(style)
    return None, ""


def _nearly(fits):
    """Returns whether all texts fit, or all but as many as may be something else."""
    return len(fits) > 0 and (~fits).sum() <= most_odd(len(fits))


def likely_style(texts: np.ndarray) -> str | None:
    """Returns in which order most of some texts are dates; `None` if none is a date.

    Args:
        texts: `[n]` different strings, none of which stands for a missing value.
    """
    # Of orders that fit as many, the first: months before days, as most programs have it.
    order = ("ymd", "mdy", "dmy", "dby", "bdy", "ym", "my", "by")
    counts = {style: int(_valid(texts, style).sum()) for style in order}
    best = max(order, key=counts.__getitem__)
    return best if counts[best] else None


def _plain(text, style):
    """Returns a text with numbers for the names of months, and signs between parts of days."""
    if "b" in style:
        return _MONTH.sub(lambda found: str(found.lastindex), text)
    return re.sub(COMPACT, SPREAD, text, flags=re.ASCII) if style == "ymd" else text


def order_of(style: str) -> str:
    """Returns the order of the letters of day, month and year in a style's groups."""
    whole = {"ym": "ymd", "my": "dmy", "by": "dmy"}
    return whole.get(style, style.replace("b", "m"))


def _reason(style):
    return f"dates as text: {_WORDS[style]}"


def _valid(texts, style):
    _, _, bad = parse_dates(texts, style)
    return ~bad


def parse_dates(texts: np.ndarray, style: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns `datetime64[us]`, which texts stand for a missing date, and which are neither.

    Args:
        texts: `[n]` strings.
        style: One of `PATTERNS`.
    """
    pattern = re.compile(PATTERNS[style], re.ASCII)
    found = np.full(len(texts), np.datetime64("NaT"), "datetime64[us]")
    absent = is_missing_word(texts, MISSING_NUMBERS) | np.array(
        [bool(re.match(_NO_DATE, text)) for text in texts], bool
    )
    for place, text in enumerate(texts):
        match = pattern.match(_plain(text, style))
        if match is None:
            continue
        found[place] = _moment(match, order_of(style), text)
    return found, absent, np.isnat(found) & ~absent


def _moment(match, style, text):
    parts = [int(match[style.index(letter) + 1] or 1) for letter in "ymd"]
    year, month, day = parts
    if style != "ymd" and year < 100:
        year += 1900 if year >= PIVOT else 2000
    hour, minute, second = (int(match[k] or 0) for k in (4, 5, 6))
    half = re.search(r"([ap])\.?m", text.lower())
    if half:
        hour = hour % 12 + (12 if half[1] == "p" else 0)
    if year < 1 or hour > 23 or minute > 59 or second > 60:
        return np.datetime64("NaT")
    try:
        date = np.datetime64(f"{year:04d}-{month:02d}-{day:02d}", "us")
    except ValueError:
        return np.datetime64("NaT")
    zone = int(match[8] or 0) * 60
    zone += int(match[9] or 0) * (-1 if (match[8] or "").startswith("-") else 1)
    seconds = hour * 3600 + (minute - zone) * 60 + second
    micros = round(float("0." + (match[7] or "0")) * 1e6)
    return date + np.timedelta64(seconds * 1_000_000 + micros, "us")


def days_of_numbers(values: np.ndarray) -> np.ndarray:
    """Returns `datetime64[D]` of numbers such as 20141013; NaT where there is no such day.

    Args:
        values: `[n]` numbers.
    """
    inside = (values >= 1000_01_01) & (values <= 9999_12_31)
    whole = np.where(inside, values, 0).astype("int64")
    months = (whole // 10_000 - 1970).astype("M8[Y]").astype("M8[M]")
    months += (whole // 100 % 100 - 1).astype("m8[M]")
    days = months.astype("M8[D]") + (whole % 100 - 1).astype("m8[D]")
    real = (whole // 100 % 100 - 1 < 12) & (whole % 10_000 >= 100) & (whole % 100 >= 1)
    real &= (days.astype("M8[M]") == months) & (whole == values)
    return np.where(real, days, np.datetime64("NaT"))


def numbers_of_days(times: np.ndarray) -> np.ndarray:
    """Returns days as float64 numbers such as 20141013; NaT as NaN.

    Args:
        times: `[n]` dates.
    """
    years, months, days = (times.astype(f"M8[{unit}]") for unit in "YMD")
    month, day = (months - years).astype("float64") + 1, (days - months).astype("float64") + 1
    found = (years.astype("int64") + 1970) * 10_000 + month * 100 + day
    return np.where(np.isnat(times), np.nan, found)


def write_dates(values: np.ndarray, style: str) -> np.ndarray:
    """Returns `datetime64[us]` as text, as `parse_dates` reads it; NaT as `""`.

    Args:
        values: `[n]` dates.
        style: One of `PATTERNS`.
    """
    import pandas as pd

    if style == "ymd":
        found = np.datetime_as_string(values, unit="us").astype(object)
    else:
        found = pd.Series(values).dt.strftime(_WRITTEN[style]).to_numpy(object)
    found[np.isnat(values)] = ""
    return found
