"""How Keras keeps what a model is trained with."""

import types
from collections.abc import Callable, Sequence
from typing import Any

import keras


def compiled_loss(model: keras.Model) -> Callable[[Any, Any], Any] | None:
    """The loss that a model was compiled with, of targets and outputs; None without one."""
    loss = getattr(model, "_compile_loss", None)
    return None if loss is None else lambda y, outputs: model._compile_loss(y, outputs)


def set_optimizer(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
    """Exchanges the optimizer of a compiled model; all else of its compilation stays."""
    # The tracker of a built model would refuse the attribute.
    vars(model)["optimizer"] = optimizer
    model._compile_config.config["optimizer"] = optimizer


def forget_traces(model: keras.Model) -> None:
    """Drops what Keras froze or compiled of a model whose variables were exchanged."""
    # Keras keeps which layers were trainable at compilation.
    vars(model)["_compiled_trainable_state"] = {
        layer: layer.trainable for layer in model._flatten_layers()
    }
    for name in ("train_function", "test_function", "predict_function"):
        setattr(model, name, None)
    if hasattr(model, "_jax_state_synced"):
        model._jax_state = None
        model._jax_state_synced = True


def learning_rate_of(optimizer: keras.optimizers.Optimizer) -> Any:
    """An optimizer's learning rate as it was given: a variable or a schedule."""
    return optimizer._learning_rate


def set_learning_rate(optimizer: keras.optimizers.Optimizer, rate: Any) -> None:
    """Exchanges an optimizer's schedule."""
    optimizer._learning_rate = rate


def optimized_variables(optimizer: keras.optimizers.Optimizer) -> Sequence[keras.Variable]:
    """The weights that an optimizer was built for, in its order."""
    return optimizer._trainable_variables


def optimizer_variables(optimizer: keras.optimizers.Optimizer) -> Sequence[keras.Variable]:
    """All variables of an optimizer itself, without those of one inside it."""
    return optimizer._variables


# Lists of variables in an optimizer that are not slots.
_NO_SLOTS = ("_trainable_variables", "_variables", "_overwrite_variables_with_gradients")


def optimizer_slots(optimizer: keras.optimizers.Optimizer) -> dict[str, list[Any]]:
    """The slots of a built optimizer, a list as long as its weights by the name of each kind.

    Names have no underscore in front, such as "momentums"; a weight without a slot has None.
    """
    count = len(optimizer._trainable_variables)
    return {
        name.removeprefix("_"): values
        for name, values in vars(optimizer).items()
        if name not in _NO_SLOTS
        and isinstance(values, list)
        and len(values) == count
        and any(isinstance(value, keras.Variable) for value in values)
    }


def decays(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> bool:
    """Whether an optimizer applies its weight decay to a variable."""
    return optimizer.weight_decay is not None and optimizer._use_weight_decay(variable)


def drop_all_reduce(optimizer: keras.optimizers.Optimizer) -> None:
    """Lets an optimizer take its gradients as they are, without a sum over replicas."""
    if hasattr(optimizer, "_all_reduce_sum_gradients"):
        optimizer._all_reduce_sum_gradients = lambda grads_and_vars: grads_and_vars


def replica_loss(model: keras.Model, loss: Any) -> Any:
    """A loss as a model's training adds it up over replicas."""
    return model._aggregate_additional_loss(loss)


def loss_settings(loss: keras.losses.Loss) -> dict[str, Any]:
    """What a loss hands to its function; a loss without a function has nothing."""
    return getattr(loss, "_fn_kwargs", {})


def model_of(callback: keras.callbacks.Callback) -> keras.Model:
    """A callback's model, without fetching its state first as `callback.model` does under JAX."""
    return callback._model


def metric_direction(metric: keras.metrics.Metric) -> str | None:
    """Whether a metric is better `"up"` or `"down"`; None if Keras does not say."""
    return getattr(metric, "_direction", None)


def metrics_list(directions: dict[str, str]) -> Any:
    """What `model.metrics` holds, as callbacks with `mode="auto"` read it.

    Args:
        directions: `"up"` or `"down"` for each metric.
    """
    from keras.src.trainers.compile_utils import MetricsList

    return MetricsList(
        [types.SimpleNamespace(name=n, _direction=way) for n, way in directions.items()]
    )


def print_message(message: str) -> None:
    """Prints what `fit` would print, or logs it where a person has said so."""
    from keras.src.utils import io_utils

    io_utils.print_msg(message)
