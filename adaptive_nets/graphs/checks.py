"""Checks of models, and of what is put into them."""

from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import show


def check_model(name: str, model: Any) -> keras.Model:
    """Refuses what is not a built Keras model.

    Args:
        name: Name of the argument.
        model: What was passed for it.

    Returns:
        The model.

    Raises:
        TypeError: If it is something else.
        ValueError: If it is not built.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"{name} must be a keras.Model. Received: {name}={show(model)}.")
    if not model.built:
        raise ValueError(
            f"{name} must be built: call it on data, or give it a keras.Input. "
            f"Received: {name}={show(model)}, which has no weights yet."
        )
    return model


def check_inputs(name: str, data: Any, model: keras.Model | None = None) -> None:
    """Refuses rows that are not arrays of numbers or text, or not of a model's input shape.

    Args:
        name: Name of the argument.
        data: Array or tensor, or a dict or list of them.
        model: Model that is to take them. Defaults to `None`: shapes are not compared.

    Raises:
        ValueError: If they are something else, or not finite.
    """
    arrays = [data] if _is_nested_numbers(data) else keras.tree.flatten(data)
    if not arrays:
        raise ValueError(f"{name} must be an array of rows. Received: {name}={show(data)}.")
    found = [_array(name, part) for part in arrays]
    inputs = getattr(model, "inputs", None) or []
    for array, wanted in zip(found, inputs, strict=False):
        shape = tuple(wanted.shape)
        same = array.ndim == len(shape) and all(
            s in (None, n) for s, n in zip(shape[1:], array.shape[1:], strict=True)
        )
        # Keras adds the axis of single numbers.
        if not same and not (array.ndim == 1 and len(shape) == 2 and shape[1] in (None, 1)):
            raise ValueError(
                f"{name} must have the shape of the model's input, {list(shape)}. "
                f"Received: {name} of shape {list(array.shape)}."
            )


def _is_nested_numbers(data):
    """Returns whether it is a list of lists of numbers, rather than a list of arrays."""
    if not isinstance(data, list | tuple) or not data:
        return False
    while isinstance(data, list | tuple) and data:
        data = data[0]
    return not hasattr(data, "shape")


def _array(name, part):
    try:
        array = keras.ops.convert_to_numpy(part) if keras.ops.is_tensor(part) else np.asarray(part)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be an array of rows. Received: {str(error).splitlines()[0]}."
        ) from error
    text = array.dtype.kind in "US" or (
        array.dtype == object and all(isinstance(v, str | bytes) for v in array.flat)
    )
    if array.ndim == 0 or not (
        text or array.dtype.kind in "biuf" or array.dtype.name == "bfloat16"
    ):
        raise ValueError(f"{name} must be an array of rows. Received: {name}={show(part)}.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise ValueError(f"{name} must be finite. Received: NaN or infinity, first in row {row}.")
    return array
