"""Numbers that are written as text: what they look like, and what stands for a missing one."""

import re

import numpy as np

# In lower case, without blanks around it. Written in a column of numbers or dates, these say that
# a value is missing. Anything else that is not a number is read as missing too, and said.
MISSING_NUMBERS = frozenset((
    "", "?", "-", "--", ".", "..", "*", "na", "n/a", "n.a.", "#n/a", "#na", "nan", "null", "nil",
    "none", "<na>", "nat", "missing", "unknown", "undefined",
    "#div/0!", "#name?", "#null!", "#num!", "#ref!", "#value!",
))  # fmt: skip
# Among categories, words such as "none" and "unknown" are values like others.
MISSING_CATEGORIES = frozenset(("", "?", "na", "n/a", "#n/a", "nan", "null", "<na>"))

_SOME = 1000
# Of so many different texts in a column of numbers or dates, one may be neither that nor a usual
# word for a missing one; of more, this share of them.
_FEW, _MOST_ODD = 20, 0.01
# What may stand between a number and what is around it, or between its thousands.
_BLANK = "[\\s\u00a0\u2009\u202f]"
_GROUP = "[ '\u00a0\u2009\u2019\u202f]"
_MINUS = "\u2212"
_ZERO = f"^{_BLANK}*0+(?:[.,]0*)?{_BLANK}*$"
# Behind the hours of a half of the day.
HALF = r"[AaPp]\.?[Mm]\.?"
# Each is a regular expression of RE2 and of Python, by the way in which 1234.5 is written; the
# last is a time of day or a duration, which becomes seconds. Thousands do not begin with a 0, as
# 0,125 does; those of India have two digits.
STYLES = {
    "1234.5": r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?",
    "1,234.5": r"(?:[1-9]\d{0,2}(?:,\d{2,3})*,\d{3}|\d+)(?:\.\d*)?",
    "1.234,5": r"(?:[1-9]\d{0,2}(?:\.\d{3})+|\d+)(?:,\d*)?",
    "1 234.5": rf"(?:[1-9]\d{{0,2}}(?:{_GROUP}\d{{3}})+|\d+)(?:\.\d*)?",
    "1 234,5": rf"(?:[1-9]\d{{0,2}}(?:{_GROUP}\d{{3}})+|\d+)(?:,\d*)?",
    "h:m:s": rf"(?:\d+ days?,? \+?)?\d+:[0-5]\d(?::[0-5]\d(?:\.\d*)?)?(?:{_BLANK}*{HALF})?",
}
CLOCK = "h:m:s"
# Signs and letters of currencies, before a number or behind it.
CURRENCY = (
    "(?:[$\u20ac\u00a3\u00a5\u20b9\u20a9\u20bd\u20ba\u20aa\u0e3f]|kr|z\u0142"
    "|USD|EUR|GBP|JPY|CNY|INR|CHF|CAD|AUD|NZD|NOK|SEK|DKK|PLN|CZK|BRL|MXN|KRW|RUB|TRY|ZAR)"
)
# What is not part of a number that has been recognised, and what is a minus sign.
WASTE = f"{CURRENCY}|[%')\\s\u00a0\u2009\u2019\u202f]"
NEGATIVE = f"[({_MINUS}]"
# A decimal comma.
COMMA = ("1.234,5", "1 234,5")
# What may stand behind every number of a column, such as kg, km/h or +.
PERCENT = "%"
_UNIT = rf"[A-Za-z\u00b0\u00b5\u00b2\u00b3/+'\"]{{1,12}}|{PERCENT}"
_BEFORE_UNIT = re.compile(rf"\d\.?{_BLANK}*({_UNIT}){_BLANK}*\Z")
# Points between thousands look like decimal points. They are none where at least so many different
# texts have groups of three digits behind a point, no text has others, and some have no point.
LEAST_GROUPED = 10
GROUPED = r"^-?(?:0|[1-9]\d{0,2}(?:\.\d{3})*)$"


def is_style(style: str) -> bool:
    """Returns whether numbers can be written in a style: one of `STYLES`, with a unit or without.

    Args:
        style: Such as `"1,234.5"` and `"1,234.5 kg"`.
    """
    base, unit = split_style(style)
    return base in STYLES and (not unit or (base != CLOCK and bool(re.fullmatch(_UNIT, unit))))


def split_style(style: str) -> tuple[str, str]:
    """Returns one of `STYLES`, and the unit that stands behind every number or `""`."""
    found = re.fullmatch(r"(.*\d) ([^\d ]+)", style)
    return (found[1], found[2]) if found else (style, "")


def unit_pattern(unit: str) -> str:
    """Returns the regular expression, of RE2 and Python, of a unit at the end of a text."""
    return f"{_BLANK}*{_escaped(unit)}{_BLANK}*$"


def most_odd(texts: int) -> int:
    """Returns how many different texts in a column of numbers or dates may be something else."""
    return max(int(texts > _FEW), int(_MOST_ODD * texts))


def number_pattern(style: str) -> str:
    """Returns the regular expression, of RE2 and Python, of numbers that are written in a style.

    A currency, a percent sign, and brackets as a minus sign may stand around the number.

    Args:
        style: One of `STYLES`, or one with a unit, as `is_style` has it.
    """
    style, unit = split_style(style)
    sign = f"[+{_MINUS}-]"
    before = f"(?:{sign}?{CURRENCY}?{_BLANK}*|{CURRENCY}{_BLANK}*{sign})"
    if unit:
        found = f"^{_BLANK}*{sign}?{_BLANK}*{STYLES[style]}{unit_pattern(unit)}"
        # Without the sign, only 0 is the same.
        return f"{found}|{_ZERO}" if unit == PERCENT else found
    number = f"{STYLES[style]}{_BLANK}*(?:%|{CURRENCY})?{_BLANK}*"
    in_brackets = rf"{CURRENCY}?{_BLANK}*\({_BLANK}*{CURRENCY}?{_BLANK}*{number}\)"
    return f"^{_BLANK}*(?:{before}{number}|{in_brackets}{_BLANK}*)$"


def missing_pattern(words: frozenset[str]) -> str:
    """Returns the regular expression, of RE2 and Python, of words that say that nothing is there.

    Args:
        words: `MISSING_NUMBERS` or `MISSING_CATEGORIES`.
    """
    listed = "|".join(_escaped(word) for word in sorted(words) if word)
    return rf"(?i)^\s*(?:{listed})?\s*$"


def _escaped(word):
    return re.sub(r"([^\w<>/#\u00b0])", r"\\\1", word)


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


def style_of(texts: np.ndarray) -> tuple[str | None, np.ndarray]:
    """Returns in which style texts are numbers, or `None`, and which of them are none.

    Args:
        texts: `[n]` different strings, none of which stands for a missing value.
    """
    styles = ["1.234,5"] if has_grouped_points(texts) else list(STYLES)
    unit = _unit_of(texts[:_SOME])
    if unit:
        styles = [CLOCK, *(f"{style} {unit}" for style in styles if style != CLOCK)]
    for style in styles:
        pattern = number_pattern(style)
        # Where a hundredth of many texts may be no numbers, a tenth of some of them is too much.
        some = _matches(texts[:_SOME], pattern)
        if len(texts) > _SOME and (~some).mean() > 0.1:
            continue
        fits = _matches(texts, pattern)
        if len(fits) and (~fits).sum() <= most_odd(len(texts)):
            return style, ~fits
    return None, np.ones(len(texts), bool)


def likely_numbers(texts: np.ndarray) -> tuple[str | None, np.ndarray]:
    """Returns the style of most texts that are numbers, and which are none; `None` if none is one.

    Args:
        texts: `[n]` different strings, none of which stands for a missing value.
    """
    fits = {style: _matches(texts, number_pattern(style)) for style in STYLES}
    best = max(STYLES, key=lambda style: fits[style].sum())
    return (best if fits[best].any() else None), ~fits[best]


def has_grouped_points(texts: np.ndarray) -> bool:
    """Returns whether numbers have points between their thousands, and nowhere else.

    Args:
        texts: `[n]` different strings.
    """
    if not len(texts) or not _matches(texts, GROUPED).all():
        return False
    pointed = sum("." in text for text in texts)
    return LEAST_GROUPED <= pointed < len(texts)


def _unit_of(texts):
    """Returns the unit that stands behind all texts, or all but few of them, or `""`."""
    found = [match[1] for match in map(_BEFORE_UNIT.search, texts) if match]
    if len(found) < len(texts) - most_odd(len(texts)) or not found:
        return ""
    unit = max(set(found), key=found.count)
    known = re.fullmatch(CURRENCY, unit)
    enough = found.count(unit) >= len(texts) - most_odd(len(texts))
    return unit if enough and not known else ""


def parse_numbers(
    texts: np.ndarray, style: str = "1234.5"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns numbers, which texts stand for a missing one, and which are neither.

    Args:
        texts: `[n]` strings.
        style: One of `STYLES`, or one with a unit.
    """
    import pandas as pd

    absent = is_missing_word(texts, MISSING_NUMBERS)
    fits = _matches(texts, number_pattern(style))
    found = np.full(len(texts), np.nan)
    given = pd.Series(texts, dtype=object)[fits]
    style, unit = split_style(style)
    if unit not in ("", PERCENT):
        given = given.str.replace(unit_pattern(unit), "", regex=True)
    digits = given.str.replace(WASTE, "", regex=True).str.replace(NEGATIVE, "-", regex=True)
    if style == "1,234.5":
        digits = digits.str.replace(",", "")
    elif style in COMMA:
        digits = digits.str.replace(".", "").str.replace(",", ".")
    values = _seconds(digits) if style == CLOCK else digits.astype("float64")
    found[fits] = np.where(given.str.contains("%"), values / 100, values)
    return found, absent, ~(fits | absent)


def _seconds(clock):
    """Returns seconds of texts such as 1:30, 1:30PM, -0:00:05.5 and -1day,+23:55:00."""
    days = clock.str.extract(r"^([+-]?\d+)days?")[0].fillna("0").astype("float64")
    clock = clock.str.replace(r"^.*days?,?\+?", "", regex=True)
    halved, afternoon = (clock.str.contains(rf"{h}\.?[Mm]\.?$") for h in ("[AaPp]", "[Pp]"))
    clock = clock.str.replace(rf"{HALF}$", "", regex=True)
    parts = clock.str.extract(r"^[+-]?(\d+):(\d+):?(.*)$")
    parts[2] = "0" + parts[2]
    hours, minutes, seconds = (parts[k].astype("float64") for k in range(3))
    hours = np.where(halved, hours % 12 + 12 * afternoon, hours)
    time = (hours * 3600 + minutes * 60 + seconds) * np.where(clock.str.startswith("-"), -1, 1)
    return days * 86_400 + time


def write_numbers(values: np.ndarray, style: str) -> np.ndarray:
    """Returns numbers as text, as `parse_numbers` reads it.

    Args:
        values: `[n]` finite numbers.
        style: One of `STYLES`, or one with a unit. With a percent sign, numbers are 0.
    """
    style, unit = split_style(style)
    found = np.empty(len(values), dtype=object)
    for place, value in enumerate(values.tolist()):
        text = str(value) if isinstance(value, int) else np.format_float_positional(value, trim="-")
        if style == CLOCK:
            minutes, seconds = divmod(abs(value), 60)
            text = np.format_float_positional(seconds, trim="-")
            whole, point, rest = text.partition(".")
            sign, minutes = "-" if value < 0 else "", int(minutes)
            text = f"{sign}{minutes // 60}:{minutes % 60:02d}:{int(whole):02d}{point}{rest}"
        found[place] = (text.replace(".", ",") if style in COMMA else text) + unit
    return found
