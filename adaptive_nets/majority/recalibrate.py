"""Estimates batch statistics for the deployed kernels."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import check_integer
from adaptive_nets._deprecation import renamed_function
from adaptive_nets.graphs.read import check_inputs, yields_batches
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
    return estimate_statistics_in_place(model, data, batch_size)


def normalizations(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Returns the batch normalizations in a model, at any depth, that are not frozen.

    Those with `renorm` are left out: they train on their moving statistics, not on the batch's.
    """
    return [
        layer
        for layer in layers_in(model)
        if isinstance(layer, keras.layers.BatchNormalization)
        and layer.trainable
        # Older versions of Keras do not have it.
        and not getattr(layer, "renorm", False)
    ]


def estimate_statistics_in_place(
    model: keras.Model, data: Any, batch_size: int = 256
) -> keras.Model:
    """Does what `recalibrate_in_place` does, for a model of any kind that can be called."""
    batch_size = check_integer("batch_size", batch_size, 1)
    empty = isinstance(data, list | tuple | dict) and not data
    if not yields_batches(data) and not empty:
        check_inputs("data", data, model)
    norms = normalizations(model)
    number = -1
    for number, batch in enumerate(_batches(data, batch_size) if norms else ()):
        if number == 0:
            norms = _updated_in_training(model, norms, batch)
            counts = [0] * len(norms)
        with contextlib.ExitStack() as stack:
            for k, layer in enumerate(norms):
                stack.enter_context(_estimating(layer, counts, k))
            if norms:
                model(batch, training=False)
    has_no_rows = 0 in getattr(data, "shape", ())[:1]
    if has_no_rows or (norms and number < 0):
        raise ValueError(
            f"Cannot recalibrate {model.name!r}: the data are empty. Expected inputs or an "
            f"iterable of batches. Received: data of type {type(data).__name__}."
        )
    return model


def _updated_in_training(model, norms, batch):
    """Returns the normalizations whose statistics a training step changes.

    Those of a base that its model calls with `training=False` keep theirs.
    """
    saved = [(v, v.numpy()) for v in model.non_trainable_variables]
    updated = set()
    with contextlib.ExitStack() as stack:
        for layer in norms:
            stack.enter_context(_recording(layer, updated))
        model(keras.tree.map_structure(lambda x: x[:2], batch), training=True)
    for variable, value in saved:
        variable.assign(value)
    return [layer for layer in norms if id(layer) in updated]


@contextlib.contextmanager
def _replaced_call(layer: keras.Layer, call: Any) -> Iterator[None]:
    vars(layer)["call"] = call
    try:
        yield
    finally:
        del vars(layer)["call"]


@contextlib.contextmanager
def _recording(layer: keras.Layer, updated: set[int]) -> Iterator[None]:
    """Within this block the layer notes whether it is called in training."""

    def call(inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if training:
            updated.add(id(layer))
        return type(layer).call(layer, inputs, training=training, mask=mask)

    with _replaced_call(layer, call):
        yield


@contextlib.contextmanager
def _estimating(
    layer: keras.layers.BatchNormalization, counts: list[int], place: int
) -> Iterator[None]:
    """Within this block the layer normalizes by its batch and updates its statistics."""
    momentum = layer.momentum

    def call(inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        # The running mean of its calls so far, of which a shared layer has several in each batch.
        layer.momentum = counts[place] / (counts[place] + 1)
        counts[place] += 1
        return type(layer).call(layer, inputs, training=True, mask=mask)

    try:
        with _replaced_call(layer, call):
            yield
    finally:
        layer.momentum = momentum


recalibrate = renamed_function(
    recalibrate_in_place, "majority.recalibrate", "majority.recalibrate_in_place"
)


def _batches(data: Any, batch_size: int) -> Iterable[Any]:
    arrays = [x for x in keras.tree.flatten(data) if hasattr(x, "shape")]
    if not arrays:
        return (batch[0] if isinstance(batch, tuple) else batch for batch in data)
    rows = len(arrays[0])
    # Of about equal length: a last batch of few rows would weigh as much as the others.
    ends = np.linspace(0, rows, -(-rows // batch_size) + 1).astype(int)
    return (
        keras.tree.map_structure(lambda x, i=i, j=j: np.asarray(x)[i:j], data)
        for i, j in itertools.pairwise(ends)
    )
