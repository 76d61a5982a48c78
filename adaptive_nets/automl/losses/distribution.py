"""`Distributions`: a target of numbers whose distribution is predicted."""

from typing import Any

import numpy as np
from scipy.stats import norm

from adaptive_nets import heads
from adaptive_nets.automl.baselines.linear import LinearModel
from adaptive_nets.automl.losses.quantiles import Quantiles

# A linear model is not taken to be surer than this share of the target's deviation.
_LEAST_SIGMA = 0.01


class Distributions(Quantiles):
    """Numbers of which each row has a normal distribution; a prediction is its mean.

    The search sees the target with mean 0 and deviation 1. Models give the logits of
    `heads.Distribution`; their outputs are read as quantiles, by which they are compared, also with
    baselines that know no density.
    """

    _scaled = True

    @property
    def unit(self) -> tuple[np.ndarray, np.ndarray]:
        # Logits have no unit: the head knows the target's.
        return np.zeros(2), np.ones(2)

    def linear(self, linear: LinearModel) -> LinearModel:
        """Returns the model of logits that predicts the quantiles of a linear model.

        Args:
            linear: From encoded columns to quantiles, which differ in the constant only.
        """
        middle = self.levels.index(0.5)
        reach = norm.ppf(self.levels[-1]) - norm.ppf(self.levels[0])
        mean, scale = float(self.mean[0]), float(self.scale[0])
        sigma = max((linear.bias[-1] - linear.bias[0]) / reach / scale, _LEAST_SIGMA)
        weights = linear.weights[:, middle] / (scale * sigma)
        bias = (linear.bias[middle] - mean) / (scale * sigma)
        return LinearModel(
            linear.columns,
            np.stack([weights, np.zeros_like(weights)], axis=1),
            np.array([bias, 1.0 / sigma]),
        )

    def searched(self, measured: dict[str, float]) -> dict[str, float]:
        return {"nll": measured["val_nll"] + float(np.log(self.scale[0]))}

    def head(self) -> heads.Head:
        return heads.Distribution("normal", self.levels, location=0.0, scale=1.0)

    def serving_head(self) -> heads.Head:
        return heads.Distribution(
            "normal", self.levels, location=float(self.mean[0]), scale=float(self.scale[0])
        )

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "kind": "distribution"}
