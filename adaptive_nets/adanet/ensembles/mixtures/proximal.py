"""The convex problem of the mixture weights, solved by proximal steps.

    minimise over (w, b)   (1/m) Σ_i v_i loss(y_i, base_i + Σ_j w_j·h_j(x_i) + b) + Σ Γ |w|

(AdaNet, equation 4, with any loss that is convex in the logits). Few weights are found by proximal
BFGS, many by monotone FISTA with a backtracked step and the soft threshold as proximal map: the
objective never rises.
"""

import dataclasses
from typing import Any

import numpy as np

from adaptive_nets.adanet.ensembles.mixtures.data_term import CompiledTerm, DataTerm, Loss
from adaptive_nets.adanet.ensembles.mixtures.kinds import MIXTURE_KINDS
from adaptive_nets.adanet.ensembles.mixtures.quasi_newton import ProximalBFGS

# Up to this many unknowns are solved by proximal BFGS, which passes over the rows less often.
FEW_UNKNOWN = 64
# Where rows take more pieces than this, it begins on every so many-th of them.
SAMPLE_STEP = 16


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

    Rows are read in pieces, of which only one is held in float64. Few weights on many rows are
    found by proximal BFGS (`quasi_newton.py`), in fewer passes over the rows to the same minimum.

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
        self._term = CompiledTerm(loss, self.kind)

    @property
    def traces(self) -> int:
        """How often the loss, or its gradient, was traced: the larger number."""
        return max(self._term.traces.values())

    def solve(
        self,
        h: Any,
        y: np.ndarray,
        *,
        start: np.ndarray,
        gamma: np.ndarray | float,
        base: Any = None,
        weights: np.ndarray | None = None,
        bias: np.ndarray | None = None,
        max_iterations: int | None = None,
    ) -> Solution:
        """Solves from a starting point.

        Args:
            h: Members' outputs, joined by the kind: an array or a `RowWise`.
            y: Encoded labels of `n` rows.
            start: Initial weights.
            gamma: Γ >= 0 of each weight, in the shape of `start` (or broadcast to it).
            base: `[n, units]` fixed part of the logits, also a `RowWise`. Defaults to `None`.
            weights: `[n]` row weights with mean 1. Defaults to `None`: all are equal.
            bias: Initial bias `[units]`. Defaults to `None`: the bias stays zero.
            max_iterations: Replaces the solver's own limit in this call. Defaults to `None`.

        Returns:
            A `Solution`.
        """
        limit = self.max_iterations if max_iterations is None else max_iterations
        units = self.kind.units(h[:1], start)
        w = np.array(start, "float64")
        gamma = np.broadcast_to(np.asarray(gamma, "float64"), w.shape)
        b = np.zeros(units) if bias is None else np.array(bias, "float64")
        term = DataTerm(self._term, h, y, base, weights, units)
        unknown = w.size + (0 if bias is None else units)
        # Where all rows fit in one piece, many cheap passes cost less than finding few.
        if len(term.pieces) > 1 and unknown <= FEW_UNKNOWN and max_iterations is None:
            return self._solve_by_few_passes(term, w, b, gamma, bias is not None, limit)
        return self._solve(term, w, b, gamma, bias is not None, limit)

    def _solve(self, term, w, b, gamma, free_bias, limit) -> Solution:
        """Monotone FISTA."""

        def gradient(w, b):
            smooth, gw, gb = term.gradient(w, b)
            return smooth, gw, gb * free_bias

        def penalty(w):
            return float(np.sum(gamma * np.abs(w)))

        def attempt(wy, by, f_y, gw, gb, step):
            z = wy - step * gw
            wz = np.sign(z) * np.maximum(np.abs(z) - step * gamma, 0.0)
            bz = by - step * gb
            dw, db = wz - wy, bz - by
            model = f_y + np.sum(gw * dw) + np.sum(gb * db)
            square = np.sum(dw**2) + np.sum(db**2)
            smooth = term.value(wz, bz)
            slack = 1e-12 * max(abs(f_y), 1.0)
            moved = max(np.abs(dw).max(initial=0.0), np.abs(db).max(initial=0.0))
            return wz, bz, smooth, moved, bool(smooth <= model + 0.5 * square / step + slack)

        objective = term.value(w, b) + penalty(w)
        wy, by, t, step, residual, taken = w, b, 1.0, 1.0, np.inf, 0
        while taken < limit and residual > self.tolerance:
            f_y, gw, gb = gradient(wy, by)
            step = min(1.5 * step, 1e12)
            wz, bz, smooth, moved, enough = attempt(wy, by, f_y, gw, gb, step)
            while not enough and step > 1e-14:
                step *= 0.5
                wz, bz, smooth, moved, enough = attempt(wy, by, f_y, gw, gb, step)
            found = smooth + penalty(wz)
            better = bool(found <= objective)
            # A plain step that cannot lower F has reached the precision of the arithmetic.
            stalled = not better and np.array_equal(wy, w) and np.array_equal(by, b)
            residual = moved / step if better or stalled else np.inf
            # A step that would raise F is dropped and momentum is reset (Beck, Teboulle).
            t_next = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t**2)) if better else 1.0
            momentum = (t - 1.0) / t_next if better else 0.0
            w_next, b_next = (wz, bz) if better else (w, b)
            wy, by = w_next + momentum * (w_next - w), b_next + momentum * (b_next - b)
            w, b, t, objective = w_next, b_next, t_next, min(found, objective)
            taken += 1
            if stalled:
                break
        return Solution(w, b, float(objective), taken, float(residual))

    def _solve_by_few_passes(self, term, w, b, gamma, free_bias, limit) -> Solution:
        """Proximal BFGS, from the solution on a part of the rows."""
        shape, size = w.shape, w.size
        x = np.concatenate([w.ravel(), b]) if free_bias else w.ravel()
        search = ProximalBFGS(np.concatenate([gamma.ravel(), np.zeros(x.size - size)]))

        def gradient_of(term):
            def gradient(x):
                value, gw, gb = term.gradient(x[:size].reshape(shape), x[size:] if free_bias else b)
                return value, np.concatenate([gw.ravel(), gb]) if free_bias else gw.ravel()

            return gradient

        if len(term.pieces) > SAMPLE_STEP:
            x, _ = search.minimize(
                gradient_of(term.sample(SAMPLE_STEP)), x, 100 * self.tolerance, limit
            )
        x, objective = search.minimize(gradient_of(term), x, self.tolerance, limit)
        w, b = x[:size].reshape(shape), x[size:] if free_bias else b
        return Solution(w, b, float(objective), search.iterations, search.residual)
