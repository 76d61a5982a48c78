"""Compilation of a model that was made of another."""

import inspect
from collections.abc import Callable
from typing import Any

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
    own = [
        any(name in vars(each) for each in type(made).__mro__ if each not in keras.Model.__mro__)
        for name in ("compile", "compile_from_config")
    ]
    if own == [True, False]:
        _compile_by_own(source, made, config)
    else:
        made.compile_from_config(config)
    if optimizer is not None and source.optimizer is not None and source.optimizer.built:
        set_optimizer(made, optimizer(source.optimizer))


def _compile_by_own(source: keras.Model, made: keras.Model, config: dict[str, Any]) -> None:
    """Calls a `compile` of the class itself, which Keras would leave: a generator has a sampler."""
    given = keras.saving.deserialize_keras_object(config)
    names = inspect.signature(type(made).compile).parameters
    given = {name: value for name, value in given.items() if name in names}
    held = {name: vars(source)[name] for name in names if name in vars(source)}
    made.compile(**{**held, **given})


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
