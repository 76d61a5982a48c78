"""k kernels instead of one: how they are initialized, mixed, regularized and constrained."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

DISTRIBUTIONS = ("dirichlet", "uniform", "softmax_normal", "mean")
SCOPES = ("layer", "global", "unit")
SPREADS = ("independent", "symmetric")
TARGETS = ("mean", "each")


def draw_weights(distribution: str, shape: tuple[int, ...], seed: Any, dtype: str) -> Any:
    """Draws the weights that mix k kernels.

    Args:
        distribution: `"dirichlet"`: uniform on the simplex, `e / sum(e)` with exponential e;
            `"uniform"`: `u / sum(u)` with uniform u; `"softmax_normal"`: the softmax of normal
            draws; `"mean"`: 1/k, without a draw.
        shape: `(k, ...)`. Each position after the first axis has its own draw.
        seed: A `keras.random.SeedGenerator`, which advances.
        dtype: Dtype of the weights.

    Returns:
        Nonnegative tensor of this shape whose first axis sums to one.
    """
    if distribution == "mean":
        return ops.full(shape, 1 / shape[0], dtype)
    if distribution == "softmax_normal":
        return ops.softmax(keras.random.normal(shape, dtype=dtype, seed=seed), axis=0)
    # Bounded away from zero, whose logarithm is infinite.
    drawn = keras.random.uniform(shape, 1e-7, 1.0, dtype=dtype, seed=seed)
    if distribution == "dirichlet":
        drawn = -ops.log(drawn)
    return drawn / ops.sum(drawn, axis=0, keepdims=True)


def mix(weights: Any, kernels: Any) -> Any:
    """Mixes kernels to the kernel of a step, `sum_i p_i K_i`.

    Args:
        weights: `(k,)`, or `(k, *units)` for one draw per output unit.
        kernels: `(k, ..., *units)`.
    """
    if len(weights.shape) == 1:
        flat = ops.reshape(kernels, (kernels.shape[0], -1))
        return ops.reshape(ops.matmul(weights, flat), kernels.shape[1:])
    between = (1,) * (len(kernels.shape) - len(weights.shape))
    weights = ops.reshape(weights, (weights.shape[0], *between, *weights.shape[1:]))
    return ops.sum(weights * kernels, axis=0)


def mean(kernels: Any) -> Any:
    """Returns the kernel that is deployed."""
    return ops.mean(kernels, axis=0)


class FoldedInitializer(keras.initializers.Initializer):
    """Draws k kernels with the initializer of one.

    Args:
        initializer: Initializer of one kernel.
        spread: `"independent"`: k draws, whose mean has 1/sqrt(k) of their spread; `"symmetric"`:
            deviations around one more draw that sum to zero, so that the mean is that draw and
            has the spread of one kernel.
        seed: Seed of the draws. Defaults to `None`: the initializer's own.
    """

    def __init__(self, initializer: Any, spread: str, seed: int | None = None) -> None:
        self.initializer = keras.initializers.get(initializer)
        self.spread = spread
        self.seed = seed

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        count, one = shape[0], tuple(shape[1:])
        draws = [make(one, dtype) for make in self._several(count + (self.spread == "symmetric"))]
        kernels = ops.stack(draws[:count])
        if self.spread == "symmetric" and count > 1:
            return draws[-1] + kernels - ops.mean(kernels, axis=0)
        return kernels

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            "initializer": keras.initializers.serialize(self.initializer),
            "spread": self.spread,
            "seed": self.seed,
        }

    def _several(self, count: int) -> list[Callable]:
        """Returns initializers with different seeds; the first one is the given initializer."""
        seed = getattr(self.initializer, "seed", None)
        if not isinstance(seed, int):
            # Constant, or its seed advances by itself.
            return [self.initializer] * count
        config = self.initializer.get_config()
        kind = type(self.initializer)
        seed = seed if self.seed is None else self.seed
        return [kind.from_config({**config, "seed": derived(seed, i)}) for i in range(count)]


def derived(seed: int, number: int) -> int:
    """Derives a seed for one of several draws."""
    return (seed + 0x9E3779B1 * number) % 2**31


class FoldedRegularizer(keras.regularizers.Regularizer):
    """Applies a kernel's regularizer to k kernels: to their mean, or averaged over them.

    Args:
        regularizer: Regularizer of one kernel, or `None`.
        target: `"mean"` or `"each"`.
        subspace_penalty: Weight of the mean squared cosine between pairs of kernels. Defaults to
            `0.0`.
    """

    def __init__(self, regularizer: Any, target: str, subspace_penalty: float = 0.0) -> None:
        self.regularizer = keras.regularizers.get(regularizer)
        self.target = target
        self.subspace_penalty = subspace_penalty

    def __call__(self, x: Any) -> Any:
        count, total = x.shape[0], 0.0
        if self.regularizer is not None and self.target == "mean":
            total = self.regularizer(mean(x))
        elif self.regularizer is not None:
            total = sum(self.regularizer(x[i]) for i in range(count)) / count
        if self.subspace_penalty and count > 1:
            flat = ops.reshape(x, (count, -1))
            gram = ops.matmul(flat, ops.transpose(flat))
            squared = ops.diagonal(gram)
            # All kernels may be zero, like those of a new branch.
            scale = ops.maximum(ops.outer(squared, squared), keras.config.epsilon() ** 2)
            between = ops.sum(gram**2 / scale * (1 - ops.eye(count, dtype=gram.dtype)))
            total = total + self.subspace_penalty * between / (count * (count - 1))
        return total

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            "regularizer": keras.regularizers.serialize(self.regularizer),
            "target": self.target,
            "subspace_penalty": self.subspace_penalty,
        }


class FoldedConstraint(keras.constraints.Constraint):
    """Applies a kernel's constraint to k kernels: to their mean, or to each.

    Args:
        constraint: Constraint of one kernel.
        target: `"mean"` shifts all kernels equally so that their mean satisfies the constraint;
            `"each"` makes each kernel satisfy it, and therefore every mixture if the constraint
            is convex.
    """

    def __init__(self, constraint: Any, target: str) -> None:
        self.constraint = keras.constraints.get(constraint)
        self.target = target

    def __call__(self, w: Any) -> Any:
        if self.target == "mean":
            middle = mean(w)
            return w + (self.constraint(middle) - middle)
        return ops.stack([self.constraint(w[i]) for i in range(w.shape[0])])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"constraint": keras.constraints.serialize(self.constraint), "target": self.target}
