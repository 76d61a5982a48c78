"""What the columns of a table are taken for, and why."""

import dataclasses
import re
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from adaptive_nets._values import show
from adaptive_nets.data.columns.date_text import (
    PATTERNS,
    date_style,
    days_of_numbers,
    likely_style,
    parse_dates,
)
from adaptive_nets.data.columns.number_text import (
    CLOCK,
    CURRENCY,
    MISSING_CATEGORIES,
    MISSING_NUMBERS,
    PERCENT,
    is_missing_word,
    is_style,
    likely_numbers,
    parse_numbers,
    style_of,
)
from adaptive_nets.data.columns.values import EXACT, Column

KINDS = ("number", "boolean", "category", "date", "text", "ignore")
# Whole numbers of at most so many different values also stand as categories.
MOST_CODES = 200
# Below so many rows, nothing is taken for an id.
LEAST_ID_ROWS = 20
# So many different whole numbers that are all days from 1900 to 2100 are no chance.
LEAST_DAYS, FIRST_DAY, LAST_DAY = 5, 1900_01_01, 2100_12_31
# Text has at least so many words on average, and so large a share of different values.
LEAST_WORDS, LEAST_TEXT_SHARE, LEAST_TEXTS = 2.5, 0.1, 10

# What stands for a missing number in many tables, where at least so many other values are near
# each other and far from it.
STAND_INS = {sign * float("9" * digits) for digits in range(2, 7) for sign in (1, -1)}
LEAST_OTHERS = 5

_NAMED_ID = re.compile(r"(?:^|[^A-Za-z])(?i:id)$|[a-z](?:Id|ID)$|^Unnamed: \d+$")
_UNIQUE_ID = "an id: its name says so, and nearly every value is there once"


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a column was taken for.

    Args:
        kind: One of `KINDS`.
        dtype: Dtype that it is read as.
        reason: Why, in words.
        code: Whether a number also stands as a category. Defaults to `False`.
        style: How numbers or dates are written as text. Defaults to `None`.
        missing_share: Share of missing values.
        distinct: Number of different values.
    """

    kind: str
    dtype: str
    reason: str
    code: bool = False
    style: str | None = None
    missing_share: float = 0.0
    distinct: int = 0


def find_kind(name: str, given: Any, wanted: str | None = None) -> Finding:
    """Returns what a column is taken for.

    Args:
        name: Name of the column.
        given: Its values, one per row.
        wanted: The kind that the caller has chosen. Defaults to `None`: none.

    Raises:
        ValueError: The values are not a column, or cannot be of the kind that was chosen.
    """
    column = Column.of(given, f"column '{name}'")
    found = _of_text(name, column, wanted) if column.kind == "O" else _of_values(name, column)
    if wanted is None or wanted == found.kind:
        return found
    return choose_kind(found, wanted, "as you have chosen")


def choose_kind(found: Finding, kind: str, reason: str) -> Finding:
    """Returns a finding with another kind, and the dtype that it needs.

    Args:
        found: What the column was taken for.
        kind: Its new kind.
        reason: Why.
    """
    dtype, style = found.dtype, found.style
    if kind == "text":
        dtype, style = "string", None
    elif dtype == "string":
        style = {"number": style if style and is_style(style) else "1234.5",
                 "date": style if style in PATTERNS else "ymd"}.get(kind)  # fmt: skip
    elif kind == "date":
        # Numbers are days such as 20141013.
        style = "ymd" if dtype == "float64" else None
    return dataclasses.replace(
        found, kind=kind, dtype=dtype, style=style, code=False, reason=reason
    )


def _counted(column: Column) -> tuple[np.ndarray, np.ndarray, float]:
    """Returns the different values, how often each is there, and the share of missing ones."""
    import pandas as pd

    counts = pd.Series(column.present).value_counts(sort=False)
    missing = float(column.absent.mean()) if len(column.absent) else 0.0
    return counts.index.to_numpy(), counts.to_numpy(), missing


def _few(present, rows):
    """Returns why a column with so few values says nothing, or `None`."""
    if present == 0:
        return "every value is missing"
    if rows >= 100 and present < max(5, rows // 1000):
        return f"only {present} of {rows:,} values are there"
    return None


def _of_values(name, column):
    distinct, counts, missing = _counted(column)
    dtype = _dtype_of(column)
    rest = {"missing_share": missing, "distinct": len(distinct)}
    rows, present = len(column.absent), int(counts.sum())
    ignored = _few(present, rows)
    if ignored is None and len(distinct) == 1 and not missing:
        ignored = "every value is the same"
    if ignored is not None:
        return Finding("ignore", dtype, ignored, **rest)
    if column.kind == "M":
        return Finding("date", dtype, "dates and times", **rest)
    if column.kind == "b":
        return Finding("boolean", dtype, "true or false", **rest)
    whole = column.kind in "iu" or bool((distinct == np.trunc(distinct)).all())
    far = _stand_in(name, distinct, counts)
    style = CLOCK if column.clock else None
    if not whole:
        what = "seconds with fractions" if column.clock else "numbers with fractions"
        return Finding("number", dtype, f"{what}{far}", style=style, **rest)
    if not column.clock and _are_days(distinct):
        return Finding("date", dtype, "whole numbers that are days", style="ymd", **rest)
    ignored = _is_row_number(name, column.present, len(distinct), rows)
    if ignored is not None:
        return Finding("ignore", dtype, ignored, **rest)
    found = _whole(name, dtype, rest, style)
    return dataclasses.replace(found, reason=found.reason + far)


def _stand_in(name, distinct, counts):
    """Says which number may stand for a missing value: a usual one, far from all others."""
    for place in (np.argmin(distinct), np.argmax(distinct)):
        value, others = distinct[place], np.delete(distinct, place)
        if float(value) not in STAND_INS or len(others) < LEAST_OTHERS or counts[place] < 2:
            continue
        if np.abs(others.astype("float64") - value).min() > np.ptp(others.astype("float64")):
            text = f"{value:g} in {counts[place]:,} rows, far from all others"
            warnings.warn(
                f"Column '{name}' has {text}. If it stands for a missing value, replace it by NaN.",
                stacklevel=2,
            )
            return f"; {text}"
    return ""


def _are_days(distinct):
    """Returns whether all whole numbers are days such as 20141013."""
    inside = len(distinct) >= LEAST_DAYS and (distinct >= FIRST_DAY) & (distinct <= LAST_DAY)
    return bool(np.all(inside)) and not np.isnat(days_of_numbers(distinct)).any()


def _whole(name, dtype, rest, style=None):
    """Returns what whole numbers are that are not ids."""
    count = rest["distinct"]
    if dtype == "string" and style is None:
        return Finding("category", dtype, "whole numbers that 64 bits cannot hold", **rest)
    if _NAMED_ID.search(name):
        reason = f"whole numbers, {count} of them; the name says that they stand for things"
        return Finding("category", dtype, reason, style=style, **rest)
    if 2 < count <= MOST_CODES:
        reason = f"whole numbers of {count} values, which may be codes"
        return Finding("number", dtype, reason, code=True, style=style, **rest)
    return Finding("number", dtype, "whole numbers", style=style, **rest)


def _is_row_number(name, values, distinct, rows):
    """Returns why whole numbers say nothing of their rows, or `None`."""
    if len(values) < rows or rows < LEAST_ID_ROWS:
        return None
    if _NAMED_ID.search(name) and distinct >= 0.95 * rows:
        return _UNIQUE_ID
    if distinct < rows:
        return None
    if (np.diff(values.astype("float64")) == 1).all():
        return "a row number: each value is one more than the last"
    # Some rows of a table whose rows were numbered.
    span = float(values.max()) - float(values.min()) + 1
    if rows >= 100 and span <= 1.5 * rows:
        return "a row number: every value of a range is there once"
    return None


def _dtype_of(column):
    if column.kind == "M":
        return "int64"
    if column.kind in "iu" and len(column.values):
        least, most = int(column.values.min()), int(column.values.max())
        if most >= 2**63:
            return "string"
        return "float64" if max(-least, most) <= EXACT else "int64"
    return "float64"


def _of_text(name, column, wanted):
    distinct, counts, _ = _counted(column)
    rows = len(column.absent)
    no_number = is_missing_word(distinct, MISSING_NUMBERS)
    if wanted in (None, "number") and not no_number.all():
        found = _numbers(name, distinct, counts, no_number, rows, wanted is not None)
        if found is not None:
            return found
    why = ""
    if wanted in (None, "date") and not no_number.all():
        found, why = _dates(name, distinct[~no_number], counts[~no_number], rows, wanted)
        if found is not None:
            return found
    no_value = is_missing_word(distinct, MISSING_CATEGORIES)
    present = int(counts[~no_value].sum())
    rest = {"missing_share": 1 - present / max(rows, 1), "distinct": int((~no_value).sum())}
    return _words(name, distinct[~no_value], counts[~no_value], rows, why, rest)


def _dates(name, distinct, counts, rows, wanted):
    """Returns the finding for dates as text, or `None`; and why not."""
    style, why = date_style(distinct)
    if style is None and wanted is not None:
        style = likely_style(distinct)
        if style is None:
            raise _none_is(name, "date", distinct)
    if style is None:
        return None, why
    _, absent, bad = parse_dates(distinct, style)
    lost = [repr(text) for text in distinct[bad | absent][:5]]
    if lost:
        why += f"; {', '.join(lost)} read as missing"
    there = ~(bad | absent)
    share = 1 - int(counts[there].sum()) / rows
    return Finding("date", "string", why, False, style, share, int(there.sum())), why


def _words(name, distinct, counts, rows, why, rest):
    """Returns what strings are that are neither numbers nor dates."""
    present = int(counts.sum())
    ignored = _few(present, rows)
    if ignored is None and len(distinct) == 1 and present == rows:
        ignored = "every value is the same"
    if ignored is not None:
        return Finding("ignore", "string", ignored, **rest)
    if why:
        # Should they be taken for dates, months come first, as most programs have it.
        return Finding("category", "string", why, style="mdy", **rest)
    words = np.array([len(text.split()) for text in distinct])
    mean_words = float((words * counts).sum() / present)
    share = len(distinct) / present
    if mean_words >= LEAST_WORDS and share >= LEAST_TEXT_SHARE and len(distinct) >= LEAST_TEXTS:
        reason = f"{mean_words:.1f} words on average, {len(distinct):,} different texts"
        return Finding("text", "string", reason, **rest)
    if present == rows >= LEAST_ID_ROWS and len(distinct) == rows and words.max() == 1:
        return Finding("ignore", "string", "an id: every value is one word, and there once", **rest)
    if _NAMED_ID.search(name) and rows >= LEAST_ID_ROWS and len(distinct) >= 0.95 * rows:
        return Finding("ignore", "string", _UNIQUE_ID, **rest)
    reason = "text of two values" if len(distinct) == 2 else "text of few words"
    return Finding("category", "string", reason, **rest)


def _none_is(name, kind, distinct):
    """Returns the error for a column none of whose values is of the kind that was chosen."""
    return ValueError(
        f"Column '{name}' cannot be of kind '{kind}': no value is a {kind}. "
        f"Received: {show(distinct[0])}."
    )


def _numbers(name, distinct, counts, no_number, rows, chosen):
    """Returns the finding for numbers that are written as text, or `None`."""
    words = distinct[~no_number]
    style, odd = style_of(words)
    if style is None and chosen:
        style, odd = likely_numbers(words)
        if style is None:
            raise _none_is(name, "number", words)
    if style is None:
        return None
    signs = {sign for text in words for sign in re.findall(CURRENCY, text)}
    if len(signs) > 1 and not chosen:
        # Amounts in different currencies cannot be compared.
        return None
    if any(re.match(r"\s*0\d", text) for text in words[:1000]) and ":" not in style and not chosen:
        # Telephone numbers and postcodes: 01 and 1 are not the same.
        return None
    values, _, _ = parse_numbers(words[~odd], style)
    read = values
    if _are_blurred(values) and not chosen:
        return None
    present = int(counts[~no_number][~odd].sum())
    values = np.unique(values)
    if style == "1234.5" and not odd.any() and _are_days(values):
        # They are dates, which are looked for next.
        return None
    _check_percent(name, words[~odd], read, style)
    rest = {"missing_share": 1 - present / max(rows, 1), "distinct": len(values)}
    ignored = _few(present, rows)
    if ignored is None and len(values) == 1 and present == rows:
        ignored = "every value is the same"
    if ignored is not None:
        return Finding("ignore", "string", ignored, style=style, **rest)
    lost = [repr(text) for text in [*distinct[no_number], *words[odd]]]
    reason = "numbers as text"
    if style not in ("1234.5", "h:m:s"):
        reason += f", written as {style}"
    if lost:
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        reason += f"; {', '.join(lost[:5])}{more} read as missing"
    if (values != np.trunc(values)).any():
        return Finding("number", "string", reason, style=style, **rest)
    if _NAMED_ID.search(name) and rows >= LEAST_ID_ROWS and len(values) >= 0.95 * rows:
        return Finding("ignore", "string", _UNIQUE_ID, style=style, **rest)
    found = _whole(name, "string", rest, style)
    return dataclasses.replace(found, reason=f"{reason}; {found.reason}")


def _check_percent(name, texts, values, style):
    """Warns of numbers with a percent sign among others without one, which may be a mistake."""
    signed = np.array([PERCENT in text for text in texts])
    other = ~signed & (values != 0)
    if not style.endswith(PERCENT) and signed.any() and other.any():
        warnings.warn(
            f"Column '{name}' has numbers with a percent sign and without: {texts[signed][0]!r} is "
            f"read as {values[signed][0]:g}, and {texts[other][0]!r} as {values[other][0]:g}. If "
            "all are percentages, write the sign behind each of them.",
            stacklevel=2,
        )


def _are_blurred(values):
    """Returns whether different whole numbers are so large that they are one float64."""
    return len(np.unique(values)) < len(values) and bool((np.abs(values) > EXACT).any())


def find_kinds(parts: Mapping[str, Any], kinds: Mapping[str, str]) -> dict[str, Finding]:
    """Returns what each column of a table is taken for, by name.

    Args:
        parts: Values by name.
        kinds: Kinds that the caller has chosen, by name.

    Raises:
        ValueError: A column cannot be read, or no column is left that could say anything.
    """
    found = {name: find_kind(name, part, kinds.get(name)) for name, part in parts.items()}
    if all(each.kind == "ignore" for each in found.values()):
        name, first = next(iter(found.items()))
        raise ValueError(
            "At least one column must be of use. Received: "
            f"{len(found)} columns that are all left out, such as '{name}' ({first.reason}). "
            f"Choose kinds yourself: kinds={{'{name}': 'category'}}."
        )
    return found
