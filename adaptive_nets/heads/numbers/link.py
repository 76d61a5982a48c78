"""`Link`: a head whose logits stand for the mean of a family of distributions."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets._checks import show
from adaptive_nets.heads.base import Head
from adaptive_nets.heads.loss_scale import LossScale
from adaptive_nets.heads.numbers.deviance import FAMILIES, Deviance, exp
from adaptive_nets.heads.numbers.numeric import Numeric


class Link(Numeric):
    """Base of heads that predict a mean through a link: exp, or sigmoid for fractions.

    The loss is half the unit deviance, which is convex in the logits and 0 where the prediction is
    the target.
    """

    # The deviance, what targets are called, and what they must be.
    _family: str = "tweedie"
    _noun: str
    _rule: str = "they must be 0 or more"
    _instead: str

    @property
    def main_metric(self) -> tuple[str, str]:
        return "deviance", "min"

    def adapt(self, y: Any) -> Head:
        super().adapt(y)
        constant = self._constant(self.encode(y))
        if constant is not None:
            raise ValueError(
                f"Cannot adapt head '{self.name}': every target is {constant:g}, which no logit "
                f"stands for. Expected different targets. Received: {constant:g} in every row."
            )
        return self

    def _constant(self, targets: np.ndarray) -> float | None:
        """Returns the value of all targets if the logit of their mean is infinite."""
        zero = ~targets.any(axis=0)
        return 0.0 if zero.any() else None

    def _read_targets(self, y: Any) -> np.ndarray:
        targets = super()._read_targets(y)
        wrong = ~self._allowed(targets)
        if wrong.any():
            row, column = (int(place) for place in np.argwhere(wrong)[0])
            given = np.asarray(keras.ops.convert_to_numpy(y) if ops.is_tensor(y) else y)
            raise ValueError(
                f"Cannot encode labels for head '{self.name}': {self._noun} are expected, "
                f"{self._rule}. {self._instead} "
                f"Received: {show(given.reshape(targets.shape)[row, column].item())} in row {row}."
            )
        return targets

    def _allowed(self, targets: np.ndarray) -> np.ndarray:
        return targets >= 0

    def _parameter(self) -> float:
        """Returns the power or the dispersion of the family."""
        return 1.0

    def loss(self, labels: Any, logits: Any) -> Any:
        logits = ops.convert_to_tensor(logits)
        labels = ops.cast(labels, logits.dtype)
        return ops.mean(FAMILIES[self._family](labels, logits, self._parameter()), axis=-1)

    def metrics(self) -> dict[str, keras.metrics.Metric]:
        return {"deviance": Deviance(self._family, self._parameter())}

    def predictions(self, logits: Any) -> dict[str, Any]:
        logits = ops.convert_to_tensor(logits)
        return {"logits": logits, "predictions": self._mean(logits)}

    def _mean(self, logits: Any) -> Any:
        return exp(logits)

    def _logits(self, means: np.ndarray) -> np.ndarray:
        """Returns the logits of means."""
        return np.log(means)

    def output_range(
        self, labels: np.ndarray, base: np.ndarray | None = None
    ) -> tuple[list[float], list[float]]:
        """Returns the logit of the targets' mean, or 0 if there is a base, and scale 1."""
        offset = np.zeros(self.units)
        if base is None:
            offset = self._logits(np.asarray(labels, "float64").mean(axis=0))
        return offset.tolist(), [1.0] * self.units

    def loss_scale(self, labels: np.ndarray, weights: np.ndarray | None = None) -> LossScale:
        """Returns the loss of the mean; logits have no unit."""
        y = np.asarray(labels, "float64")
        w = None if weights is None or not np.any(weights) else np.asarray(weights, "float64")
        mean = np.average(y, axis=0, weights=w)
        each = []
        for column, center in enumerate(mean):
            found = 0.0
            if self._constant(np.full((1, 1), center)) is None:
                logits = np.full(len(y), self._logits(center))
                deviance = FAMILIES[self._family](
                    ops.convert_to_tensor(y[:, column], "float64"),
                    ops.convert_to_tensor(logits, "float64"),
                    self._parameter(),
                )
                found = float(np.average(ops.convert_to_numpy(deviance), weights=w))
            # Targets that do not vary have no scale.
            each.append(found if np.isfinite(found) and found > 1e-12 else 1.0)
        return LossScale(float(np.mean(each)), tuple(each), (1.0,) * len(each))
