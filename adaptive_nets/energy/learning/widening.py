"""Adds capacity for hidden units while `fit` runs."""

from typing import Any

import keras
import numpy as np

from adaptive_nets.graphs.adopt import retrace
from adaptive_nets.keras_internals import set_optimizer, unlocked, untrack

# Under JAX, reading one variable fetches all of them.
JAX_BATCHES = 50


class KeepRoom(keras.callbacks.Callback):
    """Doubles the capacity of an `InfiniteRBM` when it is full, and drops units that are zero.

    Logs the number of units after each epoch, as `units`.
    """

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if keras.backend.backend() != "jax" or batch % JAX_BATCHES == JAX_BATCHES - 1:
            self._look()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._look()
        if logs is not None:
            logs["units"] = self.model.n_units

    def _look(self) -> None:
        model = self.model
        if model.l1:
            give_up_zeros(model)
        if model.n_units == model.capacity and model.capacity != model.max_units:
            make_room(model, 2 * model.capacity)


def give_up_zeros(model: Any) -> None:
    """Drops the last units whose weights are all zero, except the first unit."""
    kernel, units = keras.ops.convert_to_numpy(model.kernel_variable), model.n_units
    kept = units
    while kept > 1 and not kernel[:, kept - 1].any():
        kept -= 1
    if kept < units:
        bias = np.array(keras.ops.convert_to_numpy(model.bias_variable))
        bias[kept:] = 0
        model.bias_variable.assign(bias)
        model.count.assign(kept)


def make_room(model: Any, capacity: int) -> None:
    """Increases a model's capacity, even while `fit` runs; no energy changes.

    Args:
        model: An `InfiniteRBM`.
        capacity: The new capacity, limited to the model's `max_units`.
    """
    capacity = capacity if model.max_units is None else min(capacity, model.max_units)
    optimizer, old = model.optimizer, (model.kernel_variable, model.bias_variable)
    values = [keras.ops.convert_to_numpy(variable) for variable in old]
    slots = [keras.ops.convert_to_numpy(variable) for variable in optimizer.variables]
    model.capacity = capacity
    with unlocked(model):
        for variable in old:
            untrack(model, variable)
        # They come last among the trainable variables, where they were.
        model.add_hidden(capacity, old[0].shape[0])
    for variable, value in zip((model.kernel_variable, model.bias_variable), values, strict=True):
        variable.assign(_padded(value, variable))
    new = type(optimizer).from_config(optimizer.get_config())
    if optimizer.built:
        new.build(model.trainable_variables)
    for variable, value in zip(new.variables, slots, strict=True):
        variable.assign(_padded(value, variable))
    set_optimizer(model, new)
    retrace(model)


def _padded(value: np.ndarray, variable: Any) -> np.ndarray:
    """Returns a variable's value with an array written into its first entries."""
    if tuple(value.shape) == tuple(variable.shape):
        return value
    whole = np.array(keras.ops.convert_to_numpy(variable))
    whole[tuple(slice(0, size) for size in value.shape)] = value
    return whole
