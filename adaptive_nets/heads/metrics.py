"""Metrics of logits that Keras lacks, or has for probabilities only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from adaptive_nets._checks import check_number
from adaptive_nets._dtypes import whole_dtype


@keras.saving.register_keras_serializable(package="adaptive_nets")
class LogitAccuracy(keras.metrics.Mean):
    """Accuracy of logits: the share of labels on the right side of 0 (probability one half).

    Another `threshold` than 0.5 is one of the probability, sigmoid(logit).

    Example:

    ```python
    from adaptive_nets.heads.metrics import LogitAccuracy

    metric = LogitAccuracy()
    metric.update_state([[1.0], [0.0]], [[0.3], [0.1]])
    accuracy = float(metric.result())  # 0.5
    ```
    """

    def __init__(self, name: str = "accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        super().__init__(name=name, dtype=dtype or whole_dtype())
        self.threshold = check_number("threshold", threshold, 0, 1, inclusive=False)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        labels, decisions = _decisions(y_true, y_pred, self.dtype, self.threshold)
        right = ops.cast(ops.equal(labels, decisions), self.dtype)
        super().update_state(ops.mean(right, axis=-1), sample_weight)

    def get_config(self) -> dict[str, Any]:
        return _with_threshold(super().get_config(), self.threshold)


@keras.saving.register_keras_serializable(package="adaptive_nets")
class LogitPrecision(keras.metrics.Mean):
    """Precision of logits: the share of true positives among logits above 0, or 0 without any.

    Another `threshold` than 0.5 is one of the probability, sigmoid(logit).

    Example:

    ```python
    from adaptive_nets.heads.metrics import LogitPrecision

    metric = LogitPrecision()
    metric.update_state([[1.0], [0.0]], [[0.3], [0.1]])
    precision = float(metric.result())  # 0.5
    ```
    """

    def __init__(self, name: str = "precision", dtype: Any = None, threshold: float = 0.5) -> None:
        super().__init__(name=name, dtype=dtype or whole_dtype())
        self.threshold = check_number("threshold", threshold, 0, 1, inclusive=False)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        labels, decisions = _decisions(y_true, y_pred, self.dtype, self.threshold)
        super().update_state(labels, decisions * _column(sample_weight, self.dtype))

    def get_config(self) -> dict[str, Any]:
        return _with_threshold(super().get_config(), self.threshold)


@keras.saving.register_keras_serializable(package="adaptive_nets")
class LogitRecall(keras.metrics.Mean):
    """Recall of logits: the share of positives with a logit above 0, or 0 without any.

    Another `threshold` than 0.5 is one of the probability, sigmoid(logit).

    Example:

    ```python
    from adaptive_nets.heads.metrics import LogitRecall

    metric = LogitRecall()
    metric.update_state([[1.0], [1.0]], [[0.3], [-0.1]])
    recall = float(metric.result())  # 0.5
    ```
    """

    def __init__(self, name: str = "recall", dtype: Any = None, threshold: float = 0.5) -> None:
        super().__init__(name=name, dtype=dtype or whole_dtype())
        self.threshold = check_number("threshold", threshold, 0, 1, inclusive=False)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        labels, decisions = _decisions(y_true, y_pred, self.dtype, self.threshold)
        super().update_state(decisions, labels * _column(sample_weight, self.dtype))

    def get_config(self) -> dict[str, Any]:
        return _with_threshold(super().get_config(), self.threshold)


@keras.saving.register_keras_serializable(package="adaptive_nets")
class LogitAUC(keras.metrics.Metric):
    """Area under the ROC curve, averaged over labels, from histograms of the logits.

    Bins are evenly spaced in `z / (1 + |z|)`, not in probability, so that very confident
    predictions are still told apart. Logits in the same bin count as ties. A label with
    examples of one class only is left out; if none is left, the result is NaN.

    Args:
        n_labels: Integer. The size of the logits' last axis. Defaults to `1`.
        bins: Integer. Number of bins of each histogram. Defaults to `1024`.
        name: String. The metric's name. Defaults to `"auc"`.
        dtype: Dtype of the counts. Defaults to `None`: float32, or float64 if
            that is Keras' float type.

    Example:

    ```python
    from adaptive_nets.heads.metrics import LogitAUC

    metric = LogitAUC()
    metric.update_state([[1.0], [0.0], [1.0]], [[9.0], [2.0], [-1.0]])
    auc = float(metric.result())  # 0.5: one of two pairs is in order
    ```
    """

    def __init__(
        self, n_labels: int = 1, bins: int = 1024, name: str = "auc", dtype: Any = None
    ) -> None:
        super().__init__(name=name, dtype=dtype or whole_dtype())
        self.n_labels, self.bins = n_labels, bins
        self.counts = self.add_weight(
            shape=(2 * n_labels * bins,), initializer="zeros", dtype=self.dtype, name="counts"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        logits = ops.reshape(ops.cast(y_pred, self.dtype), (-1, self.n_labels))
        labels = ops.reshape(ops.cast(y_true, "float32"), (-1, self.n_labels))
        logits = ops.clip(ops.where(ops.isnan(logits), 0.0, logits), -1e6, 1e6)
        score = logits / (1.0 + ops.abs(logits))
        bucket = ops.cast(ops.floor((score + 1.0) * (self.bins / 2)), "int32")
        bucket = ops.clip(bucket, 0, self.bins - 1)
        positive = ops.cast(labels > 0.5, "int32")
        index = (
            positive * self.n_labels + ops.arange(self.n_labels, dtype="int32")
        ) * self.bins + bucket
        weight = ops.ones_like(logits) * _column(sample_weight, self.dtype)
        self.counts.assign_add(
            ops.segment_sum(
                ops.reshape(weight, (-1,)), ops.reshape(index, (-1,)), 2 * self.n_labels * self.bins
            )
        )

    def result(self) -> Any:
        counts = ops.reshape(ops.convert_to_tensor(self.counts), (2, self.n_labels, self.bins))
        negative, positive = counts[0], counts[1]
        # A pair in one bin is a tie, and half in order.
        below = ops.cumsum(negative, axis=-1) - negative / 2
        pairs = ops.sum(negative, axis=-1) * ops.sum(positive, axis=-1)
        ordered = ops.sum(positive * below, axis=-1)
        defined = ops.cast(pairs > 0, self.dtype)
        area = ops.sum(defined * ordered / ops.where(pairs > 0, pairs, 1.0))
        return ops.where(ops.sum(defined) > 0, area / ops.sum(defined), float("nan"))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_labels": self.n_labels, "bins": self.bins}


@keras.saving.register_keras_serializable(package="adaptive_nets")
class R2(keras.metrics.Metric):
    """Coefficient of determination, averaged over the targets.

    Means and squared deviations are merged batch by batch (Chan, Golub and LeVeque), so that
    targets far from zero lose no digits, as the difference of two sums of squares would. A
    constant target scores 1 when predicted exactly and 0 otherwise.

    Args:
        dim: Integer. Number of targets. Defaults to `1`.
        name: String. The metric's name. Defaults to `"r2"`.
        dtype: Dtype of the sums. Defaults to `None`: float32, or float64 if
            that is Keras' float type.

    Example:

    ```python
    from adaptive_nets.heads.metrics import R2

    metric = R2()
    metric.update_state([[1.0], [3.0]], [[1.0], [2.0]])
    r2 = float(metric.result())  # 1 - 1 / 2 = 0.5
    ```
    """

    def __init__(self, dim: int = 1, name: str = "r2", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype or whole_dtype())
        self.dim = dim
        # One variable, one initialisation: [weight, mean, squared deviations, squared errors].
        self.moments = self.add_weight(
            shape=(4, dim), initializer="zeros", dtype=self.dtype, name="moments"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        targets = ops.reshape(ops.cast(y_true, self.dtype), (-1, self.dim))
        errors = targets - ops.reshape(ops.cast(y_pred, self.dtype), (-1, self.dim))
        each = ops.ones_like(targets) * _column(sample_weight, self.dtype)
        weight = ops.sum(each, axis=0)
        mean = ops.sum(each * targets, axis=0) / ops.where(weight > 0, weight, 1.0)
        deviations = ops.sum(each * ops.square(targets - mean), axis=0)

        before = ops.convert_to_tensor(self.moments)
        total = before[0] + weight
        share = weight / ops.where(total > 0, total, 1.0)
        step = mean - before[1]
        self.moments.assign(
            ops.stack(
                [
                    total,
                    before[1] + step * share,
                    before[2] + deviations + ops.square(step) * before[0] * share,
                    before[3] + ops.sum(each * ops.square(errors), axis=0),
                ]
            )
        )

    def result(self) -> Any:
        moments = ops.convert_to_tensor(self.moments)
        spread, residual = moments[2], moments[3]
        constant = ops.cast(ops.equal(residual, 0), self.dtype)
        score = 1.0 - residual / ops.where(spread > 0, spread, 1.0)
        return ops.mean(ops.where(spread > 0, score, constant))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dim": self.dim}


def threshold_metrics(thresholds: Sequence[float]) -> dict[str, keras.metrics.Metric]:
    """Returns accuracy, precision and recall at thresholds of the probability, by name.

    Args:
        thresholds: Numbers between 0 and 1.
    """
    kinds = {"accuracy": LogitAccuracy, "precision": LogitPrecision, "recall": LogitRecall}
    return {
        (name := f"{key}/positive_threshold_{t:g}"): kind(name=name, threshold=t)
        for t in thresholds
        for key, kind in kinds.items()
    }


def _with_threshold(config, threshold):
    """Returns a metric's configuration, which without a threshold is as in older states."""
    return config if threshold == 0.5 else {**config, "threshold": threshold}


def _decisions(y_true: Any, y_pred: Any, dtype: str, threshold: float) -> tuple[Any, Any]:
    labels = ops.cast(ops.convert_to_tensor(y_true), dtype)
    logits = ops.convert_to_tensor(y_pred)
    if len(labels.shape) < len(logits.shape):
        labels = ops.expand_dims(labels, -1)
    return labels, ops.cast(logits > math.log(threshold / (1 - threshold)), dtype)


def _column(sample_weight: Any, dtype: str) -> Any:
    if sample_weight is None:
        return 1.0
    return ops.reshape(ops.cast(ops.convert_to_tensor(sample_weight), dtype), (-1, 1))
