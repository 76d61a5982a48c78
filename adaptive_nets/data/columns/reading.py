"""Columns as the arrays that an encoding takes, without loss, or not at all."""

from typing import Any

import numpy as np

from adaptive_nets._values import show
from adaptive_nets.data.columns.number_text import parse_numbers
from adaptive_nets.data.columns.values import EXACT, MISSING_INTEGER, Column, texts
from adaptive_nets.data.values import cast_exactly

_WORDS = {"b": "booleans", "i": "numbers", "u": "numbers", "f": "numbers", "M": "dates"}


def read_column(given: Any, kind: str, dtype: str, style: str | None, what: str) -> np.ndarray:
    """Returns the values of a column, some of which may be missing, in a dtype.

    Missing values are NaN among floating-point numbers, `""` among strings, and the least int64
    among whole numbers and times, which are microseconds since 1970.

    Args:
        given: The values, one per row.
        kind: Kind of the feature, such as `"number"`.
        dtype: `"string"`, `"int64"`, or a floating-point dtype.
        style: How numbers and dates are written as text, or `None`.
        what: Name of the column in error messages.

    Raises:
        ValueError: A value cannot be read. The first is named with its row.
    """
    column = Column.of(given, what)
    if dtype == "string":
        return _as_strings(column, kind, style)
    if column.kind == "O":
        column = _parsed(column, kind, dtype, what)
    if column.kind == "i" and dtype == "int64":
        # What has been read before is read again as it is.
        column = Column(column.values, column.absent | (column.values == MISSING_INTEGER))
        kind = "number"
    if (column.kind == "M") != (kind == "date") and not column.absent.all():
        wanted = "dates" if kind == "date" else "numbers"
        raise ValueError(
            f"{what[0].upper() + what[1:]} must be {wanted}, as in the training data ({dtype}). "
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
        found[column.absent] = np.nan if np.dtype(dtype).kind == "f" else MISSING_INTEGER
    return found


def _as_strings(column, kind, style):
    if kind == "date" and column.kind == "M" and style is not None:
        from adaptive_nets.data.columns.date_text import write_dates

        return write_dates(column.values, style)
    found = texts(column)
    if kind == "number" and column.kind in "iuf" and style == "1.234,5":
        found = np.array([text.replace(".", ",") for text in found], dtype=object)
    return found


def _parsed(column, kind, dtype, what):
    """Returns text as the numbers or dates that it is."""
    if column.absent.all():
        return Column(np.full(len(column.values), np.nan), column.absent)
    if kind == "date":
        from adaptive_nets.data.columns.date_text import parse_dates

        found, absent, bad = parse_dates(column.values, "ymd")
    elif kind == "boolean":
        found, absent, bad = _booleans(column.values)
    else:
        found, absent, bad = parse_numbers(column.values)
        if dtype == "int64" and not bad.any():
            whole = np.array([int(text) if text.strip().lstrip("+-").isdigit() else 0
                              for text in column.values], dtype=object)  # fmt: skip
            if (np.abs(found[~absent]) >= EXACT).any():
                return Column.of(np.where(absent, None, whole), what)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        wanted = {"date": "dates", "boolean": "booleans"}.get(kind, "numbers")
        raise ValueError(
            f"{what[0].upper() + what[1:]} must be {wanted}, as in the training data ({dtype}). "
            f"Received: {show(column.values[row])}, first in row {row}."
        )
    return Column(found, absent | column.absent)


def _booleans(values):
    words = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}
    lower = [text.strip().lower() for text in values]
    found = np.array([words.get(text, np.nan) for text in lower])
    absent = np.array([text in ("", "nan", "none", "null", "na", "<na>") for text in lower])
    return found, absent, np.isnan(found) & ~absent
