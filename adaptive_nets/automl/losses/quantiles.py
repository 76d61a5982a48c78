"""`Quantiles`: a target of numbers of which several quantiles are predicted."""

from typing import Any

import numpy as np
from sklearn.metrics import mean_pinball_loss

from adaptive_nets import heads
from adaptive_nets.automl.judging.quantile_intervals import QuantileIntervals
from adaptive_nets.automl.targets import Numbers

# What AutoRegressor(output="quantiles") predicts: pairs of equal distance from the median.
LEVELS = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)


class Quantiles(Numbers):
    """Numbers of which quantiles are predicted; a prediction is the median.

    The search sees the target with mean 0 and deviation 1. Outputs of models are
    `[rows, levels]`, in rising order.
    """

    levels = LEVELS
    # Whether intervals are widened in proportion to their widths, or all by the same.
    _scaled = False

    @classmethod
    def of(cls, numbers: Numbers) -> "Quantiles":
        """Returns the same target, of which quantiles are predicted.

        Raises:
            ValueError: There are several targets.
        """
        if not numbers.flat:
            raise ValueError(
                "output='quantiles' or 'distribution' takes one target. Expected y of shape "
                "[rows]; for several targets fit a model of each. "
                f"Received: {len(numbers.mean)} targets."
            )
        return cls(numbers.mean, numbers.scale, numbers.name, numbers.flat, numbers.style)

    @property
    def unit(self) -> tuple[np.ndarray, np.ndarray]:
        count = len(self.levels)
        return np.repeat(self.mean, count), np.repeat(self.scale, count)

    def intervals(
        self, y: Any, outputs: np.ndarray, weights: np.ndarray | None
    ) -> QuantileIntervals:
        return QuantileIntervals.calibrate(y, outputs, weights, self.levels, self._scaled)

    @property
    def main_measure(self) -> str:
        return "mean_pinball_loss"

    def point(self, outputs: np.ndarray) -> np.ndarray:
        return outputs[:, self.levels.index(0.5)]

    def measures(
        self, y: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None
    ) -> dict[str, float]:
        found = [
            mean_pinball_loss(y, predictions[:, k], sample_weight=weights, alpha=level)
            for k, level in enumerate(self.levels)
        ]
        return {self.main_measure: float(np.mean(found))}

    def searched(self, measured: dict[str, float]) -> dict[str, float]:
        return {self.main_measure: measured["val_pinball"] * float(self.scale[0])}

    def head(self) -> heads.Head:
        return heads.Quantile(self.levels)

    def serving_head(self) -> heads.Head:
        return self.head()

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "kind": "quantiles"}
