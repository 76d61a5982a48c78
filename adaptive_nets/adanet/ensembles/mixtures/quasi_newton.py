"""Proximal BFGS: few weights on many rows, in as few passes over the rows as possible.

Every step minimises the gradient's line plus the quadratic that earlier gradients have shown, plus
the penalty, and is shortened until the objective falls (Lee, Sun, Saunders: Proximal Newton-type
methods). A step takes one pass over the rows, where plain proximal gradients take many.
"""

from collections.abc import Callable

import numpy as np

Gradient = Callable[[np.ndarray], tuple[float, np.ndarray]]


class ProximalBFGS:
    """Minimises a smooth convex function plus `Σ γ |x|`.

    The quadratic is kept from call to call, so that a minimum on few rows is a start for all rows.

    Args:
        gamma: `[n]` γ >= 0 of each variable.

    Attributes:
        iterations: Steps taken in the last call.
        residual: Largest entry of the gradient mapping at its end.
    """

    def __init__(self, gamma: np.ndarray):
        self.gamma, self.iterations, self.residual = gamma, 0, np.inf
        self._hessian = None

    def minimize(
        self, gradient: Gradient, x: np.ndarray, tolerance: float, limit: int
    ) -> tuple[np.ndarray, float]:
        """Returns the minimum and the value there.

        Args:
            gradient: Function from `[n]` to the smooth part and its gradient.
            x: `[n]` starting point.
            tolerance: Bound on the gradient mapping's largest entry.
            limit: Maximum number of steps.
        """
        smooth, slope = gradient(x)
        begin = self._hessian is None
        if begin:
            # The first step is short: nothing is known of the curvature yet.
            size = max(np.abs(slope).max(), np.abs(self.gamma).max(), 1e-12)
            self._hessian = size * np.eye(len(x)) / max(1.0, np.abs(x).max())
        values = []
        for self.iterations in range(limit + 1):
            self.residual = self._residual(x, slope)
            values.append(smooth + self._penalty(x))
            if self.residual <= tolerance or self.iterations == limit:
                break
            if self._has_stalled(values, tolerance):
                break
            taken = self._step(gradient, x, smooth, slope)
            if taken is None:
                break
            nearer, smooth, new_slope = taken
            self._learn(nearer - x, new_slope - slope, begin and self.iterations == 0)
            x, slope = nearer, new_slope
        return x, smooth + self._penalty(x)

    def _has_stalled(self, values, tolerance):
        """Returns whether further steps are of no use, though the residual does not say so."""
        return False

    def _step(self, gradient, x, smooth, slope):
        """Returns the next point, value and gradient, or `None` where no step lowers the sum."""
        move = self._direction(x, slope)
        fall = slope @ move + self._penalty(x + move) - self._penalty(x)
        slack = 1e-15 * max(abs(smooth), 1.0)
        for _ in range(40):
            value, found = gradient(x + move)
            change = value - smooth + self._penalty(x + move) - self._penalty(x)
            if np.isfinite(value) and change <= 1e-4 * fall + slack:
                return x + move, value, found
            move, fall = move / 2, fall / 2
        return None

    def _direction(self, x, slope):
        """Minimises the quadratic plus the penalty."""
        move = self._where_signs_stay(x, slope)
        return self._one_by_one(x, slope) if move is None else move

    def _where_signs_stay(self, x, slope):
        """Solves for the minimum as if no variable changed its sign; `None` if one does."""
        move, free = np.zeros_like(x), (x != 0) | (self.gamma == 0)
        side = slope + self.gamma * np.sign(x)
        try:
            move[free] = np.linalg.solve(self._hessian[np.ix_(free, free)], -side[free])
        except np.linalg.LinAlgError:
            return None
        stay = (np.sign(x + move) == np.sign(x)) | (self.gamma == 0)
        still = np.abs(slope + self._hessian @ move) <= self.gamma
        return move if np.all(np.where(free, stay, still)) else None

    def _one_by_one(self, x, slope):
        """Minimises over one variable after another, of which each step lowers the sum."""
        h, move, curved = self._hessian, np.zeros_like(x), np.zeros_like(x)
        for _ in range(100):
            largest = 0.0
            for k, curve in enumerate(np.diag(h)):
                at = x[k] + move[k]
                target = at - (slope[k] + curved[k]) / curve
                change = np.sign(target) * max(abs(target) - self.gamma[k] / curve, 0.0) - at
                largest = max(largest, abs(change) * curve)
                move[k] += change
                curved += change * h[:, k]
            if largest <= 1e-12 * max(1.0, np.abs(slope).max()):
                break
        # What has become 0 is 0 to the last digit.
        return np.where(np.abs(x + move) <= 1e-15 * np.abs(x), -x, move)

    def _learn(self, s, y, first):
        """Updates the quadratic by what a step has shown (Broyden, Fletcher, Goldfarb, Shanno)."""
        curvature = s @ y
        if curvature <= 1e-14 * np.linalg.norm(s) * np.linalg.norm(y):
            return
        if first:
            self._hessian = np.eye(len(s)) * (y @ y) / curvature
        moved = self._hessian @ s
        self._hessian = (
            self._hessian - np.outer(moved, moved) / (s @ moved) + np.outer(y, y) / curvature
        )

    def _residual(self, x, slope):
        step = 1.0 / np.linalg.norm(self._hessian, 2)
        z = x - step * slope
        nearer = np.sign(z) * np.maximum(np.abs(z) - step * self.gamma, 0.0)
        return float(np.abs(nearer - x).max() / step)

    def _penalty(self, x):
        return float(self.gamma @ np.abs(x))
