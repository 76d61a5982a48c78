"""The contract between a task and a search."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import show
from adaptive_nets.configurable import Configurable
from adaptive_nets.heads.compat.arguments import check_column
from adaptive_nets.heads.loss_scale import LossScale
from adaptive_nets.heads.means import plain_mean


class Head(Configurable, ABC):
    """Base class of heads: the labels, loss, metrics and predictions of a task.

    A head is a small object without weights, and without state after `adapt`. Subclass it to
    add a task; a search uses nothing but what is declared here.

    - `adapt(y)` checks raw training labels and learns from them what was not passed to the
      constructor. What it learned is part of `get_config()`, and a later `adapt` keeps it:
      data with other classes needs a new head.
    - `encode(y)` turns raw labels into the NumPy array that `loss` and the metrics take.
    - `loss(labels, logits)` returns one value per example, uses `keras.ops` only, keeps the
      dtype of the logits, and is convex in the logits: mixture weights are solved as a convex
      problem.
      It is traced into the compiled training step.
    - `metrics()` returns new metrics on every call; they take *logits*.
    - `predictions(logits)` is traced into the exported model.
    - `label_spec` describes one encoded label. Override it if that is not one float32 per
      logit: `heads.Multi` uses it to lay the labels of several heads side by side.
    - `get_config()` returns the constructor's arguments as JSON values, so that
      `from_config(get_config())` is an equal head; register the class with
      `keras.saving.register_keras_serializable`.

    Args:
        name: String. The head's name in errors and reports.
        weight_column: Name of the feature with the weights of the rows, which is not an input of
            the model: a search takes it out of the features of `fit` and `evaluate`. Defaults to
            `None`: there is none.

    Example:

    ```python
    import keras
    import numpy as np
    import adaptive_nets as an

    @keras.saving.register_keras_serializable(package="my_package")
    def poisson(counts, logits):
        # Beyond 50, exp continues as its tangent: convex, and finite for every logit.
        beyond = keras.ops.relu(logits - 50.0)
        rate = keras.ops.exp(logits - beyond) * (1.0 + beyond)
        return keras.ops.mean(rate - keras.ops.cast(counts, logits.dtype) * logits, axis=-1)

    @keras.saving.register_keras_serializable(package="my_package")
    class Counts(an.heads.Head):
        '''Poisson regression: the logit is the logarithm of the expected count.'''

        units = 1
        main_metric = ("poisson", "min")
        default_output = "counts"

        def __init__(self, name="counts"):
            super().__init__(name)

        def encode(self, y):
            return np.asarray(y, "float32").reshape(-1, 1)

        def loss(self, labels, logits):
            return poisson(labels, logits)

        def metrics(self):
            return {"poisson": keras.metrics.MeanMetricWrapper(poisson, name="poisson")}

        def predictions(self, logits):
            return {"counts": keras.ops.exp(logits)}

    head = Counts().adapt([0, 3, 1])
    loss = head.loss(head.encode([2]), keras.ops.zeros((1, 1)))  # exp(0) - 2 * 0 = 1
    ```
    """

    def __init__(self, name: str, weight_column: str | None = None) -> None:
        if not isinstance(name, str) or not name:
            raise ValueError(
                f"Cannot make a {type(self).__name__} head: `name` must be a non-empty string. "
                f"Received: name={show(name)}."
            )
        self.name = name
        self.weight_column = check_column(weight_column)

    @property
    def weight_columns(self) -> str | dict[str, str] | None:
        """The feature with the weights of the rows; for several heads, a dict by head."""
        return self.weight_column

    @property
    @abstractmethod
    def units(self) -> int:
        """Integer. The size of the logits' last axis.

        Raises:
            ValueError: It depends on the labels, and `adapt` has not been called.
        """

    @property
    @abstractmethod
    def main_metric(self) -> tuple[str, str]:
        """The metric to compare models by, and the better direction: `"max"` or `"min"`.

        One of the names of `metrics`, or `"loss"` if none of them covers the whole task.
        """

    @property
    @abstractmethod
    def default_output(self) -> str | dict[str, str]:
        """The key of `predictions` that `predict` returns by default.

        For several targets, a dict of such keys: `predict` then returns a dict of arrays.
        """

    @property
    def class_labels(self) -> list[str] | list[int] | list[bool] | None:
        """The classes as `predict` returns them, in the order of their encoded labels 0, 1, ...

        `None` if a row has no single class, as in regression. A head of your own with one class
        per row returns them so that `class_weight` can name them.

        Raises:
            ValueError: They depend on the labels, and `adapt` has not been called.
        """
        return None

    @property
    def label_spec(self) -> tuple[tuple[int, ...], str]:
        """Shape (without the batch axis) and dtype of one label as returned by `encode`."""
        return (self.units,), "float32"

    def adapt(self, y: Any) -> Head:
        """Checks raw training labels and learns from them what was not passed.

        Args:
            y: Raw labels: array, list, pandas object or tensor.

        Returns:
            The head itself.

        Raises:
            ValueError: The labels are empty, not finite, or of the wrong kind for this head.
        """
        self.encode(y)
        return self

    @abstractmethod
    def encode(self, y: Any) -> np.ndarray:
        """Converts raw labels to the array that `loss` and the metrics take.

        Args:
            y: Raw labels: array, list, pandas object or tensor, `[n]` or `[n, k]`.

        Returns:
            NumPy array whose first axis is the batch.

        Raises:
            ValueError: A label is missing, unknown, out of range, or of the wrong type or shape.
        """

    @abstractmethod
    def loss(self, labels: Any, logits: Any) -> Any:
        """Computes the loss of each example.

        Args:
            labels: Labels as returned by `encode`.
            logits: Tensor `[n, units]`, float32 or float64.

        Returns:
            Tensor `[n]` in the dtype of the logits.
        """

    @abstractmethod
    def metrics(self) -> dict[str, keras.metrics.Metric]:
        """Returns new metrics by name, updated by `update_state(labels, logits, sample_weight)`."""

    @abstractmethod
    def predictions(self, logits: Any) -> dict[str, Any]:
        """Converts logits `[n, units]` to named tensors whose first axis is the batch."""

    def mean_of(self, outputs: Any, mean: Callable[[Any], Any] | None = None) -> Any:
        """Returns the logits of the mean of several predictors' predictions.

        A head of classes averages probabilities. This one, and every head that does not override
        it, averages the logits: right where these are predictions, as in regression. The loss of
        the result is convex in the weights of the mean.

        Args:
            outputs: Tensor of logits `[n, k, units]` of k predictors, possibly symbolic.
            mean: Function from a tensor `[n, k, c]` to a mean over its k, `[n, c]`, with weights
                that sum to 1. Defaults to `None`: the plain mean.

        Returns:
            Tensor of logits `[n, units]`.
        """
        return (mean or plain_mean)(outputs)

    def output_range(
        self, labels: np.ndarray, base: np.ndarray | None = None
    ) -> tuple[list[float], list[float]] | None:
        """Returns the offset and scale of a new subnetwork's logits.

        Args:
            labels: Labels as returned by `encode`.
            base: Logits `[n, units]` to which the subnetwork's are added. Defaults to `None`.

        Returns:
            `(offset, scale)`, two lists of `units` floats, or `None` if plain logits near 0 are
            right, as in classification.
        """
        return None

    def strata(self, labels: np.ndarray) -> np.ndarray | None:
        """Returns the class of each row, which splits of the rows keep on both sides.

        Args:
            labels: Labels as returned by `encode`.

        Returns:
            `[n]` integers, or `None` if labels are not classes, as in regression.
        """
        return None

    def loss_scale(self, labels: np.ndarray, weights: np.ndarray | None = None) -> LossScale | None:
        """Returns the size of the loss on these labels, to which λ and β are relative.

        Args:
            labels: Training labels as returned by `encode`.
            weights: `[n]` row weights. Defaults to `None`: all are equal.

        Returns:
            A `LossScale`, or `None` if the loss has no unit, as in classification.
        """
        return None

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments and what `adapt` learned, as JSON values."""
        # Left out where there is none: older states, and heads of users, do not have it.
        column = {} if self.weight_column is None else {"weight_column": self.weight_column}
        return {"name": self.name, **column}
