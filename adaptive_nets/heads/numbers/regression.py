"""A head for real-valued targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets._arguments import takes
from adaptive_nets._checks import show
from adaptive_nets._dtypes import whole_dtype
from adaptive_nets.heads.compat.arguments import NUMBERS
from adaptive_nets.heads.compat.loss_functions import OwnLoss
from adaptive_nets.heads.loss_scale import LossScale, measure_loss_scale
from adaptive_nets.heads.metrics import R2
from adaptive_nets.heads.numbers.numeric import Numeric

_LOSSES = {
    "mean_squared_error": keras.losses.mean_squared_error,
    "mean_absolute_error": keras.losses.mean_absolute_error,
    "huber": keras.losses.huber,
}


@takes(NUMBERS)
@keras.saving.register_keras_serializable(package="adaptive_nets")
class Regression(OwnLoss, Numeric):
    """Regression with one logit per target; the logits are the predictions.

    Predictions: `"predictions"` `[n, dim]`.

    Args:
        dim: Integer >= 1. Number of targets. Defaults to `None`: learned by `adapt`.
        loss: `"mean_squared_error"`, `"mean_absolute_error"` or `"huber"` (averaged over the
            targets), a `keras.losses.Loss` (its reduction is ignored), or a function of labels
            and predictions `[n, dim]` that returns `[n]` or `[n, dim]`. It should be convex in
            the predictions. To save and load a custom function or class, decorate it with
            `keras.saving.register_keras_serializable`. Defaults to `"mean_squared_error"`.
        name: String. The head's name in errors and reports. Defaults to `"regression"`.
        weight_column: Name of the feature with the weights of the rows, which is not an input of
            the model. Defaults to `None`: rows weigh the same, or as `sample_weight` says.

    Arguments of tf.estimator's head are taken too (the migration page lists them).

    Example:

    ```python
    import keras
    import adaptive_nets as an

    head = an.heads.Regression(loss=keras.losses.Huber(delta=0.5)).adapt([1.0, 2.5, 4.0])
    labels = head.encode([2.0])  # [[2.]]
    loss = head.loss(labels, keras.ops.convert_to_tensor([[3.0]]))  # 0.5 (1 - 0.25) = 0.375
    ```
    """

    loss_argument = "loss"

    def __init__(
        self,
        dim: int | None = None,
        loss: str | keras.losses.Loss | Callable[[Any, Any], Any] = "mean_squared_error",
        name: str = "regression",
        weight_column: str | None = None,
    ) -> None:
        super().__init__(dim, name, weight_column)
        if not (callable(loss) and not isinstance(loss, type)) and (
            not isinstance(loss, str) or loss not in _LOSSES
        ):
            raise ValueError(
                f"Cannot make head '{name}': `loss` must be one of {', '.join(_LOSSES)}, a "
                f"keras.losses.Loss object or a function of labels and predictions. "
                f"Received: loss={show(loss)}."
            )
        self.loss_function = loss

    @property
    def main_metric(self) -> tuple[str, str]:
        return "mse", "min"

    def loss(self, labels: Any, logits: Any) -> Any:
        logits = ops.convert_to_tensor(logits)
        labels = ops.cast(labels, logits.dtype)
        if isinstance(self.loss_function, str):
            return _LOSSES[self.loss_function](labels, logits)
        return self.own_loss(labels, logits)

    def output_range(
        self, labels: np.ndarray, base: np.ndarray | None = None
    ) -> tuple[list[float], list[float]]:
        """Returns the mean and standard deviation of the targets, less `base` if given."""
        rest = np.asarray(labels, "float64") if base is None else labels - base
        offset = rest.mean(axis=0) if base is None else np.zeros(self.units)
        spread = rest.std(axis=0)
        return offset.tolist(), np.where(spread > 0, spread, 1.0).tolist()

    def loss_scale(self, labels: np.ndarray, weights: np.ndarray | None = None) -> LossScale:
        """Returns the loss of the mean, which for squared errors is the targets' variance."""
        return measure_loss_scale(self.loss, labels, weights)

    def metrics(self) -> dict[str, keras.metrics.Metric]:
        return {
            "mse": keras.metrics.MeanSquaredError(name="mse", dtype=whole_dtype()),
            "rmse": keras.metrics.RootMeanSquaredError(name="rmse", dtype=whole_dtype()),
            "mae": keras.metrics.MeanAbsoluteError(name="mae", dtype=whole_dtype()),
            "r2": R2(dim=self.units),
        }

    def predictions(self, logits: Any) -> dict[str, Any]:
        return {"predictions": ops.convert_to_tensor(logits)}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.loss_config()}
