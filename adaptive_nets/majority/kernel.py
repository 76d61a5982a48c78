"""k kernels in the place of one: how they begin, what mixes them, what acts on their mean."""

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
        distribution: "dirichlet": uniform on the simplex, `e / sum(e)` of exponential e;
            "uniform": `u / sum(u)` of uniform u; "softmax_normal": the softmax of normal draws;
            "mean": 1/k, no draw.
        shape: `(k, ...)`; each position behind the first axis has a draw of its own.
        seed: A `keras.random.SeedGenerator`, which moves on.
        dtype: Of the weights.

    Returns:
        Tensor of the shape, not negative, whose first axis sums to one.
    """
    if distribution == "mean":
        return ops.full(shape, 1 / shape[0], dtype)
    if distribution == "softmax_normal":
        return ops.softmax(keras.random.normal(shape, dtype=dtype, seed=seed), axis=0)
    # Away from zero, whose logarithm is not finite.
    drawn = keras.random.uniform(shape, 1e-7, 1.0, dtype=dtype, seed=seed)
    if distribution == "dirichlet":
        drawn = -ops.log(drawn)
    return drawn / ops.sum(drawn, axis=0, keepdims=True)


def mix(weights: Any, kernels: Any) -> Any:
    """The kernel of a step, `sum_i p_i K_i`.

    Args:
        weights: `(k,)`, or `(k, *units)` for a draw an output unit.
        kernels: `(k, ..., *units)`.
    """
    if len(weights.shape) == 1:
        flat = ops.reshape(kernels, (kernels.shape[0], -1))
        return ops.reshape(ops.matmul(weights, flat), kernels.shape[1:])
    between = (1,) * (len(kernels.shape) - len(weights.shape))
    weights = ops.reshape(weights, (weights.shape[0], *between, *weights.shape[1:]))
    return ops.sum(weights * kernels, axis=0)


def mean(kernels: Any) -> Any:
    """The kernel that is deployed."""
    return ops.mean(kernels, axis=0)


class FoldedInitializer(keras.initializers.Initializer):
    """Draws k kernels with the initializer of one.

    Args:
        initializer: Of one kernel.
        spread: "independent": k draws, whose mean has 1/sqrt(k) of their spread. "symmetric":
            deviations around one more draw that sum to zero, so the mean is that draw and
            spreads as one kernel does.
        seed: Of the draws, in place of the initializer's own. Defaults to `None`.
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
        """The constructor's arguments."""
        return {
            "initializer": keras.initializers.serialize(self.initializer),
            "spread": self.spread,
            "seed": self.seed,
        }

    def _several(self, count: int) -> list[Callable]:
        """Initializers that draw differently; the first is the given one."""
        seed = getattr(self.initializer, "seed", None)
        if not isinstance(seed, int):
            # Constant, or its seed moves on by itself.
            return [self.initializer] * count
        config = self.initializer.get_config()
        kind = type(self.initializer)
        seed = seed if self.seed is None else self.seed
        return [kind.from_config({**config, "seed": derived(seed, i)}) for i in range(count)]


def derived(seed: int, number: int) -> int:
    """A seed for one of several draws."""
    return (seed + 0x9E3779B1 * number) % 2**31


class FoldedRegularizer(keras.regularizers.Regularizer):
    """A kernel's regularizer for k kernels: that of their mean, or the mean of theirs.

    Args:
        regularizer: Of one kernel, or `None`.
        target: "mean" or "each".
        subspace_penalty: Weight of the mean squared cosine between two of the kernels. Defaults
            to 0.
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
            # All kernels may be zero, as a new branch's are.
            scale = ops.maximum(ops.outer(squared, squared), keras.config.epsilon() ** 2)
            between = ops.sum(gram**2 / scale * (1 - ops.eye(count, dtype=gram.dtype)))
            total = total + self.subspace_penalty * between / (count * (count - 1))
        return total

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "regularizer": keras.regularizers.serialize(self.regularizer),
            "target": self.target,
            "subspace_penalty": self.subspace_penalty,
        }


class FoldedConstraint(keras.constraints.Constraint):
    """A kernel's constraint for k kernels: kept by their mean, or by each.

    Args:
        constraint: Of one kernel.
        target: "mean" moves all kernels alike so that the mean keeps it; "each" makes each keep
            it, and so every mixture where what it allows is convex.
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
        """The constructor's arguments."""
        return {"constraint": keras.constraints.serialize(self.constraint), "target": self.target}
