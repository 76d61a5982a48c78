"""Metrics of predicted classes, of many confusion matrices at once."""

from collections.abc import Callable

import numpy as np

from adaptive_nets.automl.judging.scoring import Metric

# `[m, classes, classes]` rows by true and predicted class to `[m]` values.
Measure = Callable[[np.ndarray], np.ndarray]

_AVERAGES = ("macro", "weighted", "micro")


def measure_of(metric: Metric, labels: np.ndarray) -> Measure | None:
    """Returns a metric as a function of confusion matrices, or `None` if it is not such a metric.

    Args:
        metric: The metric: any scorer of scikit-learn that reads predicted classes, apart from
            likelihood ratios and those that compare clusters.
        labels: The classes.
    """
    if metric.name in _KNOWN:
        return _KNOWN[metric.name]
    if metric.name in _SHARES:
        positive = len(labels) - 1 if metric.coded else int(np.argmax(labels == 1))
        return lambda found: _share(found, _SHARES[metric.name])[:, positive]
    name, _, average = metric.name.rpartition("_")
    if name in _SHARES and average in _AVERAGES:
        return lambda found: _averaged(found, _SHARES[name], average)
    return None


def confusion(
    codes: np.ndarray, chosen: np.ndarray, weights: np.ndarray, classes: int
) -> np.ndarray:
    """Returns the weight of rows `[classes, classes]` by true and predicted class.

    Args:
        codes: `[rows]` position of each row's class.
        chosen: `[rows]` position of each predicted class.
        weights: `[rows]` weights.
        classes: Number of classes.
    """
    found = np.bincount(codes * classes + chosen, weights, classes * classes)
    return found.reshape(classes, classes)


def _share(found, weigh):
    """Returns `[m, classes]` shares of right predictions; 0 where there is nothing to divide."""
    right = np.diagonal(found, axis1=1, axis2=2)
    return _divided(right, weigh(right, found.sum(axis=2), found.sum(axis=1)))


def _averaged(found, weigh, average):
    true, predicted = found.sum(axis=2), found.sum(axis=1)
    if average == "micro":
        right = np.trace(found, axis1=1, axis2=2)
        return _divided(right, weigh(right, true.sum(axis=1), predicted.sum(axis=1)))
    shares = _share(found, weigh)
    # As scikit-learn has it: classes that occur among neither do not count.
    counted = true if average == "weighted" else (true + predicted > 0).astype("float64")
    return _divided((shares * counted).sum(axis=1), counted.sum(axis=1))


def _balanced(found):
    true = found.sum(axis=2)
    recalls = _divided(np.diagonal(found, axis1=1, axis2=2), true)
    return _divided(recalls.sum(axis=1), (true > 0).sum(axis=1))


def _matthews(found):
    true, predicted = found.sum(axis=2), found.sum(axis=1)
    rows = true.sum(axis=1)
    right = np.trace(found, axis1=1, axis2=2)
    both = right * rows - (true * predicted).sum(axis=1)
    spread = (rows**2 - (true**2).sum(axis=1)) * (rows**2 - (predicted**2).sum(axis=1))
    return _divided(both, np.sqrt(np.maximum(spread, 0.0)))


def _divided(one, other):
    return np.divide(one, other, out=np.zeros(np.shape(one)), where=np.asarray(other) > 0)


# What right predictions are divided by, given themselves and rows by true and predicted class.
_SHARES = {
    "f1": lambda right, true, predicted: (true + predicted) / 2.0,
    "jaccard": lambda right, true, predicted: true + predicted - right,
    "precision": lambda right, true, predicted: predicted,
    "recall": lambda right, true, predicted: true,
}
_KNOWN = {
    "accuracy": lambda found: _divided(np.trace(found, axis1=1, axis2=2), found.sum(axis=(1, 2))),
    "balanced_accuracy": _balanced,
    "matthews_corrcoef": _matthews,
}
