"""Temperature scaling: probabilities that are as sure as held-out rows say."""

import dataclasses
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from adaptive_nets.automl.judging.scoring import Metric

# Fewer rows say too little of how sure a model may be.
_LEAST_ROWS = 50
_FOLDS, _BINS = 5, 15
# Limits of the logarithm of 1 / T, and the least probability of a class.
_BOUND, _LEAST = 3.0, 1e-30
# Scorers of scikit-learn that read probabilities as such, and not only their order.
_PROBABILISTIC = {"neg_log_loss", "neg_brier_score", "d2_log_loss_score", "d2_brier_score"}


@dataclasses.dataclass(frozen=True)
class Temperature:
    """How a classifier's probabilities were calibrated on held-out rows (Guo et al., 2017).

    Args:
        value: T. Logits are divided by it; 1 if that did not lower the log loss.
        rows: Number of held-out rows.
        before: Log loss, Brier score and expected calibration error of the model as it was.
        after: The same as it is served, for rows that T was not learnt from.
    """

    value: float
    rows: int
    before: dict[str, float]
    after: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Returns what is known as JSON values."""
        return dataclasses.asdict(self)


def calibrate(
    metric: Metric,
    codes: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray | None,
    decided: bool = False,
) -> tuple[Temperature | None, np.ndarray]:
    """Learns a temperature, which is kept if it lowers the log loss of rows it has not seen.

    Five times, T is learnt from four fifths of the rows and tried on the last fifth. If that
    lowers the log loss of all, T is learnt from all rows.

    Args:
        metric: What models are compared by. If it does not depend on how sure predictions are,
            there is no temperature.
        codes: `[rows]` position of each row's class.
        probabilities: `[rows, classes]`, from a model that was not trained on these rows.
        weights: `[rows]` weights, or `None`.
        decided: Whether decisions depend on how sure predictions are, whatever the metric is.
            Defaults to `False`.

    Returns:
        The temperature, or `None` if there is none or there are less than 50 rows; and the
        probabilities of the rows by temperatures that were learnt from others.
    """
    reads = decided or metric.scorer is None or metric.name in _PROBABILISTIC
    if not reads or len(codes) < _LEAST_ROWS:
        return None, probabilities
    w = np.ones(len(codes)) if weights is None else np.asarray(weights, "float64")
    logits = np.log(np.maximum(np.asarray(probabilities, "float64"), _LEAST))
    fold = np.random.default_rng(0).permutation(len(codes)) % _FOLDS
    tried = np.array(probabilities, "float64")
    for each in range(_FOLDS):
        rest, part = fold != each, fold == each
        value = _best(logits[rest], codes[rest], w[rest])
        tried[part] = softmax(logits[part] / value, axis=1)
    before, after = (reliability(codes, p, w) for p in (probabilities, tried))
    if not after["log_loss"] < before["log_loss"]:
        return Temperature(1.0, len(codes), before, before), probabilities
    return Temperature(_best(logits, codes, w), len(codes), before, after), tried


def reliability(codes: np.ndarray, probabilities: np.ndarray, weights: Any) -> dict[str, float]:
    """Returns log loss, Brier score and expected calibration error.

    The calibration error is the mean difference of accuracy and confidence, the probability of
    the predicted class, over 15 bins of equal width. The Brier score is the squared distance of
    the probabilities from 0 and 1, summed over the classes.

    Args:
        codes: `[rows]` position of each row's class.
        probabilities: `[rows, classes]`.
        weights: `[rows]` weights, or `None`.
    """
    w = np.ones(len(codes)) if weights is None else np.asarray(weights, "float64")
    w = w / w.sum()
    p = np.asarray(probabilities, "float64")
    own = p[np.arange(len(codes)), codes]
    squares = (p**2).sum(axis=1) - 2.0 * own + 1.0
    chosen = p.argmax(axis=1)
    confidence = p[np.arange(len(codes)), chosen]
    gap = w * ((chosen == codes) - confidence)
    place = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    error = np.abs(np.bincount(place, gap, _BINS)).sum()
    return {
        "log_loss": float(-(w * np.log(np.maximum(own, np.finfo("float64").eps))).sum()),
        "brier": float((w * squares).sum()),
        "ece": float(error),
    }


def _best(logits, codes, weights):
    """Returns the temperature of least log loss, which is convex in 1 / T."""
    rows = np.arange(len(codes))

    def loss(log_inverse):
        scaled = np.exp(log_inverse) * logits
        peak = scaled.max(axis=1)
        total = np.log(np.exp(scaled - peak[:, None]).sum(axis=1)) + peak
        return float((weights * (total - scaled[rows, codes])).sum())

    found = minimize_scalar(
        loss, bounds=(-_BOUND, _BOUND), method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(-found.x))
