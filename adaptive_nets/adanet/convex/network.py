"""The network that AdaNet.CVX grows: layers of units that each read the whole layer below."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from adaptive_nets.adanet.convex.units import ACTIVATIONS
from adaptive_nets.adanet.convex.weight_problem import GrowingRows

if TYPE_CHECKING:
    import keras


@dataclasses.dataclass(frozen=True, eq=False)
class Unit:
    """A unit, which is frozen when it is added.

    Args:
        depth: Its layer k, from 1.
        direction: float64 `[n]` weights u of its inputs: the features, or the units that
            layer k - 1 had at the time.
        complexity: The measure r of `Γ = λ r + β`.
    """

    depth: int
    direction: np.ndarray
    complexity: float


class LayerInputs:
    """The inputs of each layer's units on the training rows, cached from step to step.

    Args:
        features: `[rows, features]`.
        activation: Name of φ.
        max_depth: Number of layers.
    """

    def __init__(self, features: np.ndarray, activation: str, max_depth: int):
        self._features = features.T
        self._activation = ACTIVATIONS[activation]
        self._hidden = [GrowingRows(len(features)) for _ in range(max_depth - 1)]

    def read(self, depth: int) -> np.ndarray:
        """Returns the `[inputs, rows]` values that units of a layer read."""
        return self._features if depth == 1 else self._hidden[depth - 2].values

    def widths(self, depth: int) -> tuple[int, ...]:
        """Returns `(n_1, ..., n_{depth-1})`, the number of units in each layer below."""
        return tuple(len(hidden.values) for hidden in self._hidden[: depth - 1])

    def add(self, depth: int, outputs: np.ndarray) -> None:
        """Adds a new unit's `[rows]` outputs to the inputs of the layer above it."""
        if depth <= len(self._hidden):
            self._hidden[depth - 1].append(self._activation(outputs))


def layer_kernels(units: Sequence[Unit], weights: np.ndarray) -> tuple[list, list]:
    """Returns units as matrices, one per layer.

    A unit does not read inputs that are newer than itself: its weights for them are 0.

    Args:
        units: Units in the order in which they were added.
        weights: `[units]` mixture weights.

    Returns:
        Two lists with one entry per layer: kernels `[inputs, units of the layer]`, and mixture
        weights `[units of the layer]`.
    """
    kernels, mixtures = [], []
    for depth in range(1, max((unit.depth for unit in units), default=0) + 1):
        members = [unit.depth == depth for unit in units]
        directions = [unit.direction for unit in units if unit.depth == depth]
        inputs = kernels[-1].shape[1] if kernels else len(directions[0])
        kernel = np.zeros((inputs, len(directions)))
        for column, direction in enumerate(directions):
            kernel[: len(direction), column] = direction
        kernels.append(kernel)
        mixtures.append(weights[np.asarray(members)])
    return kernels, mixtures


def decision_values(
    features: np.ndarray,
    kernels: Sequence[np.ndarray],
    mixtures: Sequence[np.ndarray],
    intercept: float,
    activation: str,
) -> np.ndarray:
    """Computes the `[rows]` values f(x) of a network as returned by `layer_kernels`."""
    values, read = np.full(len(features), intercept), features
    for kernel, mixture in zip(kernels, mixtures, strict=True):
        outputs = read @ kernel
        values += outputs @ mixture
        read = ACTIVATIONS[activation](outputs)
    return values


def build_model(
    features: int,
    kernels: Sequence[np.ndarray],
    mixtures: Sequence[np.ndarray],
    intercept: float,
    activation: str,
    dtype: str,
) -> "keras.Model":
    """Builds the same network as a Functional model of stock layers, with logits `[rows, 1]`."""
    import keras

    inputs = keras.Input((features,), dtype=dtype, name="features")
    read, outputs = inputs, []
    for depth, kernel in enumerate(kernels, start=1):
        # Zeros, for a random kernel would draw from the process' random state.
        layer = keras.layers.Dense(
            kernel.shape[1], use_bias=False, kernel_initializer="zeros", dtype=dtype,
            name=f"layer_{depth}",
        )  # fmt: skip
        outputs.append(layer(read))
        layer.set_weights([kernel])
        if depth < len(kernels):
            read = keras.layers.Activation(activation, dtype=dtype, name=f"activation_{depth}")(
                outputs[-1]
            )
    joined = outputs[0] if outputs else inputs
    if len(outputs) > 1:
        joined = keras.layers.Concatenate(dtype=dtype, name="units")(outputs)
    mixture = np.concatenate(mixtures) if mixtures else np.zeros(features)
    logits = keras.layers.Dense(1, kernel_initializer="zeros", dtype=dtype, name="logits")
    model = keras.Model(inputs, logits(joined), name="convex_adanet")
    logits.set_weights([mixture[:, None], np.array([intercept])])
    return model
