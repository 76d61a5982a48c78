"""Metrics of predictions: those that are always shown, and any scorer of scikit-learn by name."""

import dataclasses
import difflib
from typing import Any

import numpy as np
from sklearn import metrics
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from adaptive_nets._checks import check_text


@dataclasses.dataclass(frozen=True)
class Metric:
    """What candidates are compared by.

    Args:
        name: Its name: `"log_loss"`, `"rmse"`, or that of a scorer.
        scorer: The scorer of scikit-learn, or `None` for one of the metrics that are always shown.
        rising: Whether higher values are better.
        coded: Whether it reads two classes as 0 and 1, the second one being the positive class.
    """

    name: str
    scorer: Any = None
    rising: bool = False
    coded: bool = False

    def better(self, value: float, than: float) -> bool:
        """Returns whether a value is better than another one. NaN is better than none."""
        return value > than if self.rising else value < than


def make_metric(name: str, own: str) -> Metric:
    """Returns the metric of a name.

    Args:
        name: `"auto"`, or a name of `sklearn.metrics.get_scorer_names`.
        own: The metric that `"auto"` is, and that needs no scorer.

    Raises:
        ValueError: There is no such metric. The message names those that look like it.
    """
    name = check_text("metric", name)
    if name in ("auto", own):
        return Metric(own)
    known = metrics.get_scorer_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or known[:5]
        raise ValueError(
            "metric must be 'auto' or a name of sklearn.metrics.get_scorer_names(), such as "
            f"{', '.join(near)}. Received: metric={name!r}."
        )
    return Metric(name, metrics.get_scorer(name), rising=True)


def metric_for(metric: Metric, labels: np.ndarray | None, y: np.ndarray) -> Metric:
    """Returns a metric as it is measured on a target, before there are any predictions.

    Scorers such as `"f1"` take 1 for the positive class. Where neither of two classes is 1, the
    second one is.

    Args:
        metric: The metric.
        labels: The classes, or `None` for numbers.
        y: The target's values.

    Raises:
        ValueError: The metric is not defined for such a target.
    """
    if metric.scorer is None:
        return metric
    if labels is None:
        numbers = np.asarray(y, "float64")
        given = numbers, np.abs(numbers) + 1.0
    else:
        count = len(labels)
        given = np.repeat(labels, 2), np.repeat(np.eye(count) / 2 + 0.5 / count, 2, axis=0)
    try:
        _scored(metric, *given, labels)
    except (ValueError, TypeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        if labels is not None and count == 2 and "pos_label" in reason:
            return dataclasses.replace(metric, coded=True)
    else:
        return metric
    if labels is None:
        kind, usual = "numbers", ["r2", "neg_mean_absolute_error"]
    else:
        kind, usual = f"{len(labels)} classes", ["accuracy", "balanced_accuracy", "neg_log_loss"]
        usual = _variants(metric.name, given, labels) or usual
    raise ValueError(
        f"metric={metric.name!r} is not defined for this target, {kind}: {reason}. "
        f"Expected a metric that is, such as {', '.join(usual)}."
    )


def _variants(name, given, labels):
    """Returns scorers whose names begin alike, of those that are defined."""
    found = []
    for other in metrics.get_scorer_names():
        if other.startswith(f"{name}_"):
            try:
                _scored(Metric(other, metrics.get_scorer(other)), *given, labels)
            except (ValueError, TypeError):
                continue
            found.append(other)
    return found


def measure_classes(
    codes: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray | None,
    chosen: np.ndarray | None = None,
) -> dict[str, float]:
    """Returns log loss and accuracy, and for two classes the area under the ROC curve.

    Args:
        codes: `[rows]` position of each row's class.
        probabilities: `[rows, classes]`.
        weights: `[rows]` weights, or `None`.
        chosen: `[rows]` position of each predicted class. Defaults to `None`: the most probable.
    """
    count = probabilities.shape[1]
    chosen = probabilities.argmax(axis=1) if chosen is None else chosen
    found = {
        "log_loss": metrics.log_loss(
            codes, probabilities, sample_weight=weights, labels=np.arange(count)
        ),
        "accuracy": metrics.accuracy_score(codes, chosen, sample_weight=weights),
    }
    if count == 2 and len(np.unique(codes)) == 2:
        found["roc_auc"] = metrics.roc_auc_score(codes, probabilities[:, 1], sample_weight=weights)
    return {name: float(value) for name, value in found.items()}


def measure_numbers(
    y: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None
) -> dict[str, float]:
    """Returns the root mean squared error, the mean absolute error and R².

    Args:
        y: `[rows]` or `[rows, targets]` numbers.
        predictions: Of the same shape.
        weights: `[rows]` weights, or `None`.
    """
    found = {
        "rmse": metrics.root_mean_squared_error(y, predictions, sample_weight=weights),
        "mae": metrics.mean_absolute_error(y, predictions, sample_weight=weights),
    }
    if len(y) > 1:
        found["r2"] = metrics.r2_score(y, predictions, sample_weight=weights)
    return {name: float(value) for name, value in found.items()}


class _KnownClasses(ClassifierMixin, BaseEstimator):
    """Stands where a scorer expects a classifier whose predictions are known."""

    def __init__(self, classes: Any = None, probabilities: Any = None, chosen: Any = None):
        self.classes, self.probabilities, self.chosen = classes, probabilities, chosen

    @property
    def classes_(self) -> np.ndarray:
        return self.classes

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: Any) -> np.ndarray:
        if self.chosen is not None:
            return self.classes[self.chosen]
        return self.classes[self.probabilities.argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        return self.probabilities


class _KnownNumbers(RegressorMixin, BaseEstimator):
    """Stands where a scorer expects a regressor whose predictions are known."""

    def __init__(self, predictions: Any = None):
        self.predictions = predictions

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: Any) -> np.ndarray:
        return self.predictions


def score(
    metric: Metric,
    y: np.ndarray,
    outputs: np.ndarray,
    classes: np.ndarray | None,
    weights: np.ndarray | None,
    chosen: np.ndarray | None = None,
) -> float:
    """Returns a scorer's value for predictions; NaN where it is not defined.

    Args:
        metric: A `Metric` with a scorer.
        y: Labels.
        outputs: Probabilities `[rows, classes]`, or predicted numbers.
        classes: The classes, or `None` for numbers.
        weights: `[rows]` weights, or `None`.
        chosen: `[rows]` positions of the classes that are predicted. Defaults to `None`: the most
            probable ones.
    """
    try:
        return _scored(metric, y, outputs, classes, weights, chosen)
    except ValueError:
        # Defined for the target, but not for these predictions, such as negative ones of counts.
        return float("nan")


def _scored(metric, y, outputs, classes, weights=None, chosen=None):
    if metric.coded:
        y, classes = np.asarray(y == classes[1], "int64"), np.arange(2)
    known = _KnownNumbers(outputs) if classes is None else _KnownClasses(classes, outputs, chosen)
    options = {} if weights is None else {"sample_weight": weights}
    return float(metric.scorer(known, np.zeros((len(y), 1)), y, **options))
