"""Weights that hold what was learnt from the training rows, and that training leaves alone."""

from typing import Any

import keras
import numpy as np


def add_statistic(
    layer: keras.Layer, name: str, shape: tuple[int, ...], values: Any | None
) -> keras.Variable:
    """Adds a weight that is not trained, of float32 whatever the layer computes in.

    Args:
        layer: The layer.
        name: Name of the weight.
        shape: Shape of the weight.
        values: Array of this shape, or `None` for a layer whose weights are still to be loaded.
    """
    held = np.zeros(shape, "float32") if values is None else np.asarray(values, "float32")
    if held.shape != tuple(shape):
        raise ValueError(
            f"{type(layer).__name__}: {name} must have shape {tuple(shape)}, that of the inputs' "
            f"columns. Received: shape {held.shape}."
        )
    return layer.add_weight(
        shape=shape,
        initializer=lambda shape, dtype=None: keras.ops.convert_to_tensor(held, dtype),
        dtype="float32",
        trainable=False,
        autocast=False,
        name=name,
    )
