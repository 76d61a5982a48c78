"""`Quantile`: a head of several quantiles of one target."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets._arguments import takes
from adaptive_nets._checks import check_number, show
from adaptive_nets._dtypes import whole_dtype
from adaptive_nets._values import elements
from adaptive_nets.heads.loss_scale import LossScale, measure_loss_scale
from adaptive_nets.heads.numbers.numeric import Numeric


@takes({})
@keras.saving.register_keras_serializable(package="adaptive_nets")
class Quantile(Numeric):
    """Quantiles of one target, one logit each: the pinball loss, averaged over the levels.

    For a level t the loss is max(t (y - q), (t - 1) (y - q)), which is convex in q. Predicted
    quantiles are sorted, so that they never cross. Sorting never raises the mean pinball loss of
    a row (Chernozhukov, Fernández-Val and Galichon, 2010).

    Predictions: `"quantiles"` `[n, levels]`, in rising order, and `"median"` `[n, 1]` if 0.5 is
    among the levels.

    Args:
        levels: Different numbers between 0 and 1, in rising order. Defaults to `(0.1, 0.5, 0.9)`.
        name: String. The head's name in errors and reports. Defaults to `"quantile"`.
        weight_column: Name of the feature with the weights of the rows, which is not an input of
            the model. Defaults to `None`: rows weigh the same, or as `sample_weight` says.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    head = an.heads.Quantile([0.1, 0.9]).adapt([0.0, 2.0, 4.0])
    logits = keras.ops.convert_to_tensor([[1.0, 4.0]])
    loss = head.loss(head.encode([2.0]), logits)  # (0.1 * 1 + 0.1 * 2) / 2 = 0.15
    ```
    """

    _several = "For several targets, make a head of each for heads.Multi."

    def __init__(
        self,
        levels: Iterable[float] = (0.1, 0.5, 0.9),
        name: str = "quantile",
        weight_column: str | None = None,
    ) -> None:
        super().__init__(1, name, weight_column)
        self.levels = check_levels("levels", levels)

    @property
    def units(self) -> int:
        return len(self.levels)

    @property
    def label_spec(self) -> tuple[tuple[int, ...], str]:
        return (1,), "float32"

    @property
    def main_metric(self) -> tuple[str, str]:
        return "pinball", "min"

    @property
    def default_output(self) -> str:
        return "quantiles"

    def loss(self, labels: Any, logits: Any) -> Any:
        return pinball(labels, ops.convert_to_tensor(logits), self.levels)

    def metrics(self) -> dict[str, keras.metrics.Metric]:
        return {"pinball": Pinball(self.levels), "coverage": Coverage()}

    def predictions(self, logits: Any) -> dict[str, Any]:
        found = {"quantiles": ops.sort(ops.convert_to_tensor(logits), axis=-1)}
        if 0.5 in self.levels:
            place = self.levels.index(0.5)
            found["median"] = found["quantiles"][:, place : place + 1]
        return found

    def output_range(
        self, labels: np.ndarray, base: np.ndarray | None = None
    ) -> tuple[list[float], list[float]]:
        """Returns the quantiles of the targets, or 0 if there is a base, and their deviation."""
        y = np.asarray(labels, "float64")[:, 0]
        if base is None:
            offset, rest = np.quantile(y, self.levels), y
        else:
            offset, rest = np.zeros(self.units), y - np.median(base, axis=-1)
        spread = rest.std()
        return offset.tolist(), [float(spread if spread > 0 else 1.0)] * self.units

    def loss_scale(self, labels: np.ndarray, weights: np.ndarray | None = None) -> LossScale:
        """Returns the loss of the mean as every quantile."""

        def loss(targets, predictions):
            return _each(ops.convert_to_tensor(targets - predictions), self.levels)

        return measure_loss_scale(loss, np.repeat(labels, self.units, axis=1), weights)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["dim"]
        return {**config, "levels": list(self.levels)}


def pinball(labels: Any, quantiles: Any, levels: Sequence[float]) -> Any:
    """Returns the mean over the levels of the pinball loss.

    Args:
        labels: `[n, 1]` targets.
        quantiles: `[n, levels]`.
        levels: Numbers between 0 and 1.

    Returns:
        Tensor `[n]` in the dtype of the quantiles.
    """
    return _each(ops.cast(labels, quantiles.dtype) - quantiles, levels)


def check_levels(name: str, given: Any) -> list[float]:
    """Returns levels of quantiles as a list of rising numbers between 0 and 1.

    Args:
        name: Name of the argument.
        given: What was passed for it.

    Raises:
        ValueError: It is something else.
    """
    rule = f"{name} must be a list of different numbers between 0 and 1, in rising order"
    listed = isinstance(given, Iterable) and not isinstance(given, str | bytes | dict | set)
    found = elements(given) if listed else None
    if not found:
        raise ValueError(f"{rule}. Received: {name}={show(given)}.")
    levels = [check_number(name, level, 0, 1, False) for level in found]
    if any(second <= first for first, second in itertools.pairwise(levels)):
        raise ValueError(f"{rule}, such as {sorted(set(levels))}. Received: {name}={show(levels)}.")
    return levels


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Pinball(keras.metrics.Mean):
    """Mean pinball loss of predicted quantiles, which are sorted first.

    Args:
        levels: Levels of the quantiles. Defaults to `(0.1, 0.5, 0.9)`.
        name: String. The metric's name. Defaults to `"pinball"`.
        dtype: Dtype of the sums. Defaults to `None`: float32, or float64 if that is Keras' float
            type.

    Example:

    ```python
    from adaptive_nets.heads.numbers.quantile import Pinball

    metric = Pinball([0.1, 0.9])
    metric.update_state([[2.0]], [[4.0, 1.0]])
    pinball = float(metric.result())  # (0.1 * 1 + 0.1 * 2) / 2 = 0.15
    ```
    """

    def __init__(
        self,
        levels: Iterable[float] = (0.1, 0.5, 0.9),
        name: str = "pinball",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype or whole_dtype())
        self.levels = check_levels("levels", levels)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        quantiles = ops.sort(ops.cast(y_pred, self.dtype), axis=-1)
        labels = ops.reshape(ops.cast(y_true, self.dtype), (-1, 1))
        super().update_state(pinball(labels, quantiles, self.levels), sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "levels": list(self.levels)}


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Coverage(keras.metrics.Mean):
    """Share of the targets from the least to the greatest of the predicted quantiles.

    Args:
        name: String. The metric's name. Defaults to `"coverage"`.
        dtype: Dtype of the sums. Defaults to `None`: float32, or float64 if that is Keras' float
            type.

    Example:

    ```python
    from adaptive_nets.heads.numbers.quantile import Coverage

    metric = Coverage()
    metric.update_state([[2.0], [5.0]], [[1.0, 4.0], [1.0, 4.0]])
    coverage = float(metric.result())  # 0.5
    ```
    """

    def __init__(self, name: str = "coverage", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype or whole_dtype())

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        quantiles = ops.cast(y_pred, self.dtype)
        labels = ops.reshape(ops.cast(y_true, self.dtype), (-1,))
        low, high = ops.min(quantiles, axis=-1), ops.max(quantiles, axis=-1)
        within = ops.logical_and(labels >= low, labels <= high)
        super().update_state(ops.cast(within, self.dtype), sample_weight)


def _each(error, levels):
    t = ops.convert_to_tensor(np.asarray(levels), error.dtype)
    return ops.mean(ops.maximum(t * error, (t - 1.0) * error), axis=-1)
