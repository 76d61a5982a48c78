"""`SquaredErrors`: how a target of numbers is judged, if its loss says nothing else."""

from typing import Any

import numpy as np

from adaptive_nets.automl.judging.intervals import Intervals
from adaptive_nets.automl.judging.quantile_intervals import QuantileIntervals


class SquaredErrors:
    """What `Numbers` is measured by; targets of other losses override it."""

    # `[targets]` deviations of the training rows.
    scale: np.ndarray
    # Levels of the quantiles that are predicted, if they are.
    levels: tuple[float, ...] | None = None

    def point(self, outputs: np.ndarray) -> np.ndarray:
        """Returns the numbers that are predicted from a model's outputs."""
        return outputs

    @property
    def power(self) -> float:
        """The power of the mean that the variance is in proportion to; 0 if it is constant."""
        return 0.0

    @property
    def low(self) -> float | None:
        """The least value that there can be, or `None`."""
        return None

    def intervals(
        self, y: Any, outputs: np.ndarray, weights: np.ndarray | None
    ) -> Intervals | QuantileIntervals:
        """Returns how far true numbers are from outputs of a model that was not trained on them.

        Args:
            y: `[rows]` or `[rows, targets]` true numbers.
            outputs: What the model predicts for these rows.
            weights: `[rows]` weights, or `None`.
        """
        return Intervals.calibrate(y, outputs, weights, self.power, self.low)

    @property
    def main_measure(self) -> str:
        """The metric that models are compared by, if the settings name none."""
        return "rmse"

    def measures(
        self, y: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None
    ) -> dict[str, float]:
        """Returns metrics beside those of all numbers."""
        return {}

    def searched(self, measured: dict[str, float]) -> dict[str, float]:
        """Returns metrics of an ensemble in the target's own unit.

        Args:
            measured: Its row of the search's leaderboard.
        """
        names = {"rmse": self.scale[0], "mae": self.scale[0], "r2": 1.0}
        return {n: measured[f"val_{n}"] * float(s) for n, s in names.items()}
