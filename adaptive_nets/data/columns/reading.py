"""Columns as the arrays that an encoding takes, without loss, or not at all."""

import re
import warnings
from decimal import Decimal
from typing import Any

import numpy as np

from adaptive_nets._values import show
from adaptive_nets.data.columns.number_text import (
    CLOCK,
    PERCENT,
    most_odd,
    parse_numbers,
    split_style,
    write_numbers,
)
from adaptive_nets.data.columns.values import EXACT, MISSING_INTEGER, Column, texts, title
from adaptive_nets.data.values import cast_exactly

# So many different texts are checked for being numbers or dates, as the training data were.
_MOST_CHECKED = 10_000
_WORDS = {"b": "booleans", "i": "numbers", "u": "numbers", "f": "numbers", "M": "dates"}


def read_column(
    given: Any, kind: str, dtype: str, style: str | None, what: str, missing_share: float = 0.0
) -> np.ndarray:
    """Returns the values of a column, some of which may be missing, in a dtype.

    Missing values are NaN among floating-point numbers, `""` among strings, and the least int64
    among whole numbers and times, which are microseconds since 1970.

    Args:
        given: The values, one per row.
        kind: Kind of the feature, such as `"number"`.
        dtype: `"string"`, `"int64"`, or a floating-point dtype.
        style: How numbers and dates are written as text, or `None`.
        what: Name of the column in error messages.
        missing_share: Share of missing values in the training data. Defaults to 0.

    Raises:
        ValueError: A value cannot be read. The first is named with its row.
    """
    column = Column.of(given, what)
    if column.clock and style != CLOCK and kind != "text" and not column.absent.all():
        raise ValueError(
            f"{title(what)} must be {_wanted(kind, dtype)}, as in the training data ({dtype}). "
            "Received: durations or times of day. Convert them, such as by .dt.total_seconds()."
        )
    if dtype == "string":
        return _as_strings(column, kind, style, what, missing_share)
    nothing = np.nan if np.dtype(dtype).kind == "f" else MISSING_INTEGER
    if column.absent.all():
        return np.full(len(column.values), nothing, dtype)
    if column.kind == "O":
        column = _parsed(column, kind, dtype, style, what)
    if kind == "boolean" and column.kind != "M":
        _check_booleans(column, what)
    if kind == "date" and dtype == "float64":
        return _as_days(column, what)
    if column.kind == "i" and dtype == "int64" and (kind != "date" or np.ndim(given) == 2):
        # What has been read before is read again as it is: microseconds, `[rows, 1]`.
        column = Column(column.values, column.absent | (column.values == MISSING_INTEGER))
        kind = "number"
    if (column.kind == "M") != (kind == "date"):
        raise ValueError(
            f"{title(what)} must be {_wanted(kind, dtype)}, as in the training data ({dtype}). "
            f"Received: {_WORDS.get(column.kind, 'text')}."
        )
    if column.kind == "M":
        found = column.values.astype("int64")
    elif np.dtype(dtype).kind == "f":
        found = cast_exactly(column.values, dtype, what)
    else:
        present = np.where(column.absent, 0, column.values) if column.kind == "f" else column.values
        found = cast_exactly(present, dtype, what)
    if column.absent.any():
        found = found.copy()
        found[column.absent] = nothing
    return found


def _wanted(kind, dtype):
    """Returns what the values of a feature are, in a word."""
    words = "text" if dtype == "string" and kind == "category" else "numbers"
    return {"date": "dates", "boolean": "booleans"}.get(kind, words)


def _check_booleans(column, what):
    other = ~column.absent & (column.values != 0) & (column.values != 1)
    if other.any():
        value = column.values[int(np.argmax(other))].item()
        raise ValueError(
            f"{title(what)} must be true, false, 1 or 0, as in the training data. "
            f"Received: {show(value)}, first in row {int(np.argmax(other))}."
        )


def _as_strings(column, kind, style, what, missing_share):
    """Returns a column as text, numbers and dates written as those of the training data."""
    if kind == "category" and column.kind == "M" and not column.absent.all():
        raise ValueError(
            f"{title(what)} must be text, as in the training data. Received: dates. Write them as "
            "they were there, such as by .dt.strftime('%Y-%m-%d')."
        )
    if kind not in ("number", "date") or style is None or column.absent.all():
        return texts(column)
    dates = column.kind == "M"
    if column.kind != "O" and dates != (kind == "date") and (dates or style != "ymd"):
        raise ValueError(
            f"{title(what)} must be {kind}s, as in the training data (text). "
            f"Received: {_WORDS[column.kind]}."
        )
    if dates:
        from adaptive_nets.data.columns.date_text import write_dates

        return write_dates(column.values, style)
    if column.kind != "O" and kind == "number":
        found = np.full(len(column.values), "", dtype=object)
        values = column.present + 0 if column.kind == "b" else column.present
        if column.kind == "f" and np.isinf(column.values).any():
            row = int(np.argmax(np.isinf(column.values)))
            raise ValueError(
                f"{title(what)} must be finite. Received: infinity, first in row {row}."
            )
        if split_style(style)[1] == PERCENT and values.any():
            row = int(np.argmax(~column.absent & (column.values != 0)))
            raise ValueError(
                f"{title(what)} was written with percent signs in the training data, so a number "
                "without one may mean either. Write 0.5 as '0.5%' or as '50%'. Received: "
                f"{show(column.values[row].item())}, first in row {row}."
            )
        found[~column.absent] = write_numbers(values, style)
        return found
    found = texts(column)
    _report_unreadable(found, kind, style, what, missing_share)
    return found


def _as_days(column, what):
    """Returns days as numbers such as 20141013."""
    from adaptive_nets.data.columns.date_text import days_of_numbers, numbers_of_days

    if column.kind == "M":
        found = numbers_of_days(column.values)
        bad = column.values != column.values.astype("M8[D]")
    else:
        found = column.values.astype("float64")
        bad = np.isnat(days_of_numbers(found))
    bad &= ~column.absent
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"{title(what)} must be days, as numbers such as 20141013 or as dates without a time. "
            f"Received: {_shown(column.values[row])}, first in row {row}."
        )
    return np.where(column.absent, np.nan, found)


def _shown(value):
    return str(value) if value.dtype.kind == "M" else show(value.item())


def _report_unreadable(found, kind, style, what, missing_share):
    """Says which texts are read as missing because they are not numbers or dates.

    In the training data there may have been some, which the schema tells of. Where most values are
    such, as in a column of dates whose months come first, it is an error.
    """
    import pandas as pd

    from adaptive_nets.data.columns.date_text import parse_dates

    codes, distinct = pd.factorize(pd.Series(found, dtype=object))
    distinct = np.asarray(distinct, dtype=object)[:_MOST_CHECKED]
    _, absent, bad = (parse_numbers if kind == "number" else parse_dates)(distinct, style)
    if bad.sum() <= most_odd((~absent).sum()):
        return
    first = distinct[bad][0]
    text = f"{title(what)} has values that are no {kind}s as in the training data ({style})"
    shown = f"Received: {show(first)}, first in row {int(np.argmax(found == first))}."
    known = codes < len(bad)
    share = bad[codes[known]].mean()
    if bad.sum() > 1 and share > (1 + missing_share) / 2:
        raise ValueError(f"{text}. Write them in the same way. {shown}")
    warnings.warn(f"{text}, and are read as missing. {shown}", stacklevel=2)


def _parsed(column, kind, dtype, style, what):
    """Returns text as the numbers or dates that it is."""
    if kind == "date":
        from adaptive_nets.data.columns.date_text import parse_dates

        found, absent, bad = parse_dates(column.values, "ymd")
    elif kind == "boolean":
        found, absent, bad = _booleans(column.values)
    else:
        found, absent, bad = parse_numbers(column.values)
        # Percentages may have been learnt as 13.5 or as 0.135.
        bad |= np.array([PERCENT in text for text in column.values]) & (found != 0) & ~absent
        if bad.any() and style == CLOCK:
            found, absent, bad = parse_numbers(column.values, CLOCK)
        if dtype == "int64" and not bad.any() and (np.abs(found[~absent]) >= EXACT).any():
            return _large(column.values, absent, what)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"{title(what)} must be {_wanted(kind, dtype)}, as in the training data ({dtype}). "
            f"Received: {show(column.values[row])}, first in row {row}."
        )
    return Column(found, absent | column.absent)


def _large(texts, absent, what):
    """Returns whole numbers as text, some of which float64 would round, as int64."""
    found = np.zeros(len(texts), dtype="int64")
    for row in np.flatnonzero(~absent):
        plain = re.fullmatch(r"\s*([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d{1,3})?)\s*", texts[row])
        number = Decimal(plain[1]) if plain else None
        if number is None or not MISSING_INTEGER < number < 2**63 or number % 1:
            raise ValueError(
                f"{title(what)} must be int64, as in the training data, which cannot hold every "
                f"value exactly. Received: {show(texts[row])}, first in row {row}."
            )
        found[row] = int(number)
    return Column(found, absent)


def _booleans(values):
    words = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}
    lower = [text.strip().lower() for text in values]
    found = np.array([words.get(text, np.nan) for text in lower])
    absent = np.array([text in ("", "nan", "none", "null", "na", "<na>") for text in lower])
    return found, absent, np.isnan(found) & ~absent
