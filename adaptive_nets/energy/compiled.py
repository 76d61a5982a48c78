"""Compiled functions on each backend."""

from collections.abc import Callable
from typing import Any

import keras


def compiled(function: Callable) -> Callable:
    """Compiles a function of tensors that draws nothing and changes no variable."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, autograph=False, reduce_retracing=True)
    return function


def has_accelerator() -> bool:
    """Returns whether TensorFlow sees a GPU or a TPU."""
    import tensorflow as tf

    return any(tf.config.list_logical_devices(kind) for kind in ("GPU", "TPU"))


def replicated(model: Any) -> bool:
    """Returns whether TensorFlow trains a model on several devices at once."""
    strategy = getattr(model, "distribute_strategy", None)
    return strategy is not None and strategy.num_replicas_in_sync > 1


def compile_default(model: Any) -> None:
    """Compiles a machine with Adagrad, several steps in one execution where that is faster."""
    # Under JAX several steps at once take as much longer to compile; Keras has no such steps on
    # replicas.
    steps = 10 if keras.backend.backend() == "tensorflow" and not replicated(model) else 1
    model.compile(keras.optimizers.Adagrad(0.03), steps_per_execution=steps)


def as_tensors(*values: Any) -> tuple[Any, ...]:
    """Converts variables to plain tensors, for a compiled function."""
    return tuple(keras.ops.convert_to_tensor(keras.ops.convert_to_numpy(v)) for v in values)


def kept(model: Any, kind: str, units: int, make: Callable[[], Any]) -> Any:
    """Returns a model's cached function for this number of units, or makes it."""
    known = vars(model).setdefault("_kept_functions", {})
    if kind not in known or known[kind][0] != units:
        known[kind] = units, make()
    return known[kind][1]
