"""`Column`: the values of one column of a table, and which of them are missing."""

import dataclasses
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from adaptive_nets._values import show
from adaptive_nets.data.values import first_masked

# Stands for a missing value among whole numbers and times, as NumPy's NaT does.
MISSING_INTEGER = int(np.iinfo("int64").min)
# Whole numbers up to this one are exact as float64.
EXACT = 2**53
# What pandas calls objects that are all of one kind.
_DATES = ("datetime64", "datetime", "date")
# Numbers of Python's own kinds, which `infer_dtype` does not tell apart.
_REAL = (Fraction, Decimal, int, float, np.integer, np.floating)
_PLAIN = (str, bytes, bool, int, float, np.number, np.bool_)


@dataclasses.dataclass(frozen=True)
class Column:
    """Values of one kind, one per row.

    Args:
        values: `[rows]` booleans, numbers, `datetime64[us]`, or strings as objects. Missing ones
            are `False`, 0, NaN, NaT or `""`.
        absent: `[rows]` booleans: which values are missing.
        clock: Whether they came as durations or times of day, and are seconds. Defaults to `False`.
    """

    values: np.ndarray
    absent: np.ndarray
    clock: bool = False

    @classmethod
    def of(cls, given: Any, what: str) -> "Column":
        """Returns the column of an array, a list, a tensor or a part of a table.

        Numbers among strings become text.

        Args:
            given: The values, `[rows]` or `[rows, 1]`; `None`, NaN, NaT, and the missing values of
                pandas and of masked arrays are missing.
            what: Name of the column in error messages.

        Raises:
            ValueError: They are not one number, string, boolean or time per row.
        """
        array = _flat(given, what)
        if array.dtype.kind == "O":
            return _of_objects(array, what)
        if array.dtype.kind == "m":
            absent = np.isnat(array)
            seconds = array / np.timedelta64(1, "s")
            return cls(seconds, absent, True)
        if array.dtype.kind == "M":
            return cls(array.astype("datetime64[us]"), np.isnat(array))
        if array.dtype.kind == "f":
            array = array.astype("float64")
            return cls(array, np.isnan(array))
        if array.dtype.kind in "biu":
            return cls(array, np.zeros(len(array), bool))
        raise ValueError(
            f"{title(what)} must be numbers, strings, booleans or dates. Received: dtype "
            f"{array.dtype}."
        )

    @property
    def kind(self) -> str:
        """NumPy's letter of the kind of values: one of `b i u f M O`."""
        return self.values.dtype.kind

    @property
    def present(self) -> np.ndarray:
        """The values that are not missing."""
        return self.values[~self.absent] if self.absent.any() else self.values


def _flat(given, what):
    """Returns the values as an array `[rows]`, with masked ones as None."""
    if isinstance(given, np.ma.MaskedArray) and first_masked(given) is not None:
        given = given.astype(object).filled(None)
    if hasattr(given, "dtype") or hasattr(given, "__array__"):
        array = np.asarray(given)
    else:
        array = np.empty(len(given), dtype=object)
        array[:] = given
    if array.dtype.kind in "UST":
        array = array.astype(object)
    elif array.dtype.name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        array = array.astype("float32")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"{title(what)} must hold one value per row. Received: an array of shape {array.shape}."
        )
    return array


def _of_objects(array, what):
    import pandas as pd

    absent = pd.isna(array)
    kind = pd.api.types.infer_dtype(array, skipna=True)
    if kind == "string":
        _refuse_surrogates(array, absent, what)
        return Column(_filled(array, absent, ""), absent)
    if kind == "empty":
        return Column(np.full(len(array), np.nan), absent)
    if kind == "boolean":
        return Column(_filled(array, absent, False).astype(bool), absent)
    if kind in _DATES:
        return _of_times(array, absent, what)
    if kind in ("timedelta", "timedelta64"):
        return Column.of(pd.to_timedelta(array).to_numpy(), what)
    if kind == "time":
        return _of_clocks(array, absent)
    if kind == "period":
        return _of_times(_each(array, absent, lambda period: period.start_time), absent, what)
    if kind == "interval":
        return Column(_text(array, absent), absent)
    if kind == "integer":
        whole = _filled(array, absent, 0)
        least, most = min(whole.tolist()), max(whole.tolist())
        if least >= -(2**63) and most < 2**63:
            return Column(whole.astype("int64"), absent)
        return Column(_text(array, absent), absent)
    if kind in ("floating", "decimal", "mixed-integer-float"):
        found = _filled(array, absent, np.nan).astype("float64")
        whole = kind == "mixed-integer-float"
        if not whole or all(a == b for a, b in zip(found, array, strict=True) if a == a):
            return Column(found, absent)
    if kind == "mixed" and all(isinstance(value, _REAL) for value in array[~absent]):
        return Column(_each(array, absent, float).astype("float64"), absent)
    _refuse_others(array, absent, what)
    return Column(_text(array, absent), absent)


def _of_clocks(array, absent):
    """Returns times of day in seconds."""

    def seconds(time):
        return time.hour * 3600 + time.minute * 60 + time.second + time.microsecond / 1e6

    return Column(_each(array, absent, seconds).astype("float64"), absent, True)


def _each(array, absent, change):
    """Returns changed objects, with NaN where they are missing."""
    found = np.full(len(array), np.nan, dtype=object)
    found[~absent] = [change(value) for value in array[~absent]]
    return found


def _of_times(array, absent, what):
    import pandas as pd

    try:
        times = pd.to_datetime(pd.Series(array), utc=True).dt.tz_localize(None)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{title(what)} must be dates that pandas can hold. Received: {error}."
        ) from error
    return Column(times.to_numpy().astype("datetime64[us]"), absent)


def _filled(array, absent, value):
    if not absent.any():
        return array
    found = array.copy()
    found[absent] = value
    return found


def _refuse_others(array, absent, what):
    for row in np.flatnonzero(~absent):
        if not isinstance(array[row], _PLAIN):
            raise ValueError(
                f"{title(what)} must be numbers, strings, booleans or dates. Received: "
                f"{show(array[row])} ({type(array[row]).__name__}), first in row {row}. Convert "
                "the column, such as by .astype(str), or leave it out."
            )


def _refuse_surrogates(array, absent, what):
    """Refuses halves of characters, which neither files nor TensorFlow's strings can hold."""
    for row in np.flatnonzero(~absent):
        try:
            _ = array[row].isascii() or array[row].encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{title(what)} must be text that UTF-8 can write. Received: {show(array[row])}, "
                f"first in row {row}. Read the file in its encoding, or replace such characters: "
                '.str.encode("utf-8", "replace").str.decode("utf-8").'
            ) from error


def _text(array, absent):
    found = np.empty(len(array), dtype=object)
    found[:] = ["" if no else as_text(value) for value, no in zip(array, absent, strict=True)]
    return found


def as_text(value: Any) -> str:
    """Returns a value as the text that stands for it: 3 and 3.0 are both `"3"`."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, float | np.floating) and value == np.trunc(value) and abs(value) < EXACT:
        return str(int(value))
    return str(value)


def texts(column: Column) -> np.ndarray:
    """Returns a column as strings, `[rows]` objects; missing values as `""`.

    Args:
        column: The column.
    """
    if column.kind == "O":
        return column.values
    if column.kind == "M":
        found = np.datetime_as_string(column.values, unit="us").astype(object)
    elif column.kind == "f":
        found = _text(column.values, column.absent)
    else:
        found = column.values.astype(str).astype(object)
    return _filled(found, column.absent, "")


def title(what: str) -> str:
    """Returns the name of a column as the beginning of a message."""
    return what[0].upper() + what[1:]
