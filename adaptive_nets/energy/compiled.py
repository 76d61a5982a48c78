"""One compiled function on each backend."""

from collections.abc import Callable
from typing import Any

import keras


def compiled(function: Callable) -> Callable:
    """Compiles a function of tensors, which draws nothing and changes no variable."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, autograph=False, reduce_retracing=True)
    return function


def as_tensors(*values: Any) -> tuple[Any, ...]:
    """Variables as plain tensors, for a compiled function."""
    return tuple(keras.ops.convert_to_tensor(keras.ops.convert_to_numpy(v)) for v in values)


def kept(model: Any, key: Any, make: Callable[[], Any]) -> Any:
    """What was made for a model before, by a key, or is made now."""
    known = vars(model).setdefault("_kept_functions", {})
    if key not in known:
        known.clear()  # Of other sizes.
        known[key] = make()
    return known[key]
