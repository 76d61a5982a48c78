"""Reads raw values as arrays, and casts arrays without loss."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from adaptive_nets._dtypes import whole_dtype
from adaptive_nets._pieces import blocks
from adaptive_nets._values import show, tried

# Dtypes of features are not narrower than those of the data.
_WIDER = {"uint16": "int32", "uint32": "int64", "uint64": "int64"}

_TEXT = (str, bytes)
_NUMBERS = (int, float, np.number, np.bool_)


def as_array(values: Any, what: str) -> np.ndarray:
    """Returns numbers, booleans or strings as an array of rows; strings as objects.

    Args:
        values: Array, tensor, (nested) list, column of a table.
        what: Name of the values in error messages.

    Raises:
        ValueError: They are of another kind, masked, or have no common shape.
    """
    title = what[0].upper() + what[1:]
    if hasattr(values, "toarray") and hasattr(values, "nnz"):
        raise ValueError(
            f"{title} must be a dense array. Call .toarray(). "
            f"Received: a sparse {type(values).__name__}."
        )
    if type(values).__name__ in ("KerasTensor", "RaggedTensor", "SparseTensor"):
        raise ValueError(
            f"{title} must be an array whose rows have one shape. "
            f"Received: {type(values).__name__}."
        )
    row = first_masked(values)
    if row is not None:
        raise ValueError(
            f"{title} must not be masked: missing values are not supported. Received: a masked "
            f"value, first in row {row}. Impute or drop such rows."
        )
    array = _as_array(values, title)
    if array.ndim == 0:
        raise ValueError(f"{title} must be an array of rows. Received: {type(values).__name__}.")
    if array.dtype == object:
        array = _read_objects(array, title)
    elif array.dtype.kind in "UST":
        array = array.astype(object)
    elif array.dtype.name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        array = array.astype("float32")
    if array.dtype.kind not in "fiubO":
        raise ValueError(
            f"{title} must be numbers or strings. Received: dtype {array.dtype}. "
            "Convert them to numbers first."
        )
    if any(size == 0 for size in array.shape[1:]):
        raise ValueError(
            f"{title} must have at least one value per row. "
            f"Received: an array of shape {array.shape}."
        )
    return array


def first_masked(values: Any) -> int | None:
    """Returns the first row in which a masked array, or a list of them, is masked, or `None`."""
    if isinstance(values, list | tuple):
        return next((k for k, v in enumerate(values) if _first_masked(v) is not None), None)
    return _first_masked(values)


def _first_masked(array):
    # A structured array is read field by field.
    if not isinstance(array, np.ma.MaskedArray) or array.dtype.names:
        return None
    places = np.argwhere(np.atleast_1d(np.ma.getmaskarray(array)))
    return int(places[0][0]) if len(places) else None


def _as_array(values, title):
    """Returns what NumPy makes of values, except where it would change them without a word."""
    # A memory map stays one.
    if isinstance(values, np.memmap):
        return values
    try:
        array = np.asarray(values)
        if hasattr(values, "dtype"):
            return array
        # NumPy makes strings of the numbers and of the NaN among the strings of a list, and
        # rounds a list of whole numbers of which some need more than 63 bits.
        if array.dtype.kind in "US" or (array.dtype.kind == "f" and _is_large(array)):
            array = np.asarray(values, dtype=object)
    except Exception as error:
        # Objects run code of their own when they are read, which may raise anything.
        raise ValueError(
            f"{title} must be an array whose rows have one shape. Received: "
            f"{type(values).__name__} of rows that differ in length, or that are not arrays."
        ) from error
    return array


def _is_large(array):
    return bool(array.size) and float(np.nanmax(np.abs(array), initial=0)) >= 2.0**53


def _read_objects(array, title):
    """Returns objects as numbers, or as they are if all are strings."""
    types = {type(value) for value in array.flat}
    if all(issubclass(kind, _TEXT) for kind in types):
        return array
    if not all(issubclass(kind, _NUMBERS) for kind in types):
        raise ValueError(_why_no_values(array, title))
    found = np.array(array.tolist())
    fraction = any(issubclass(kind, float | np.floating) for kind in types)
    if found.dtype.kind not in "fiub" or (found.dtype.kind == "f" and not fraction):
        raise ValueError(
            f"{title} must be numbers that fit in 64 bits. Received: whole numbers up to "
            f"{show(max(array.flat, key=abs))}."
        )
    return found


def _why_no_values(array, title):
    """Returns the message for the first object that is of another kind than those before."""
    place, found, mend, first = 0, None, "", next(iter(array.flat))
    for value in array.flat:
        if is_missing(value):
            found, mend = f"missing value {value!r}", "Impute or drop such rows."
        elif not isinstance(value, _TEXT + _NUMBERS):
            text = tried(lambda value=value: " ".join(str(value).split())[:40])
            found = f"{type(value).__name__} {text!r}"
            mend = "Convert such values, or pass an array [rows, ...] of numbers."
        elif isinstance(value, _TEXT) != isinstance(first, _TEXT):
            found, mend = f"{type(value).__name__} after {type(first).__name__}", "Convert them."
        if found is not None:
            break
        place += 1
    return (
        f"{title} must be numbers or strings. Received: mixed objects ({found}, first in row "
        f"{place // array[:1].size}). {mend}"
    )


def is_missing(value: Any) -> bool:
    """Returns whether a value is `None`, NaN, or the marker of a missing value of pandas."""
    # The markers of pandas are known by the names of their types, without importing it.
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(value != value)


def natural_dtype(array: np.ndarray) -> str:
    """Returns the dtype of a feature that is learnt from an array: never one its values decide.

    Floating-point numbers become `keras.config.floatx()`, but float32 where that is float16: half
    precision holds no number above 65,504.
    """
    if array.dtype.kind == "O":
        return "string"
    if array.dtype.kind == "f":
        return whole_dtype()
    return _WIDER.get(array.dtype.name, array.dtype.name)


def cast_exactly(array: np.ndarray, dtype: str, what: str) -> np.ndarray:
    """Casts an array without loss.

    Whole numbers and booleans are kept exactly. Numbers with a fraction can only become
    floating-point numbers, and are rounded to their precision.

    Args:
        array: Array, as returned by `as_array`.
        dtype: `"string"` or the name of a numeric dtype.
        what: Name of the values in error messages.

    Raises:
        ValueError: A value would change. The first is named with its row.
    """
    text = array.dtype.kind == "O"
    if (dtype == "string") != text:
        wanted, given = ("strings", array.dtype.name) if not text else ("numbers", "strings")
        raise ValueError(
            f"{what[0].upper() + what[1:]} must be {wanted}, as in the training data "
            f"({dtype}). Received: {given}."
        )
    if text or array.dtype == dtype or array.size == 0:
        return array if text else array.astype(dtype, copy=False)
    target = np.dtype(dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        found = array.astype(target)
    bad = _changed(array, found, target)
    if bad is not None and bad.any():
        place = tuple(np.argwhere(bad)[0])
        raise ValueError(
            f"{what[0].upper() + what[1:]} must be {dtype}, as in the training data, which cannot "
            f"hold every value exactly. Received: {array[place]} ({array.dtype.name}), first in "
            f"row {int(place[0])}. Convert it, or train on a wider dtype."
        )
    return found


def _changed(array, found, target):
    """Returns which values a cast has changed by more than rounding; `None` if none can be."""
    kind = array.dtype.kind
    if kind == "b":
        return None
    if target.kind == "b":
        return (array != 0) & (array != 1)
    if target.kind == "f":
        # What overflows becomes infinite, and is reported by `check_finite`.
        if kind == "f":
            return None
        return _bits(array) > np.finfo(target).nmant + 1
    info = np.iinfo(target)
    if kind == "f":
        return ~((array == np.trunc(array)) & (array >= info.min) & (array < float(info.max) + 1.0))
    if info.min <= int(array.min()) and int(array.max()) <= info.max:
        return None
    return found.astype(object) != array.astype(object)


def _bits(array):
    """Returns the number of significant bits of whole numbers."""
    if max(abs(int(array.min())), abs(int(array.max()))) <= 1 << 11:
        return np.zeros(array.shape, "int64")
    # The absolute value of the least int64 wraps to itself, and back here.
    signed = array.dtype.kind == "i"
    wide = (np.abs(array.astype("int64")) if signed else array).astype("uint64")
    lowest = np.where(wide == 0, 1, wide & (~wide + np.uint64(1)))
    return np.frexp((wide // lowest).astype("longdouble"))[1]


def check_finite(array: np.ndarray, name: str, missing: bool = False) -> None:
    """Raises a `ValueError` for NaN or infinite values, naming the feature and the first row.

    Args:
        array: Values.
        name: Name of the feature.
        missing: Whether NaN is allowed. Defaults to `False`.
    """
    if array.dtype.kind != "f":
        return
    start = 0
    for piece in blocks(array, 65536):
        bad = (np.isinf(piece) if missing else ~np.isfinite(piece)).reshape(len(piece), -1)
        if bad.any():
            row = start + int(np.flatnonzero(bad.any(axis=1))[0])
            raise ValueError(
                f"'{name}' must be finite. Received: {'' if missing else 'NaN or '}infinity, first "
                f"in row {row}. {'Set it to NaN' if missing else 'Impute'} or drop such rows."
            )
        start += len(piece)


def join_columns(columns: Iterable[np.ndarray], count: int, labels: int | None) -> np.ndarray:
    """Returns columns side by side, `[rows, columns]`. Only one is held besides.

    Args:
        columns: Arrays `[rows, 1]` of one dtype.
        count: Number of columns.
        labels: As for `check_lengths`.

    Raises:
        ValueError: They differ in their numbers of rows.
    """
    found, lengths = None, set()
    for place, column in enumerate(columns):
        lengths.add(len(column))
        if found is None:
            found = np.empty((len(column), count), column.dtype)
        if len(lengths) == 1:
            found[:, place] = column[:, 0]
    check_lengths(lengths, labels)
    return found


def check_lengths(lengths: set[int], labels: int | None) -> None:
    """Refuses features of different numbers of rows.

    Args:
        lengths: The numbers of rows.
        labels: Number of labels, or `None` if there are none.
    """
    if len(lengths | ({labels} - {None})) > 1:
        more = "" if labels is None else f", labels with {labels}"
        raise ValueError(
            "Features and labels must have the same number of rows. Received: features with "
            f"{' and '.join(map(str, sorted(lengths)))} rows{more}."
        )
