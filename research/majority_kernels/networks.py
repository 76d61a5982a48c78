"""The networks: an MLP for digits, a small residual network for CIFAR-10; stock or majority."""

import dataclasses
from typing import Any

import keras

import adaptive_nets as an


@dataclasses.dataclass(frozen=True)
class Kernels:
    """What kernels a network has.

    Args:
        factor: How many kernels a layer trains; 1: stock layers.
        distribution: Of the weights that mix them.
        scope: What shares a draw.
        spread: How the kernels begin.
        init_scale: The initial kernels' variance, relative to the usual one.
        dropout: The rate before each hidden layer's reader.
    """

    factor: int = 1
    distribution: str = "dirichlet"
    scope: str = "layer"
    spread: str = "independent"
    init_scale: float = 1.0
    dropout: float = 0.0

    def options(self) -> dict[str, Any]:
        """The arguments of a layer."""
        initializer = keras.initializers.VarianceScaling(self.init_scale, "fan_avg", "uniform")
        found: dict[str, Any] = {"kernel_initializer": initializer}
        if self.factor > 1:
            found |= {"factor": self.factor, "distribution": self.distribution}
            found |= {"scope": self.scope, "kernel_spread": self.spread}
        return found

    def dense(self, units: int, activation: str | None = None) -> keras.Layer:
        """A dense layer."""
        kind = keras.layers.Dense if self.factor == 1 else an.layers.MajorityDense
        return kind(units, activation, **self.options())

    def convolution(self, filters: int, size: int = 3, strides: int = 1) -> keras.Layer:
        """A convolution without a bias."""
        kind = keras.layers.Conv2D if self.factor == 1 else an.layers.MajorityConv2D
        return kind(filters, size, strides, padding="same", use_bias=False, **self.options())


def mlp(kernels: Kernels) -> keras.Model:
    """64 features, two hidden layers of 64 units, 10 classes."""
    layers = [keras.Input((64,))]
    for _ in range(2):
        layers.append(kernels.dense(64, "relu"))
        if kernels.dropout:
            layers.append(keras.layers.Dropout(kernels.dropout))
    return keras.Sequential([*layers, kernels.dense(10)])


def resnet(kernels: Kernels) -> keras.Model:
    """Three stages of a residual block each, 16, 32 and 64 filters: 78,042 parameters."""
    inputs = keras.Input((32, 32, 3))
    x = _normed(kernels.convolution(16)(inputs))
    x = keras.layers.Activation("relu")(x)
    for stage, filters in enumerate((16, 32, 64)):
        strides = 1 if stage == 0 else 2
        y = keras.layers.Activation("relu")(
            _normed(kernels.convolution(filters, strides=strides)(x))
        )
        y = _normed(kernels.convolution(filters)(y))
        if strides > 1:
            x = _normed(kernels.convolution(filters, 1, strides)(x))
        x = keras.layers.Activation("relu")(keras.layers.Add()([x, y]))
    x = keras.layers.GlobalAveragePooling2D()(x)
    if kernels.dropout:
        x = keras.layers.Dropout(kernels.dropout)(x)
    return keras.Model(inputs, kernels.dense(10)(x))


def _normed(x):
    return keras.layers.BatchNormalization(momentum=0.9)(x)
