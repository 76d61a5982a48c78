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

# Each is a regular expression of RE2 and of Python, by the way in which 1234.5 is written.
STYLES = {
    "1234.5": r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?",
    "1,234.5": r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?",
    "1.234,5": r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d*)?",
}
# What may stand around a number: a currency before it, a percent sign or a currency behind it.
BEFORE, BEHIND = r"^\s*[$€£]?\s*", r"\s*[%$€£]?\s*$"

_SOME = 1000


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
    for style, pattern in STYLES.items():
        # Where a hundredth of many texts may be no numbers, a tenth of some of them is too much.
        some = _matches(texts[:_SOME], f"{BEFORE}{pattern}{BEHIND}")
        if len(texts) > _SOME and (~some).mean() > 0.1 > most_others:
            continue
        fits = _matches(texts, f"{BEFORE}{pattern}{BEHIND}")
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
    fits = _matches(texts, f"{BEFORE}{STYLES[style]}{BEHIND}")
    digits = pd.Series(texts, dtype=object).str.replace(r"[$€£%\s]", "", regex=True)
    if style == "1,234.5":
        digits = digits.str.replace(",", "")
    elif style == "1.234,5":
        digits = digits.str.replace(".", "").str.replace(",", ".")
    found = np.full(len(texts), np.nan)
    found[fits] = digits[fits].astype("float64")
    return found, absent, ~(fits | absent)
