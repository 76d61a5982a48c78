"""Estimates batch statistics for the deployed kernels."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np

from adaptive_nets._deprecation import renamed_function
from adaptive_nets.keras_internals import layers_in
from adaptive_nets.majority.refusals import check_graph


def recalibrate_in_place(model: keras.Model, data: Any, batch_size: int = 256) -> keras.Model:
    """Re-estimates the moving statistics of all batch normalizations with the mean kernels.

    In training, the statistics are those of the drawn kernels' activations, and recent batches
    weigh most. Here, each statistic is the mean over all batches of the data. Nothing else
    changes: no weight is trained, and dropout is off.

    Args:
        model: A built majority or collapsed model. Its statistics are changed in place.
        data: Inputs, as in `model.predict`, or an iterable of batches, such as a
            `tf.data.Dataset`. If a batch is a tuple, its first element is the inputs.
        batch_size: Rows per batch of arrays. Defaults to `256`.

    Returns:
        The model itself. Frozen normalizations keep their statistics.

    Raises:
        ValueError: The model is subclassed or not built, or the data are empty.

    Example:

    ```python
    import keras
    import numpy as np
    import adaptive_nets as an

    layers = [keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    an.majority.recalibrate_in_place(model, np.random.rand(64, 4))
    ```
    """
    check_graph(model, "recalibrate")
    norms = [
        layer
        for layer in layers_in(model)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    with contextlib.ExitStack() as stack:
        for layer in norms:
            stack.enter_context(_estimating(layer))
        number = -1
        for number, batch in enumerate(_batches(data, batch_size) if norms else ()):
            for layer in norms:
                # The running mean of the batches so far.
                layer.momentum = number / (number + 1)
            model(batch, training=False)
    if norms and number < 0:
        raise ValueError(
            f"Cannot recalibrate {model.name!r}: the data are empty. Expected inputs or an "
            f"iterable of batches. Received: data of type {type(data).__name__}."
        )
    return model


recalibrate = renamed_function(
    recalibrate_in_place, "majority.recalibrate", "majority.recalibrate_in_place"
)


@contextlib.contextmanager
def _estimating(layer: keras.layers.BatchNormalization) -> Iterator[None]:
    """Within this block the layer normalizes by its batch and updates its statistics."""
    momentum = layer.momentum

    def call(inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        return type(layer).call(layer, inputs, training=True, mask=mask)

    vars(layer)["call"] = call
    try:
        yield
    finally:
        del vars(layer)["call"]
        layer.momentum = momentum


def _batches(data: Any, batch_size: int) -> Iterable[Any]:
    arrays = [x for x in keras.tree.flatten(data) if hasattr(x, "shape")]
    if not arrays:
        return (batch[0] if isinstance(batch, tuple) else batch for batch in data)
    rows = len(arrays[0])
    starts = range(0, rows, batch_size)
    return (
        keras.tree.map_structure(lambda x, i=i: np.asarray(x)[i : i + batch_size], data)
        for i in starts
    )
