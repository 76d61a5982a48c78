"""Evaluation, with the metric names of tf.estimator's heads."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets._arguments import takes
from adaptive_nets._checks import (
    check_choice,
    check_dict,
    check_function,
    check_integer,
    check_text,
    or_none,
    show,
)
from adaptive_nets._values import tried
from adaptive_nets.adanet import AdaNet
from adaptive_nets.adanet.ensembles.metrics import evaluate_logits
from adaptive_nets.adanet.fit_data import labelled_rows
from adaptive_nets.adanet.inspection.predictions import predict_rows
from adaptive_nets.adanet.monitoring.tensorboard import Scalars
from adaptive_nets.data.datasets import read_dataset
from adaptive_nets.estimator import inputs
from adaptive_nets.estimator.compat.contract import check_updated, metric_arguments
from adaptive_nets.estimator.reading.predictions import named
from adaptive_nets.heads import BinaryClass
from adaptive_nets.heads.numbers.numeric import Numeric

if TYPE_CHECKING:
    import tensorflow as tf


@takes({})
@dataclasses.dataclass(frozen=True)
class InputFnEvaluator:
    """Chooses candidates by a metric on the data of an `input_fn`.

    This is `adanet.Evaluator` of adanet 0.9, and also exported as `estimator.Evaluator`. For
    arrays and datasets use `adaptive_nets.adanet.Evaluator`.

    Args:
        input_fn: Function that returns the data.
        metric_name: `"loss"` (or `"adanet_loss"`) or one of the head's metrics. Defaults to
            `"adanet_loss"`.
        objective: `"minimize"` or `"maximize"`. Defaults to `"minimize"`.
        steps: Number of batches to read. Defaults to `None`: all.

    Raises:
        ValueError: `objective` is neither `"minimize"` nor `"maximize"`.
    """

    input_fn: Callable
    metric_name: str = "adanet_loss"
    objective: str = "minimize"
    steps: int | None = None

    def __post_init__(self) -> None:
        check_function("input_fn", self.input_fn)
        check_text("metric_name", self.metric_name)
        check_choice("objective", self.objective, ("minimize", "maximize"))
        or_none(check_integer, "steps", self.steps, 1)

    def evaluator(self, config: Any, params: Any) -> Any:
        """Returns the evaluator of the search."""
        from adaptive_nets.adanet import Evaluator as Judge

        x = inputs.for_evaluation(self.input_fn, self.steps, config, params)
        names = {"adanet_loss": "loss", "average_loss": "loss"}
        metric = names.get(self.metric_name, self.metric_name)
        return Judge(x, metric=metric, mode=self.objective[:3])


# The name in adanet's scripts, which is why it gives no warning.
Evaluator = InputFnEvaluator


@takes({})
@dataclasses.dataclass(frozen=True)
class ReportMaterializer:
    """Data that the generator's reports are measured on.

    Args:
        input_fn: Function that returns the data.
        steps: Number of batches to read. Defaults to `None`: all.
    """

    input_fn: Callable
    steps: int | None = None

    def __post_init__(self) -> None:
        check_function("input_fn", self.input_fn)
        or_none(check_integer, "steps", self.steps, 1)

    def dataset(self, config: Any, params: Any) -> "tf.data.Dataset":
        """Returns the data."""
        return inputs.for_evaluation(self.input_fn, self.steps, config, params)


def evaluate_search(
    search: AdaNet,
    dataset: "tf.data.Dataset",
    metric_fn: Callable | None = None,
    config: Any = None,
    params: Any = None,
) -> dict[str, Any]:
    """Returns loss and metrics of the ensemble on a finite dataset.

    Args:
        search: A search with an ensemble.
        dataset: Dataset of features and labels.
        metric_fn: Function of some of `features`, `labels`, `predictions`, `config` and `params`
            that returns further metrics. Defaults to `None`.
        config: The `RunConfig`, for `metric_fn`. Defaults to `None`.
        params: Hyperparameters, for `metric_fn`. Defaults to `None`.

    Returns:
        Dict of numbers.
    """
    head = search.head
    x, y, w = read_dataset(dataset)
    rows = labelled_rows(x, y, head, "evaluate", w, schema=search.schema)
    logits = predict_rows(search.model, rows.x, 1024)
    found = evaluate_logits(head, logits, rows)
    found["average_loss"] = found["loss"]
    found |= _usual(head, np.asarray(logits, "float64"), rows)
    if metric_fn is not None:
        known = {
            "features": x, "labels": rows.y, "config": config, "params": params,
            "predictions": {k: v.numpy() for k, v in named(head, logits).items()},
        }  # fmt: skip
        found |= _further(metric_fn, known)
    found["iteration"] = search.state.iteration
    found["global_step"] = search.global_step
    return found


def _further(metric_fn, known):
    """Returns the metrics of a `metric_fn`, which is given what it asks for."""
    metrics = metric_fn(**{name: known[name] for name in metric_arguments(metric_fn)})
    found = {}
    for name, value in check_dict("metric_fn", metrics, object, "a dict of metrics").items():
        if isinstance(value, keras.metrics.Metric):
            check_updated("metric_fn", name, value)
            value = value.result()
        number = tried(lambda value=value: float(np.asarray(value)))
        if number is None:
            raise ValueError(
                "metric_fn must return a dict of numbers or keras.metrics.Metrics: TensorFlow 1's "
                f"pairs of a value and its update have no meaning here. Received: {name}="
                f"{show(value)}."
            )
        found[name] = number
    return found


def write_summary(folder: str, found: dict[str, Any]) -> None:
    """Writes metrics for TensorBoard at their global step; warns where that fails."""
    scalars = Scalars([Path(folder)])
    named = {name: value for name, value in found.items() if name != "global_step"}
    scalars.write(found["global_step"], [named])
    scalars.close()


def _usual(head, logits, rows):
    """Returns the further metrics of tf.estimator's binary and regression heads."""
    weights = rows.w
    if isinstance(head, Numeric) and head.default_output == "predictions":
        predicted = keras.ops.convert_to_numpy(head.predictions(logits)["predictions"])
        return {
            "label/mean": float(np.average(np.asarray(rows.y, "float64"), 0, weights).mean()),
            "prediction/mean": float(np.average(predicted, 0, weights).mean()),
        }
    if not isinstance(head, BinaryClass):
        return {}
    labels = np.asarray(rows.y, "float64").reshape(-1)
    likely = np.asarray(head.predictions(logits)["probabilities"])[:, 1]
    mean = float(np.average(labels, weights=weights))
    curve = keras.metrics.AUC(num_thresholds=200, curve="PR")
    curve.update_state(labels, likely, weights)
    return {
        "label/mean": mean,
        "prediction/mean": float(np.average(likely, weights=weights)),
        "accuracy_baseline": max(mean, 1 - mean),
        "auc_precision_recall": float(curve.result()),
    }
