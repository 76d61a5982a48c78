"""The coordinate descent that grows the network of AdaNet.CVX."""

import math
import numbers
from typing import Any

import numpy as np

from adaptive_nets._checks import check_number
from adaptive_nets.adanet.convex.network import LayerInputs, Unit
from adaptive_nets.adanet.convex.units import SURROGATES, best_direction
from adaptive_nets.adanet.convex.weight_problem import WeightProblem
from adaptive_nets.adanet.objective.complexity import DataSummary, rademacher_bound


class CoordinateDescent:
    """Adds units and moves their weights, step by step, until none lowers F fast enough.

    Args:
        settings: A `ConvexAdaNet`, whose constructor arguments are read.
        features: float64 `[rows, features]`.
        signs: `[rows]` labels, -1.0 or 1.0.
        weights: `[rows]` weights > 0.
        adanet_lambda: λ.
        max_depth: Number of layers.

    Attributes:
        units: List of `Unit`s, oldest first.
        path: Values of F: without units, then after each step.
    """

    def __init__(
        self,
        settings: Any,
        features: np.ndarray,
        signs: np.ndarray,
        weights: np.ndarray,
        adanet_lambda: float,
        max_depth: int,
    ):
        self.settings, self.adanet_lambda = settings, adanet_lambda
        surrogate = SURROGATES[settings.surrogate]
        self._problem = WeightProblem(surrogate, signs, weights / weights.sum())
        self._layers = LayerInputs(features, settings.activation, max_depth)
        # The effective m of repeated rows; below one row the bound is void.
        rows, largest = max(weights.sum(), 1.0), float(np.abs(features).max())
        self._sample = DataSummary(rows, features.shape[1], largest)
        one = isinstance(settings.norm_bound, numbers.Real)
        bounds = [settings.norm_bound] * max_depth if one else settings.norm_bound
        self._norm_bounds = list(bounds)[:max_depth]
        # The intercept is coordinate 0, and the units follow.
        if settings.fit_intercept:
            self._problem.add(np.ones_like(signs), gamma=0.0)
            self._problem.minimise(0)
        self.units, self.path = [], [self._problem.objective()]

    @property
    def intercept(self) -> float:
        """The intercept b, or 0 if none is fitted."""
        return float(self._problem.weights[0]) if self.settings.fit_intercept else 0.0

    @property
    def coefficients(self) -> np.ndarray:
        """`[units]` mixture weights."""
        return self._problem.weights[int(self.settings.fit_intercept) :]

    def run(self) -> None:
        """Takes steps until none lowers F fast enough, at most `max_iterations`."""
        for _ in range(self.settings.max_iterations):
            if not self._step():
                break

    def _step(self):
        """Moves the weight of the best unit, old or new. Returns whether there was one."""
        problem = self._problem
        unit, gain = self._best_new_unit()
        scores = problem.scores()
        index = int(scores.argmax()) if len(scores) else -1
        gain_old = scores[index] if len(scores) else 0.0
        if max(gain, gain_old) <= self.settings.tolerance:
            return False
        if gain > gain_old:
            outputs = unit.direction @ self._layers.read(unit.depth)
            self._layers.add(unit.depth, outputs)
            self.units.append(unit)
            index = problem.add(outputs, self._gamma(unit.complexity))
        problem.minimise(index)
        self._correct()
        self.path.append(problem.objective())
        return True

    def _best_new_unit(self):
        """Returns the new `Unit` that lowers F fastest, and its rate; of equals the shallowest."""
        residual, best, best_gain = self._problem.residual(), None, 0.0
        for depth, bound in enumerate(self._norm_bounds, start=1):
            read = self._layers.read(depth)
            if not len(read):
                break
            direction, edge = best_direction(read @ residual, self.settings.p, bound)
            complexity = self._complexity(depth)
            gain = edge - self._gamma(complexity)
            if gain > best_gain:
                best, best_gain = Unit(depth, direction, complexity), gain
        return best, best_gain

    def _correct(self):
        """Moves old weights, or at least the intercept, which has no cost."""
        for _ in range(self.settings.corrective_passes):
            for index in range(len(self._problem.weights)):
                self._problem.minimise(index)
        if self.settings.fit_intercept:
            self._problem.minimise(0)

    def _gamma(self, complexity):
        return self.adanet_lambda * complexity + self.settings.adanet_beta

    def _complexity(self, depth):
        kind = self.settings.complexity
        if kind == "rademacher":
            widths = self._layers.widths(depth)
            return rademacher_bound(widths, self._sample, self.settings.p, self._norm_bounds)
        if kind == "sqrt_depth":
            return math.sqrt(depth)
        return check_number(f"complexity({depth})", kind(depth), 0)
