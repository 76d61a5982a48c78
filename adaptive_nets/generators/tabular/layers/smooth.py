"""Numbers as they are, kept within bounds; and as waves."""

import math
from typing import Any

import keras
from keras import ops

from adaptive_nets.generators.tabular.layers.statistics import StatisticsLayer

register = keras.saving.register_keras_serializable(package="adaptive_nets")

# Beyond it, squares would leave the range of float32.
FAR = 1e12


@register
class SmoothClip(StatisticsLayer):
    """Centres and scales numbers, and keeps them smoothly between -3 and 3.

    A scaled number z becomes `z / sqrt(1 + (z / 3) ** 2)`.

    Args:
        center: `[columns]` to subtract. Defaults to `None`: a layer whose weights are loaded.
        scale: `[columns]`, > 0, to divide by. Defaults to `None`: a layer whose weights are loaded.
        columns: Numbers of the columns to read. Defaults to `None`: all.

    Call arguments:
        inputs: `[rows, columns]` numbers.

    Reference: Holzmüller et al., "Better by Default" (RealMLP), arXiv 2407.04491.
    """

    def __init__(self, center: Any | None = None, scale: Any | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.given = center, scale

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = (self.count(input_shape),)
        self.center = self.add_statistic("center", shape, self.given[0])
        self.scale = self.add_statistic("scale", shape, self.given[1])

    def call(self, inputs: Any) -> Any:
        z = (self.read(inputs) - self.center) / self.scale
        z = ops.clip(z, -FAR, FAR)
        return ops.cast(z / ops.sqrt(1.0 + (z / 3.0) ** 2), self.compute_dtype)

    def compute_output_spec(self, inputs: Any) -> Any:
        shape = (inputs.shape[0], self.count(inputs.shape))
        return keras.KerasTensor(shape, dtype=self.compute_dtype)


@register
class Periodic(keras.layers.Layer):
    """Embeds each number by waves of learnt frequencies, mixed by a linear map of its own.

    A number x becomes x itself and `cos(2 pi (x w + b)) V + c`.

    Args:
        units: Size of each column's embedding, with x itself, at least 2. Defaults to 4.
        frequencies: Number of waves. Defaults to 16.
        sigma: Standard deviation of the first frequencies. Defaults to 0.1.
        rate: Factor on the learning rate of these weights, exact for optimizers such as Adam whose
            steps do not depend on the gradient's size. Defaults to 0.1.

    Call arguments:
        inputs: `[rows, columns]` numbers of about unit scale.

    Returns:
        `[rows, columns, units]`.

    Reference: Holzmüller et al., "Better by Default" (RealMLP), arXiv 2407.04491.
    """

    def __init__(
        self,
        units: int = 4,
        frequencies: int = 16,
        sigma: float = 0.1,
        rate: float = 0.1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units, self.frequencies, self.sigma, self.rate = units, frequencies, sigma, rate

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        columns, waves, mixed = input_shape[-1], self.frequencies, self.units - 1
        normal = keras.initializers.RandomNormal(stddev=self.sigma / self.rate)
        turn = keras.initializers.RandomUniform(-0.5 / self.rate, 0.5 / self.rate)
        bound = 1 / (math.sqrt(waves) * self.rate)
        even = keras.initializers.RandomUniform(-bound, bound)
        shapes = {
            "frequency": ((columns, waves), normal),
            "phase": ((columns, waves), turn),
            "mixer": ((columns, waves, mixed), even),
            "bias": ((columns, mixed), even),
        }
        for name, (shape, initializer) in shapes.items():
            weight = self.add_weight(shape=shape, initializer=initializer, name=f"embedding_{name}")
            setattr(self, name, weight)

    def call(self, inputs: Any) -> Any:
        x = inputs[..., None]
        frequency, phase = self.rate * self.frequency, self.rate * self.phase
        waves = ops.cos(2 * math.pi * (x * frequency + phase))
        mixed = ops.einsum("bcw,cwu->bcu", waves, self.rate * self.mixer) + self.rate * self.bias
        return ops.concatenate([x, mixed], axis=-1)

    def get_config(self) -> dict[str, Any]:
        own = {"units": self.units, "frequencies": self.frequencies}
        return {**super().get_config(), **own, "sigma": self.sigma, "rate": self.rate}
