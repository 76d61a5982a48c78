"""`WeightProblem`: the convex problem of the units' weights, solved one weight at a time."""

import numpy as np

from adaptive_nets.adanet.convex.units import Surrogate, best_weight


class GrowingRows:
    """A matrix that gains rows without being copied each time.

    Args:
        columns: Number of columns.
    """

    def __init__(self, columns: int):
        self._space = np.empty((8, columns))
        self._used = 0

    @property
    def values(self) -> np.ndarray:
        """A view of the `[rows so far, columns]` values."""
        return self._space[: self._used]

    def append(self, row: np.ndarray) -> None:
        """Adds a row `[columns]`."""
        if self._used == len(self._space):
            self._space = np.concatenate([self._space, np.empty_like(self._space)])
        self._space[self._used] = row
        self._used += 1


class WeightProblem:
    """The objective as a function of the weights of given units (AdaNet, equation 4).

        F(w) = Σ_i c_i Φ(1 - y_i Σ_j w_j h_j(x_i)) + Σ_j Γ_j |w_j|

    Every method that changes a weight lowers F or keeps it.

    Args:
        surrogate: Φ.
        signs: `[rows]` labels, -1.0 or 1.0.
        shares: `[rows]` weights c of the rows, summing to 1, such as `1/m` each.

    Example:

    ```python
    import numpy as np
    from adaptive_nets.adanet.convex.weight_problem import WeightProblem
    from adaptive_nets.adanet.convex.units import SURROGATES

    problem = WeightProblem(SURROGATES["logistic"], np.array([-1.0, 1.0, 1.0]), np.full(3, 1 / 3))
    problem.add(np.array([-1.0, 2.0, -1.0]), gamma=0.01)
    problem.minimise(0)
    weights, value = problem.weights, problem.objective()
    ```
    """

    def __init__(self, surrogate: Surrogate, signs: np.ndarray, shares: np.ndarray):
        self.surrogate, self.signs, self.shares = surrogate, signs, shares
        self.weights = np.zeros(0)
        self.gammas = np.zeros(0)
        self._signed = GrowingRows(len(signs))
        self._z = np.ones(len(signs))

    def add(self, outputs: np.ndarray, gamma: float) -> int:
        """Adds a unit with weight 0.

        Args:
            outputs: `[rows]` values h(x).
            gamma: The unit's Γ >= 0.

        Returns:
            Its index.
        """
        self._signed.append(self.signs * outputs)
        self.weights = np.append(self.weights, 0.0)
        self.gammas = np.append(self.gammas, gamma)
        return len(self.weights) - 1

    def objective(self) -> float:
        """Returns F at the current weights."""
        loss = self.shares @ self.surrogate.value(self._z)
        return float(loss + self.gammas @ np.abs(self.weights))

    def residual(self) -> np.ndarray:
        """Returns the `[rows]` values `c_i y_i Φ'(1 - y_i f(x_i))`, or `(S/m) D(i) y_i`."""
        return self.shares * self.signs * self.surrogate.slope(self._z)

    def scores(self) -> np.ndarray:
        """Returns the `[units]` smallest magnitudes of F's subgradient, 0 at the optimum."""
        gradient = -(self._signed.values @ (self.shares * self.surrogate.slope(self._z)))
        return np.where(
            self.weights != 0.0,
            np.abs(gradient + np.sign(self.weights) * self.gammas),
            np.maximum(np.abs(gradient) - self.gammas, 0.0),
        )

    def minimise(self, unit: int) -> None:
        """Moves one weight to its optimum, with the others fixed."""
        signed, weight = self._signed.values[unit], self.weights[unit]
        best = best_weight(self.surrogate, self._z, signed, self.shares, weight, self.gammas[unit])
        self._z -= (best - weight) * signed
        self.weights[unit] = best
