"""Gradients and Hessian-vector products of a model's loss, without a Hessian."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from adaptive_nets._checks import show
from adaptive_nets.keras_internals import compiled_loss

Values = list[Any]


class Derivatives:
    """The loss of a model as a function of its trainable variables' values.

    Nothing here changes the model: values are handed in, and what its layers would update is
    dropped. Layers run in inference mode, so that the loss is one smooth function, without dropout.

    Args:
        model: A built model.
        loss: A Keras loss, its name, or a function of `(y, outputs)` whose mean is taken; None is
            what the model was compiled with. The model's own regularizers are added.

    Raises:
        ValueError: If the model is not built, or has no loss and none is given.
    """

    def __init__(self, model: keras.Model, loss: Any = None) -> None:
        self.model = model
        self.loss = loss_of(model, loss)
        self._compiled = _compile(self._loss)

    def values(self) -> Values:
        """The trainable variables' values now."""
        return [ops.convert_to_tensor(v.value) for v in self.model.trainable_variables]

    def gradient(self, values: Values, x: Any, y: Any) -> tuple[Any, Values]:
        """The loss and its gradient."""
        return self._compiled[0](values, x, y)

    def product(self, values: Values, direction: Sequence[Any], x: Any, y: Any) -> Values:
        """The Hessian at `values`, times a direction of the same shapes."""
        pairs = zip(direction, values, strict=True)
        return self._compiled[1](values, [ops.cast(d, v.dtype) for d, v in pairs], x, y)

    def on(self, x: Any, y: Any) -> "OnBatch":
        """The same for one batch."""
        return OnBatch(self, _tensors(x), _tensors(y))

    def _loss(self, values: Values, x: Any, y: Any) -> Any:
        mapping = list(zip(self.model.trainable_variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True):
            total = self.loss(y, self.model(x, training=False))
            for extra in self.model.losses:
                total = total + ops.cast(ops.sum(extra), total.dtype)
        return total


class OnBatch:
    """The derivatives of a loss on one batch.

    Args:
        derivatives: Of the model.
        x: Inputs.
        y: Targets.
    """

    def __init__(self, derivatives: Derivatives, x: Any, y: Any) -> None:
        self._derivatives, self._x, self._y = derivatives, x, y

    def loss(self, values: Values) -> float:
        """The loss."""
        return float(self._derivatives.gradient(values, self._x, self._y)[0])

    def gradient(self, values: Values) -> Values:
        """Its gradient."""
        return self._derivatives.gradient(values, self._x, self._y)[1]

    def product(self, values: Values, direction: Sequence[Any]) -> Values:
        """Its Hessian times a direction."""
        return self._derivatives.product(values, direction, self._x, self._y)


def _tensors(data: Any) -> Any:
    return keras.tree.map_structure(ops.convert_to_tensor, data)


def loss_of(model: keras.Model, loss: Any) -> Callable[[Any, Any], Any]:
    """The loss as a function of targets and outputs, without regularizers."""
    if not isinstance(model, keras.Model):
        raise TypeError(
            "Cannot diagnose what is not a Keras model. Expected a built keras.Model. "
            f"Received: {type(model).__module__}.{type(model).__name__}."
        )
    if not model.built:
        raise ValueError(
            f"Cannot diagnose {model.name!r}: it is not built, so its weights do not exist. "
            "Expected a built model. Call it once on a batch. Received: built=False."
        )
    if loss is None:
        compiled = compiled_loss(model) if model.compiled else None
        if compiled is None:
            raise ValueError(
                f"Cannot diagnose {model.name!r}: it has no loss. Expected a compiled model, or "
                "a loss. Call model.compile(optimizer, loss), or pass loss=. Received: loss=None, "
                f"compiled={model.compiled}."
            )
        return compiled
    given = loss
    if isinstance(loss, str | dict):
        with contextlib.suppress(TypeError, ValueError):
            loss = keras.losses.get(loss)
    if not callable(loss):
        raise TypeError(
            f"loss must be a Keras loss, its name or a function. Received: loss={show(given)}."
        )
    return lambda y, outputs: _mean(loss(y, outputs))


def _mean(losses: Any) -> Any:
    # keras.ops.mean goes through float32 under JAX, which would drown finite differences.
    return ops.sum(losses) / ops.cast(ops.size(losses), losses.dtype)


def _compile(loss: Callable) -> tuple[Callable, Callable]:
    """Compiled functions: loss and gradient, and Hessian-vector product."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return _with_tensorflow(loss)
    if backend == "jax":
        return _with_jax(loss)
    raise NotImplementedError(
        "Cannot diagnose under this backend: second derivatives are written for two. Expected "
        f"KERAS_BACKEND=tensorflow or jax. Received: {show(backend)}."
    )


def _with_tensorflow(loss: Callable) -> tuple[Callable, Callable]:
    import tensorflow as tf

    zero = tf.UnconnectedGradients.ZERO

    @tf.function(reduce_retracing=True)
    def gradient(values, x, y):
        with tf.GradientTape() as tape:
            tape.watch(values)
            value = loss(values, x, y)
        return value, [_dense(g) for g in tape.gradient(value, values, unconnected_gradients=zero)]

    @tf.function(reduce_retracing=True)
    def product(values, direction, x, y):
        with tf.GradientTape() as outer:
            outer.watch(values)
            with tf.GradientTape() as inner:
                inner.watch(values)
                value = loss(values, x, y)
            found = inner.gradient(value, values, unconnected_gradients=zero)
            slope = sum(tf.reduce_sum(_dense(g) * d) for g, d in zip(found, direction, strict=True))
        return [_dense(g) for g in outer.gradient(slope, values, unconnected_gradients=zero)]

    def _dense(tensor):
        # An embedding's gradient comes as the rows that were read.
        return tf.convert_to_tensor(tensor)

    return gradient, product


def _with_jax(loss: Callable) -> tuple[Callable, Callable]:
    import jax

    @jax.jit
    def gradient(values, x, y):
        return jax.value_and_grad(loss)(values, x, y)

    @jax.jit
    def product(values, direction, x, y):
        slope = jax.grad(lambda at: loss(at, x, y))
        return jax.jvp(slope, (values,), (direction,))[1]

    return gradient, product
