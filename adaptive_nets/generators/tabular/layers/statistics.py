"""Layers that hold what was learnt from the training rows, in weights that are not trained."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


class StatisticsLayer(keras.layers.Layer):
    """Reads columns of numbers in float32, by statistics of each column.

    Args:
        columns: Numbers of the columns to read. Defaults to `None`: all.
    """

    def __init__(self, columns: Sequence[int] | None = None, **kwargs: Any):
        # Half precision does not tell large numbers apart.
        super().__init__(autocast=False, **kwargs)
        self.columns = None if columns is None else [int(column) for column in columns]

    def count(self, input_shape: tuple[int | None, ...]) -> int:
        """Returns the number of columns that are read."""
        return input_shape[-1] if self.columns is None else len(self.columns)

    def read(self, inputs: Any) -> Any:
        """Returns the columns that are read, `[rows, columns]`."""
        x = ops.cast(inputs, "float32")
        return x if self.columns is None else ops.take(x, self.columns, axis=-1)

    def add_statistic(self, name: str, shape: tuple[int, ...], values: Any | None) -> Any:
        """Adds a weight that is not trained, of float32 whatever the layer computes in.

        Args:
            name: Name of the weight.
            shape: Shape of the weight.
            values: Array of this shape, or `None` where the weights are still to be loaded.
        """
        held = np.zeros(shape, "float32") if values is None else np.asarray(values, "float32")
        if held.shape != tuple(shape):
            raise ValueError(
                f"{type(self).__name__} needs {name} of shape {tuple(shape)}, that of the columns "
                f"it reads. Received: shape {held.shape}."
            )
        return self.add_weight(
            shape=shape,
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(held, dtype),
            dtype="float32",
            trainable=False,
            autocast=False,
            name=name,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "columns": self.columns}
