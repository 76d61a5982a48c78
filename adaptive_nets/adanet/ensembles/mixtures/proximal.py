"""The convex problem of the mixture weights, solved by monotone accelerated proximal gradient.

    minimise over (w, b)   (1/m) Σ_i v_i loss(y_i, base_i + Σ_j w_j·h_j(x_i) + b) + Σ Γ |w|

(AdaNet, equation 4, with any loss that is convex in the logits). Monotone FISTA with a
backtracked step and the soft threshold as proximal map: the objective never rises.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from adaptive_nets.adanet.ensembles.mixtures.kinds import MIXTURE_KINDS

Loss = Callable[[Any, Any], Any]


@dataclasses.dataclass(frozen=True)
class Solution:
    """Mixture weights and how they were found.

    Args:
        weights: float64 array: `[members]`, `[members, units]` or `[features, units]`.
        bias: float64 `[units]`; zeros without a bias.
        objective: Loss plus penalty at the solution.
        iterations: Proximal steps taken.
        residual: Largest entry of the gradient mapping at the end, which is below the tolerance if
            the solver has converged.
    """

    weights: np.ndarray
    bias: np.ndarray
    objective: float
    iterations: int
    residual: float


class MixtureSolver:
    """Solves for the mixture weights of one kind under one loss.

    The compiled loop takes any number of rows, members and units, so a search traces it once.

    Args:
        loss: Function `(labels, logits) -> [n]`, convex in the logits, `keras.ops` only.
        kind: A key of `MIXTURE_KINDS`.
        tolerance: Bound on the gradient mapping's largest entry. Defaults to 1e-6.
        max_iterations: Maximum number of proximal steps. Defaults to 500.

    Example:

    ```python
    import adaptive_nets as an
    from adaptive_nets.adanet.ensembles.mixtures.proximal import MixtureSolver

    head = an.heads.Regression(1)
    solver = MixtureSolver(head.loss, "scalar")
    ```
    """

    def __init__(self, loss: Loss, kind: str, tolerance: float = 1e-6, max_iterations: int = 500):
        self.loss, self.kind = loss, MIXTURE_KINDS[kind]
        self.tolerance, self.max_iterations = tolerance, max_iterations
        self.traces = 0
        self._function = tf.function(self._solve, reduce_retracing=True, autograph=False)

    def solve(
        self,
        h: np.ndarray,
        y: np.ndarray,
        *,
        start: np.ndarray,
        gamma: np.ndarray | float,
        base: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        bias: np.ndarray | None = None,
        max_iterations: int | None = None,
    ) -> Solution:
        """Solves from a starting point.

        Args:
            h: Members' outputs, joined by the kind.
            y: Encoded labels of `n` rows.
            start: Initial weights.
            gamma: Γ >= 0 of each weight, in the shape of `start` (or broadcast to it).
            base: `[n, units]` fixed part of the logits. Defaults to `None`.
            weights: `[n]` row weights with mean 1. Defaults to `None`: all are equal.
            bias: Initial bias `[units]`. Defaults to `None`: the bias stays zero.
            max_iterations: Replaces the solver's own limit in this call. Defaults to `None`.

        Returns:
            A `Solution`.
        """
        f = np.float64
        limit = np.int32(self.max_iterations if max_iterations is None else max_iterations)
        units = self.kind.units(h, start)
        base = np.zeros((1, units), f) if base is None else np.asarray(base, f)
        weights = np.ones((1,), f) if weights is None else np.asarray(weights, f)
        free_bias = bias is not None
        bias = np.zeros(units, f) if bias is None else np.asarray(bias, f)
        start = np.asarray(start, f)
        gamma = np.broadcast_to(np.asarray(gamma, f), start.shape)
        labels = tf.cast(y, tf.float64) if np.asarray(y).dtype.kind == "f" else y
        result = self._call(
            np.asarray(h, f), labels, base, weights, gamma, start, bias, f(free_bias), limit
        )
        w, b, objective, iterations, residual = (t.numpy() for t in result)
        return Solution(w, b, float(objective), int(iterations), float(residual))

    def _call(self, *arrays):
        specs = [tf.TensorSpec([None] * np.ndim(a), tf.as_dtype(a.dtype)) for a in arrays]
        function = self._function.get_concrete_function(*specs)
        return function(*(tf.convert_to_tensor(a) for a in arrays))

    def _solve(self, h, y, base, v, gamma, w0, b0, free_bias, limit):
        self.traces += 1

        def value(w, b):
            return tf.reduce_mean(v * self.loss(y, base + self.kind.combine(h, w) + b))

        def value_and_gradient(w, b):
            with tf.GradientTape() as tape:
                tape.watch([w, b])
                smooth = value(w, b)
            gw, gb = tape.gradient(smooth, [w, b])
            return smooth, gw, gb * free_bias

        def prox(w, gw, b, gb, step):
            z = w - step * gw
            return tf.sign(z) * tf.nn.relu(tf.abs(z) - step * gamma), b - step * gb

        def penalty(w):
            return tf.reduce_sum(gamma * tf.abs(w))

        half, one = tf.constant(0.5, tf.float64), tf.constant(1.0, tf.float64)
        infinite = tf.constant(np.inf, tf.float64)

        def body(k, w, b, wy, by, t, f_w, step, _residual, _stalled):
            f_y, gw, gb = value_and_gradient(wy, by)

            def attempt(step):
                wz, bz = prox(wy, gw, by, gb, step)
                dw, db = wz - wy, bz - by
                model = f_y + tf.reduce_sum(gw * dw) + tf.reduce_sum(gb * db)
                square = tf.reduce_sum(dw**2) + tf.reduce_sum(db**2)
                smooth = value(wz, bz)
                slack = 1e-12 * tf.maximum(tf.abs(f_y), one)
                return wz, bz, smooth, smooth <= model + half * square / step + slack

            def shrink(step, _wz, _bz, _smooth, _ok):
                return (step * half, *attempt(step * half))

            trial = tf.minimum(step * 1.5, tf.constant(1e12, tf.float64))
            step, wz, bz, smooth, _ = tf.while_loop(
                lambda step, _wz, _bz, _s, ok: ~ok & (step > 1e-14),
                shrink,
                (trial, *attempt(trial)),
            )
            moved = tf.maximum(tf.reduce_max(tf.abs(wz - wy)), tf.reduce_max(tf.abs(bz - by)))
            objective = smooth + penalty(wz)
            better = objective <= f_w
            # A step that would raise F is dropped and momentum is reset (Beck, Teboulle).
            t_next = tf.where(better, half * (1.0 + tf.sqrt(1.0 + 4.0 * t**2)), one)
            momentum = tf.where(better, (t - 1.0) / t_next, one - one)
            w_next, b_next = tf.where(better, wz, w), tf.where(better, bz, b)
            wy_next = w_next + momentum * (w_next - w)
            by_next = b_next + momentum * (b_next - b)
            # A plain step that cannot lower F has reached the precision of the arithmetic.
            stalled = ~better & tf.reduce_all(wy == w) & tf.reduce_all(by == b)
            residual = tf.where(better | stalled, moved / step, infinite)
            f_next = tf.minimum(objective, f_w)
            return k + 1, w_next, b_next, wy_next, by_next, t_next, f_next, step, residual, stalled

        f0 = value(w0, b0) + penalty(w0)
        k, w, b, _, _, _, f, _, residual, _ = tf.while_loop(
            lambda k, *rest: (k < limit) & (rest[-2] > self.tolerance) & ~rest[-1],
            body,
            (0, w0, b0, w0, b0, one, f0, one, infinite, False),
        )
        return w, b, f, k, residual
