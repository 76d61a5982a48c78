"""RealMLP's layers: kernels of unit scale, and learning rates that differ between weights."""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from adaptive_nets._checks import show

register = keras.saving.register_keras_serializable(package="adaptive_nets")


@register
class InputScale(keras.layers.Layer):
    """Multiplies each feature by a learnt scale, 1 at first.

    Args:
        rate: Factor on the learning rate of the scales, exact for optimizers such as Adam whose
            steps do not depend on the gradient's size. Defaults to 6.

    Reference: Holzmüller et al., "Better by Default" (RealMLP), arXiv 2407.04491.
    """

    def __init__(self, rate: float = 6.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate = rate

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        first = keras.initializers.Constant(1 / self.rate)
        self.scale = self.add_weight(shape=input_shape[-1:], initializer=first, name="scale")

    def call(self, inputs: Any) -> Any:
        return inputs * (self.rate * self.scale)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


@register
class ScaledDense(keras.layers.Layer):
    """A dense layer whose kernel has unit scale: its output is divided by sqrt(features).

    With an activation, each unit learns how much of it is applied: `z + (act(z) - z) a`, where a
    is 1 at first.

    Args:
        units: Number of units.
        activation: Name of a Keras activation, or the function. Defaults to `None`: linear.
        rate: Factor on the learning rate of biases and of a, exact for optimizers such as Adam
            whose steps do not depend on the gradient's size. Defaults to 0.1.

    Reference: Holzmüller et al., "Better by Default" (RealMLP), arXiv 2407.04491.
    """

    def __init__(
        self,
        units: int,
        activation: str | Callable | None = None,
        rate: float = 0.1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units, self.rate = units, rate
        if activation is not None and not isinstance(activation, str) and not callable(activation):
            raise ValueError(
                "activation must be a name, a function or None. "
                f"Received: activation={show(activation)}."
            )
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        linear = self.activation is keras.activations.linear
        normal = keras.initializers.RandomNormal(stddev=0.0 if linear else 1.0)
        around = keras.initializers.RandomNormal(stddev=0.0 if linear else 1 / self.rate)
        shape = (input_shape[-1], self.units)
        self.kernel = self.add_weight(shape=shape, initializer=normal, name="kernel")
        self.bias = self.add_weight(shape=(self.units,), initializer=around, name="bias")
        self.blend = None
        if not linear:
            first = keras.initializers.Constant(1 / self.rate)
            self.blend = self.add_weight(shape=(self.units,), initializer=first, name="blend_scale")

    def call(self, inputs: Any) -> Any:
        z = ops.matmul(inputs, self.kernel) / math.sqrt(inputs.shape[-1]) + self.rate * self.bias
        if self.blend is None:
            return z
        return z + (self.activation(z) - z) * (self.rate * self.blend)

    def get_config(self) -> dict[str, Any]:
        activation = keras.activations.serialize(self.activation)
        own = {"units": self.units, "activation": activation, "rate": self.rate}
        return {**super().get_config(), **own}
