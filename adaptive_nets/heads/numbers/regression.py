"""A head for real-valued targets."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets._arguments import takes
from adaptive_nets._checks import check_config, show
from adaptive_nets._dtypes import whole_dtype
from adaptive_nets.heads.base import Head
from adaptive_nets.heads.compat.arguments import NUMBERS
from adaptive_nets.heads.loss_scale import LossScale, measure_loss_scale
from adaptive_nets.heads.metrics import R2
from adaptive_nets.heads.numbers.numeric import Numeric
from adaptive_nets.keras_internals import loss_settings
from adaptive_nets.serialization import make_object

_LOSSES = {
    "mean_squared_error": keras.losses.mean_squared_error,
    "mean_absolute_error": keras.losses.mean_absolute_error,
    "huber": keras.losses.huber,
}


@takes(NUMBERS)
@keras.saving.register_keras_serializable(package="adaptive_nets")
class Regression(Numeric):
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
        function = self.loss_function
        if isinstance(function, keras.losses.Loss):
            # Calling the object would reduce over the batch, and cast to its own dtype.
            function = function.call
        each = ops.convert_to_tensor(_LOSSES.get(function, function)(labels, logits))
        if len(each.shape) not in (1, 2):
            raise ValueError(
                f"Cannot use the loss of head '{self.name}': it must return one value per "
                f"example, shape [n] or [n, dim]; do not average over the batch. "
                f"Received: shape {list(each.shape)} from {show(self.loss_function)}."
            )
        return each if len(each.shape) == 1 else ops.mean(each, axis=-1)

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
        loss = self.loss_function
        if getattr(loss, "__name__", "") == "<lambda>":
            raise ValueError(
                f"Cannot save head '{self.name}': a lambda cannot be saved by name. Pass a named "
                f"function decorated with keras.saving.register_keras_serializable. "
                f"Received: loss={show(loss)}."
            )
        if not isinstance(loss, str):
            loss = _serialize(loss)
        return {**super().get_config(), "loss": loss}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Head:
        """Creates a head from the output of `get_config`.

        Raises:
            ValueError: The loss is a function or class that is not registered with Keras.
        """
        config = check_config(cls, config)
        loss = config.get("loss")
        if isinstance(loss, dict):
            try:
                config["loss"] = make_object(loss, "loss")
            except ValueError as error:
                raise ValueError(
                    f"Cannot load head '{config.get('name')}': its loss is not registered. "
                    f"Import the module that decorates it with "
                    f"keras.saving.register_keras_serializable, or load inside "
                    f"keras.saving.custom_object_scope. "
                    f"Received: {show(_name_of(loss))} ({error})."
                ) from error
        return cls(**config)


def _serialize(loss: Any) -> dict[str, Any]:
    serialized = keras.saving.serialize_keras_object(loss)
    if isinstance(loss, keras.losses.Loss):
        # Keras leaves some constructor arguments out of its losses' configuration (Huber's delta,
        # CosineSimilarity's axis), and would load another loss than was saved.
        accepted = inspect.signature(type(loss)).parameters
        for key, value in loss_settings(loss).items():
            if key in accepted:
                serialized["config"].setdefault(key, value)
    return serialized


def _name_of(serialized: dict[str, Any]) -> str:
    config = serialized.get("config")
    return config if isinstance(config, str) else str(serialized.get("class_name"))
