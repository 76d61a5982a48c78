"""Compilation of a model that was made of another."""

from collections.abc import Callable

import keras

from adaptive_nets.keras_internals import set_optimizer

Optimizer = keras.optimizers.Optimizer


def compile_like(
    source: keras.Model,
    made: keras.Model,
    optimizer: Callable[[Optimizer], Optimizer] | None = None,
) -> None:
    """Compiles a model as another one is, if it is.

    Args:
        source: The other; it is not changed.
        made: The model.
        optimizer: From the other's built optimizer to one that goes on where it is. Defaults to
            `None`: the optimizer is new.
    """
    config = source.get_compile_config() if source.compiled else None
    if not config:
        return
    made.compile_from_config(config)
    if optimizer is not None and source.optimizer is not None and source.optimizer.built:
        set_optimizer(made, optimizer(source.optimizer))


def copy_optimizer(optimizer: Optimizer, model: keras.Model) -> Optimizer:
    """An optimizer for the copy of the model that another trains, with its slots and steps.

    Args:
        optimizer: The other, built. It is not changed.
        model: The copy: its weights are as the model's, in the same order.
    """
    new = type(optimizer).from_config(optimizer.get_config())
    new.build(model.trainable_variables)
    for old, variable in zip(optimizer.variables, new.variables, strict=True):
        variable.assign(keras.ops.copy(keras.ops.convert_to_tensor(old)))
    return new
