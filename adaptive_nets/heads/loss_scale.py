"""`LossScale`: the size of a task's loss, to which λ and β are relative."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

# More rows would tell no more of a scale.
_ROWS = 8192


@dataclasses.dataclass(frozen=True)
class LossScale:
    """What the loss of a task is measured in. It is 1 where targets have variance 1.

    The objective is `loss + loss_scale Σ Γ_j |w_j|`, so that λ and β mean the same whatever the
    unit of the targets.

    Args:
        overall: The loss of a constant prediction, relative to that of targets of variance 1: for
            squared errors, the mean variance of the targets.
        each: The same for each logit alone.
        deviation: The standard deviation of each logit's targets.
    """

    overall: float
    each: tuple[float, ...]
    deviation: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns the scale as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, given: dict[str, Any] | None) -> LossScale | None:
        """Restores the scale from the output of `to_json`; `None` stays `None`."""
        if given is None:
            return None
        return cls(given["overall"], tuple(given["each"]), tuple(given["deviation"]))


def measure_loss_scale(
    loss: Callable[[Any, Any], Any], targets: np.ndarray, weights: np.ndarray | None = None
) -> LossScale:
    """Measures the scale of a loss whose logits are predictions of the targets.

    Args:
        loss: Function of targets and predictions `[n, units]` to `[n]`.
        targets: `[n, units]`.
        weights: `[n]` row weights. Defaults to `None`: all are equal.
    """
    rows = np.linspace(0, len(targets) - 1, min(len(targets), _ROWS)).astype(int)
    y = np.asarray(targets)[rows].astype("float64")
    w = None if weights is None or not weights[rows].any() else weights[rows].astype("float64")
    mean = np.average(y, axis=0, weights=w)
    deviation = spread(y - mean, np.abs(y).max(axis=0), w)
    standard = (y - mean) / deviation
    each = []
    for column in range(y.shape[1]):
        here = _of_constant(loss, y, column, mean[column], w)
        usual = _of_constant(loss, standard, column, 0.0, w)
        found = here / usual if usual > 0 else np.nan
        # A loss that is not one of errors, or targets that do not vary.
        plain = deviation[column] ** 2
        each.append(float(found if np.isfinite(found) and found > 0 else plain))
    return LossScale(float(np.mean(each)), tuple(each), tuple(deviation.tolist()))


def spread(
    centred: np.ndarray, largest: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Returns the deviation of each centred column; 1 where it is rounding of `largest`."""
    deviation = np.sqrt(np.average(centred**2, axis=0, weights=weights))
    return np.where(deviation > 1e-12 * largest, deviation, 1.0)


def _of_constant(loss, targets, column, value, weights):
    predictions = targets.copy()
    predictions[:, column] = value
    each = np.asarray(ops.convert_to_numpy(loss(targets, predictions)), "float64")
    return float(np.average(each, weights=weights))
