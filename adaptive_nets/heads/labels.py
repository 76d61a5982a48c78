"""Reads raw labels of any container into one NumPy array of a known kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets._values import elements, show


def read_labels(y: Any, head: str) -> np.ndarray:
    """Reads raw labels into one array without missing or non-finite values.

    Args:
        y: Array, (nested) list, pandas object or tensor.
        head: The head's name, for error messages.

    Returns:
        Array of booleans, integers or floats, or an object array of `str`.

    Raises:
        ValueError: `y` is not a single array, or has missing, non-finite or mixed values.
    """
    if isinstance(y, np.ma.MaskedArray) and np.ma.getmaskarray(y).any():
        row = int(np.argwhere(np.ma.getmaskarray(y))[0][0])
        raise ValueError(
            f"Cannot read the labels of head '{head}': a label is missing. Remove or fill such "
            f"rows. Received: a masked value in row {row}."
        )
    try:
        if type(y).__name__ in ("RaggedTensor", "SparseTensor", "KerasTensor"):
            raise TypeError("a tensor of that kind has no rows of one shape")
        array = keras.ops.convert_to_numpy(y) if keras.ops.is_tensor(y) else np.asarray(y)
        if array.dtype.kind in "US" and not isinstance(y, np.ndarray):
            # NumPy has turned numbers and NaN among the strings of a list into strings.
            array = np.asarray(y, dtype=object)
    except Exception as error:
        # Objects run code of their own when they are read, which may raise anything.
        raise ValueError(
            f"Cannot read the labels of head '{head}': expected one array, list, pandas object or "
            f"tensor with one label per row. Received: {type(y).__name__} {show(y)}."
        ) from error
    if array.ndim == 0:
        raise ValueError(
            f"Cannot read the labels of head '{head}': expected one label per example, "
            f"of shape [n] or [n, k]. Received: {type(y).__name__} "
            f"{show(y)}."
        )
    if array.dtype.kind in "OUST":
        array = _read_objects(array, head)
    elif array.dtype.name in ("bfloat16", "float16"):
        array = array.astype("float32")
    if array.dtype.kind not in "biufO":
        raise ValueError(
            f"Cannot read the labels of head '{head}': expected numbers, booleans or strings. "
            f"Received: dtype {array.dtype.name}."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise ValueError(
            f"Cannot read the labels of head '{head}': every label must be finite. Remove or fill "
            f"such rows. Received: {array[row]} in row {row} (NaN or inf)."
        )
    return array


def read_class_column(y: Any, head: str) -> np.ndarray:
    """Reads one class label per example.

    Args:
        y: Raw labels `[n]` or `[n, 1]`.
        head: The head's name, for error messages.

    Returns:
        int64 array `[n]`, or object array `[n]` of `str`.

    Raises:
        ValueError: As in `read_labels`, or the shape or type is not that of class labels.
    """
    array = read_labels(y, head)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"Cannot read the labels of head '{head}': expected one class per example, shape [n] "
            f"or [n, 1]. For one-hot labels pass class indices, y.argmax(-1); for several labels "
            f"per example use MultiLabel. Received: shape {list(array.shape)}."
        )
    if array.dtype.kind == "O":
        return array
    if array.dtype.kind == "f" and (array != np.round(array)).any():
        row = int(np.argmax(array != np.round(array)))
        raise ValueError(
            f"Cannot read the labels of head '{head}': expected class labels that are integers or "
            f"strings. For continuous targets use Regression. Received: {array[row]} in row {row}."
        )
    # -2**63 is the only float64 of this size that int64 holds, and no label either.
    large = np.abs(array.astype("float64")) >= 2.0**63
    if large.any():
        row = int(np.argmax(large))
        raise ValueError(
            f"Cannot read the labels of head '{head}': expected class labels that fit in 64 bits. "
            f"Received: {array[row]} in row {row}."
        )
    return array.astype("int64")


def are_booleans(y: Any) -> bool:
    """Returns whether raw labels that a head has read are booleans."""
    array = keras.ops.convert_to_numpy(y) if keras.ops.is_tensor(y) else np.asarray(y)
    if array.dtype == object:
        # As of a pandas column of dtype "boolean".
        return all(isinstance(value, bool | np.bool_) for value in array.flat)
    return array.dtype == bool


def check_class_names(
    class_names: Iterable[str | int | bool] | None, least: int, head: str
) -> list[str] | list[int] | list[bool] | None:
    """Returns class names as a list of plain `str`, `int` or `bool`, or raises `ValueError`."""
    if class_names is None:
        return None
    rule = (
        f"`class_names` must be at least {least} different names: all strings, all integers, or "
        "True and False"
    )
    listed = isinstance(class_names, Iterable) and not isinstance(class_names, str | bytes)
    names = elements(class_names) if listed else None
    if names is None:
        raise ValueError(
            f"Cannot make head '{head}': {rule}. Received: class_names={show(class_names)}."
        )
    if all(isinstance(name, str) for name in names):
        names = [str(name) for name in names]
    elif names and all(isinstance(name, bool | np.bool_) for name in names):
        names = [bool(name) for name in names]
    elif all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in names):
        names = [int(name) for name in names]
    else:
        raise ValueError(f"Cannot make head '{head}': {rule}. Received: class_names={show(names)}.")
    if len(names) < least or len(set(names)) != len(names):
        raise ValueError(f"Cannot make head '{head}': {rule}. Received: class_names={show(names)}.")
    return names


def abridge(values: Sequence[Any], most: int = 5) -> str:
    """Returns the first few values as text, short enough for an error message."""
    shown = ", ".join(repr(value) for value in values[:most])
    return f"[{shown}, ...] ({len(values)} values)" if len(values) > most else f"[{shown}]"


def _read_objects(array: np.ndarray, head: str) -> np.ndarray:
    values = [_decode(value) for value in array.ravel().tolist()]
    for row, value in enumerate(values):
        if _is_missing(value):
            raise ValueError(
                f"Cannot read the labels of head '{head}': a label is missing. Remove or fill such "
                f"rows. Received: {show(value)} as label {row}."
            )
    strings = sum(isinstance(value, str) for value in values)
    if strings == len(values):
        objects = np.empty(len(values), dtype=object)
        objects[:] = values
        return objects.reshape(array.shape)
    numbers = None
    if strings == 0:
        try:
            numbers = np.array(values)
        except ValueError:
            numbers = None
    if numbers is None or numbers.dtype.kind not in "biuf" or numbers.ndim != 1:
        kinds = sorted({type(value).__name__ for value in values})
        raise ValueError(
            f"Cannot read the labels of head '{head}': expected labels of one type, numbers or "
            f"strings, in rows of equal length. Received: {' and '.join(kinds)}."
        )
    return numbers.reshape(array.shape)


def _decode(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _is_missing(value: Any) -> bool:
    # This package does not depend on pandas, so its markers are recognized by type name.
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value
