"""The kinds of mixture weights: of what shape a member's weight is, and what it weighs.

A kind is one object in `MIXTURE_KINDS`, from which the choices of `AdaNet(mixture_weights=...)`
are read. A new one is a class here with `@register`.
"""

import abc
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

Output = dict[str, Any]


class MixtureKind(abc.ABC):
    """What the solver, the arrays and the layers of a mixture know of its weights.

    A member's output is a dict with its `logits` `[n, units]` and, where it is read, its
    `last_layer` `[n, features]`.

    Attributes:
        name: What `mixture_weights` calls it.
        key: The output that is weighed.
    """

    name: str
    key = "logits"

    @property
    def reads_last_layer(self) -> bool:
        """Whether members' `last_layer` is needed beside their `logits`."""
        return self.key == "last_layer"

    @abc.abstractmethod
    def initial(self, output: Output) -> np.ndarray:
        """The weight that a new member starts from."""

    @abc.abstractmethod
    def term(self, weight: np.ndarray, output: Output) -> np.ndarray:
        """A member's term of the ensemble's logits, float64 `[n, units]`."""

    @abc.abstractmethod
    def kernel(self, weight: np.ndarray, units: int) -> np.ndarray:
        """The weight as the matrix from what is weighed to the logits."""

    @abc.abstractmethod
    def stack(self, weights: Sequence[np.ndarray]) -> np.ndarray:
        """Members' weights as one array, as the solver and the layer take them."""

    @abc.abstractmethod
    def split(self, solved: np.ndarray, like: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The weights that `stack` put together, of the shapes of `like`."""

    @abc.abstractmethod
    def join(self, outputs: Sequence[Output]) -> np.ndarray:
        """Members' outputs as one array, rows first."""

    @abc.abstractmethod
    def combine(self, joined: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """`Σ_j w_j·h_j` for rows, from what `join` and `stack` gave."""

    @abc.abstractmethod
    def units(self, joined: np.ndarray, weights: np.ndarray) -> int:
        """The number of logits."""

    @abc.abstractmethod
    def layer(
        self, outputs: Sequence[Output], use_bias: bool
    ) -> tuple[keras.Layer, keras.KerasTensor]:
        """The stock layer whose kernel is what `stack` gives, and the tensor it is called on."""


MIXTURE_KINDS: dict[str, MixtureKind] = {}


def register(kind: type[MixtureKind]) -> type[MixtureKind]:
    """Adds a kind to `MIXTURE_KINDS`."""
    MIXTURE_KINDS[kind.name] = kind()
    return kind


class _OfLogits(MixtureKind):
    """Weights of members' logits, which stand one behind the other: `[n, members, units]`.

    Attributes:
        equation: Of the layer, from `bjc` and the kernel to `bc`.
    """

    equation: str

    def term(self, weight: np.ndarray, output: Output) -> np.ndarray:
        return np.asarray(output["logits"], "float64") * weight

    def kernel(self, weight: np.ndarray, units: int) -> np.ndarray:
        return np.eye(units) * weight

    def stack(self, weights: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack(weights)

    def split(self, solved: np.ndarray, like: Sequence[np.ndarray]) -> list[np.ndarray]:
        return list(solved)

    def join(self, outputs: Sequence[Output]) -> np.ndarray:
        return np.stack([o["logits"] for o in outputs], axis=1)

    def units(self, joined: np.ndarray, weights: np.ndarray) -> int:
        return joined.shape[-1]

    def layer(
        self, outputs: Sequence[Output], use_bias: bool
    ) -> tuple[keras.Layer, keras.KerasTensor]:
        units = outputs[0]["logits"].shape[-1]
        rows = [keras.layers.Reshape((1, units), dtype="float32")(o["logits"]) for o in outputs]
        layer = keras.layers.EinsumDense(
            self.equation,
            output_shape=units,
            bias_axes="c" if use_bias else None,
            dtype="float32",
            name="mixture",
        )
        several = len(rows) > 1
        join = keras.layers.Concatenate(axis=1, dtype="float32") if several else None
        return layer, join(rows) if several else rows[0]


@register
class Scalar(_OfLogits):
    """One weight a member."""

    name = "scalar"
    equation = "bjc,j->bc"

    def initial(self, output: Output) -> np.ndarray:
        return np.float64(1.0)

    def combine(self, joined: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        return tf.einsum("njc,j->nc", joined, weights)


@register
class Vector(_OfLogits):
    """One weight a logit of a member."""

    name = "vector"
    equation = "bjc,jc->bc"

    def initial(self, output: Output) -> np.ndarray:
        return np.ones(output["logits"].shape[-1])

    def combine(self, joined: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(joined * weights, axis=1)


@register
class Matrix(MixtureKind):
    """From a member's last layer to the logits, as in the paper; layers stand side by side."""

    name = "matrix"
    key = "last_layer"

    def initial(self, output: Output) -> np.ndarray:
        return np.zeros((output["last_layer"].shape[-1], output["logits"].shape[-1]))

    def term(self, weight: np.ndarray, output: Output) -> np.ndarray:
        return np.asarray(output["last_layer"], "float64") @ weight

    def kernel(self, weight: np.ndarray, units: int) -> np.ndarray:
        return weight

    def stack(self, weights: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate(weights)

    def split(self, solved: np.ndarray, like: Sequence[np.ndarray]) -> list[np.ndarray]:
        return np.split(solved, np.cumsum([len(w) for w in like])[:-1])

    def join(self, outputs: Sequence[Output]) -> np.ndarray:
        return np.concatenate([o["last_layer"] for o in outputs], axis=1)

    def combine(self, joined: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        return tf.matmul(joined, weights)

    def units(self, joined: np.ndarray, weights: np.ndarray) -> int:
        return np.shape(weights)[-1]

    def layer(
        self, outputs: Sequence[Output], use_bias: bool
    ) -> tuple[keras.Layer, keras.KerasTensor]:
        units = outputs[0]["logits"].shape[-1]
        last = [o["last_layer"] for o in outputs]
        tensor = keras.layers.Concatenate(dtype="float32")(last) if len(last) > 1 else last[0]
        layer = keras.layers.Dense(units, use_bias=use_bias, dtype="float32", name="mixture")
        return layer, tensor
