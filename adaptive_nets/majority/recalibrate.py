"""Batch statistics for the kernel that is deployed."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np

from adaptive_nets.keras_internals import layers_in
from adaptive_nets.majority.refusals import check_graph


def recalibrate(model: keras.Model, data: Any, batch_size: int = 256) -> keras.Model:
    """Estimates the moving statistics of all batch normalisations anew, with the mean kernels.

    In training the statistics are those of the drawn kernels' activations, and weigh the last
    batches most. Here each is the mean over all batches of the data. Nothing else changes: no
    weight is trained, nothing is dropped out.

    Args:
        model: A built model, majority or collapsed; its statistics are changed in place.
        data: Inputs, as `model.predict` takes them, or an iterable of batches, such as a
            `tf.data.Dataset`; of a tuple the first element is the inputs.
        batch_size: Rows a batch, for arrays. Defaults to 256.

    Returns:
        The model. Frozen normalisations keep their statistics.

    Raises:
        ValueError: The model is subclassed or not built, or there is no data.

    Example:

    ```python
    import keras
    import numpy as np
    import adaptive_nets as an

    layers = [keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    an.majority.recalibrate(model, np.random.rand(64, 4))
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
                # The running mean of what came so far.
                layer.momentum = number / (number + 1)
            model(batch, training=False)
    if norms and number < 0:
        raise ValueError(
            f"Cannot recalibrate {model.name!r}: there is no data. Expected inputs, or an "
            "iterable of batches."
        )
    return model


@contextlib.contextmanager
def _estimating(layer: keras.layers.BatchNormalization) -> Iterator[None]:
    """Within it the layer normalises by its batch and keeps statistics, whatever it is told."""
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
