"""Weights of a mean, which sum to 1: the convex problem, solved to a known distance of its minimum.

    minimise over w >= 0, Σ w_j = 1   (1/m) Σ_i v_i loss(y_i, mean_w(h(x_i))) + Σ Γ_j w_j
                                      + τ/2 Σ_j (w_j - u_j)²

`mean_w` is the head's mean of predictions (`Head.mean_of`), whose loss is convex in w: for classes,
-log Σ_j w_j p_j. Where g is the gradient, g·w - min_j g_j bounds how far w is from the minimum
(Frank, Wolfe).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from adaptive_nets.adanet.ensembles.mixtures.data_term import CompiledTerm, DataTerm, Loss
from adaptive_nets.adanet.ensembles.mixtures.proximal import SAMPLE_STEP, Solution
from adaptive_nets.adanet.ensembles.mixtures.quasi_newton import ProximalBFGS

# Steps in which the value has to fall by more than this share of the tolerance.
_STALLED_STEPS, _STALLED_SHARE = 10, 1e-4


class SimplexBFGS(ProximalBFGS):
    """Minimises a convex function plus `Σ γ x` over `x >= 0` whose sum is 1.

    `residual` is the duality gap: the value is at most so much above the minimum. At a kink of the
    function, as a pinball loss has one for each row, one gradient does not tell how far that is:
    the search ends there once its steps no longer lower the value.
    """

    def _has_stalled(self, values, tolerance):
        if len(values) <= _STALLED_STEPS:
            return False
        return values[-1 - _STALLED_STEPS] - values[-1] <= _STALLED_SHARE * tolerance

    def _direction(self, x, slope):
        linear = slope + self.gamma - self._hessian @ x
        return _least_on_simplex(self._hessian, linear, x) - x

    def _residual(self, x, slope):
        whole = slope + self.gamma
        return float(whole @ x - whole.min())


def _least_on_simplex(h: np.ndarray, q: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Returns the minimum of `z·h·z / 2 + q·z` over the simplex, from a point of it.

    The active-set method: it ends after finitely many changes of the set of positive entries, and
    what is 0 in the minimum is exactly 0.
    """
    z, free = x.copy(), x > 0
    slack = 1e-12 * max(1.0, np.abs(q).max())
    for _ in range(20 * len(x)):
        size = int(free.sum())
        system = np.ones((size + 1, size + 1))
        system[:size, :size], system[size, size] = h[np.ix_(free, free)], 0.0
        found = np.linalg.lstsq(system, np.append(-q[free], 1.0), rcond=None)[0]
        target = np.zeros_like(z)
        target[free] = found[:size]
        if (target[free] >= 0).all():
            z = target
            excess = np.where(free, np.inf, h @ z + q + found[size])
            if excess.min() >= -slack:
                break
            free[np.argmin(excess)] = True
            continue
        falling = free & (target < 0)
        reach = np.where(falling, z / np.where(falling, z - target, 1.0), np.inf)
        blocking = int(np.argmin(reach))
        z = z + reach[blocking] * (target - z)
        z[blocking], free[blocking] = 0.0, False
    z = np.maximum(z, 0.0)
    return z / z.sum()


class SimplexSolver:
    """Solves for the weights of a mean under one loss.

    Args:
        loss: Function `(labels, logits) -> [n]`, `keras.ops` only.
        mean_of: Function from logits `[n, k, units]`, and a function from `[n, k, c]` to a weighed
            mean over k, to the logits of the mean: `Head.mean_of`.
        tolerance: Bound on the duality gap, in units of the loss. Defaults to 1e-6.
        max_iterations: Maximum number of steps. Defaults to 500.
    """

    def __init__(
        self,
        loss: Loss,
        mean_of: Callable[[Any, Callable[[Any], Any]], Any],
        tolerance: float = 1e-6,
        max_iterations: int = 500,
    ):
        self.loss, self.mean_of = loss, mean_of
        self.tolerance, self.max_iterations = tolerance, max_iterations
        self._term = CompiledTerm(loss, self)

    def combine(self, joined: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Returns the logits of the mean of `joined` `[n, k, units]` with weights `[k]`."""
        return self.mean_of(joined, lambda rows: tf.matmul(weights[None, None, :], rows)[:, 0])

    def loss_of(
        self, h: Any, y: np.ndarray, weights: np.ndarray | None = None
    ) -> Callable[[np.ndarray], float]:
        """Returns the mean loss on some rows as a function of the weights `[k]`.

        Args:
            h: Logits `[n, k, units]`: an array or a `RowWise`.
            y: Encoded labels of `n` rows.
            weights: `[n]` row weights with mean 1. Defaults to `None`: all are equal.
        """
        term, bias = self._data_term(h, y, weights)
        return lambda w: term.value(w, bias)

    def _data_term(self, h, y, weights):
        units = np.shape(h[:1])[-1]
        return DataTerm(self._term, h, y, None, weights, units), np.zeros(units)

    def solve(
        self,
        h: Any,
        y: np.ndarray,
        *,
        starts: list[np.ndarray],
        gamma: np.ndarray,
        weights: np.ndarray | None = None,
        unit: float = 1.0,
        shrinkage: Callable[[float], tuple[float, np.ndarray]] | None = None,
        max_iterations: int | None = None,
    ) -> Solution:
        """Solves from the best of some starting points.

        Args:
            h: Logits `[n, k, units]`: an array or a `RowWise`.
            y: Encoded labels of `n` rows.
            starts: Weights `[k]` to begin with, which sum to 1.
            gamma: Γ >= 0 of each weight, in units of the loss.
            weights: `[n]` row weights with mean 1. Defaults to `None`: all are equal.
            unit: What the loss is measured in. Defaults to 1.
            shrinkage: Function from the loss of `starts[0]`, in that unit, to τ and u. Defaults to
                `None`: τ is 0.
            max_iterations: Replaces the solver's own limit. Defaults to `None`.

        Returns:
            A `Solution`, whose residual is the duality gap; in units of the loss, as is the
            objective.
        """
        term, bias = self._data_term(h, y, weights)
        first = term.value(starts[0], bias) / unit
        tau, towards = (0.0, starts[0]) if shrinkage is None else shrinkage(first)

        def value(w, data):
            return data + tau / 2 * np.sum((w - towards) ** 2)

        def gradient_of(term):
            def gradient(w):
                data, slope, _ = term.gradient(w, bias)
                return value(w, data / unit), slope / unit + tau * (w - towards)

            return gradient

        def begin(w):
            return value(w, term.value(w, bias) / unit) + gamma @ w

        x = min(starts, key=begin) if len(starts) > 1 else starts[0]
        search = SimplexBFGS(np.asarray(gamma, "float64"))
        limit = self.max_iterations if max_iterations is None else max_iterations
        if len(term.pieces) > SAMPLE_STEP and max_iterations is None:
            few = term.sample(SAMPLE_STEP)
            x, _ = search.minimize(gradient_of(few), x, 100 * self.tolerance, limit)
        x, objective = search.minimize(gradient_of(term), x, self.tolerance, limit)
        x = np.maximum(x, 0.0)
        return Solution(x / x.sum(), bias, objective, search.iterations, search.residual)
