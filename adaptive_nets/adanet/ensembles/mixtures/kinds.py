"""The kinds of mixture weights: the shape of a member's weight, and the output that it weighs.

Each kind is an object in `MIXTURE_KINDS`, which defines the choices of
`AdaNet(mixture_weights=...)`. To add a kind, define a class here with `@register`.
"""

import abc
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets._dtypes import whole_dtype

Output = dict[str, Any]


class MixtureKind(abc.ABC):
    """Defines one kind of mixture weights for the solver, for arrays and for layers.

    A member's output is a dict with its `logits` `[n, units]` and, if it is read, its
    `last_layer` `[n, features]`.

    Attributes:
        name: Name of the kind in `mixture_weights`.
        key: The output that is weighed. Defaults to `"logits"`.
        has_unit: Whether weights have the unit of the targets, rather than the weighed output.
            Defaults to `False`.
    """

    name: str
    key = "logits"
    has_unit = False

    @property
    def reads_last_layer(self) -> bool:
        """Whether members' `last_layer` is needed as well as their `logits`."""
        return self.key == "last_layer"

    @abc.abstractmethod
    def initial(self, output: Output) -> np.ndarray:
        """Returns the initial weight of a new member."""

    @abc.abstractmethod
    def term(self, weight: np.ndarray, output: Output) -> np.ndarray:
        """Returns a member's term of the ensemble's logits, float64 `[n, units]`."""

    @abc.abstractmethod
    def kernel(self, weight: np.ndarray, units: int) -> np.ndarray:
        """Returns the weight as a matrix from the weighed output to the logits."""

    @abc.abstractmethod
    def stack(self, weights: Sequence[np.ndarray]) -> np.ndarray:
        """Stacks members' weights into one array, as the solver and the layer take them."""

    @abc.abstractmethod
    def split(self, solved: np.ndarray, like: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Splits a stacked array into weights with the shapes of `like`."""

    @abc.abstractmethod
    def join(self, outputs: Sequence[Output]) -> np.ndarray:
        """Joins members' outputs into one array, rows first."""

    @abc.abstractmethod
    def combine(self, joined: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Returns `Σ_j w_j·h_j` for rows, from the results of `join` and `stack`."""

    @abc.abstractmethod
    def units(self, joined: np.ndarray, weights: np.ndarray) -> int:
        """Returns the number of logits."""

    @abc.abstractmethod
    def layer(
        self, outputs: Sequence[Output], use_bias: bool
    ) -> tuple[keras.Layer, keras.KerasTensor]:
        """Returns the stock layer whose kernel is a stacked array, and its input tensor."""


MIXTURE_KINDS: dict[str, MixtureKind] = {}


def register(kind: type[MixtureKind]) -> type[MixtureKind]:
    """Adds a kind to `MIXTURE_KINDS`."""
    MIXTURE_KINDS[kind.name] = kind()
    return kind


class _OfLogits(MixtureKind):
    """Weights of members' logits, which are stacked: `[n, members, units]`.

    Attributes:
        equation: Einsum equation of the layer, from `bjc` and the kernel to `bc`.
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
        rows = [keras.layers.Reshape((1, units), dtype=whole_dtype())(o["logits"]) for o in outputs]
        layer = keras.layers.EinsumDense(
            self.equation,
            output_shape=units,
            bias_axes="c" if use_bias else None,
            dtype=whole_dtype(),
            name="mixture",
        )
        several = len(rows) > 1
        join = keras.layers.Concatenate(axis=1, dtype=whole_dtype()) if several else None
        return layer, join(rows) if several else rows[0]


@register
class Scalar(_OfLogits):
    """One weight per member."""

    name = "scalar"
    equation = "bjc,j->bc"

    def initial(self, output: Output) -> np.ndarray:
        return np.float64(1.0)

    def combine(self, joined: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        # With many units, einsum would transpose all outputs first.
        return tf.matmul(weights[None, None, :], joined)[:, 0]


@register
class Vector(_OfLogits):
    """One weight per logit of a member."""

    name = "vector"
    equation = "bjc,jc->bc"

    def initial(self, output: Output) -> np.ndarray:
        return np.ones(output["logits"].shape[-1])

    def combine(self, joined: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(joined * weights, axis=1)


@register
class Matrix(MixtureKind):
    """A matrix from a member's last layer to the logits, as in the paper."""

    name = "matrix"
    key = "last_layer"
    has_unit = True

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
        tensor = keras.layers.Concatenate(dtype=whole_dtype())(last) if len(last) > 1 else last[0]
        layer = keras.layers.Dense(units, use_bias=use_bias, dtype=whole_dtype(), name="mixture")
        return layer, tensor
