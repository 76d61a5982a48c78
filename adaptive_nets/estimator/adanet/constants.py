"""Constants among what builders return, as values that a file can hold."""

from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import show
from adaptive_nets._values import tried

# What is not a constant, as None is one.
NONE = object()


def constant(value: Any) -> Any:
    """Returns numbers, text, and lists and dicts of them as JSON values; otherwise `NONE`.

    Args:
        value: The value. Tensors of a known value, as of `tf.constant`, are constants.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        found = {str(key): constant(each) for key, each in value.items()}
        return NONE if any(each is NONE for each in found.values()) else found
    if isinstance(value, list | tuple):
        found = [constant(each) for each in value]
        return NONE if any(each is NONE for each in found) else found
    if isinstance(value, keras.KerasTensor):
        return NONE
    array = tried(lambda: np.asarray(value))
    if array is None or array.dtype.kind not in "biufSU":
        return NONE
    text = array.astype(str) if array.dtype.kind in "SU" else array
    return text.tolist()


def number(name: str, value: Any) -> Any:
    """Returns a constant number.

    Raises:
        TypeError: It is not a constant number.
    """
    found = constant(value)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise TypeError(
            f"{name} must be a number, or a tensor of a known value. "
            f"Received: {name}={show(value)}."
        )
    return found
