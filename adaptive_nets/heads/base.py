"""The contract between a task and a search."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import keras
import numpy as np

from adaptive_nets.configurable import Configurable


class Head(Configurable, ABC):
    """What a search has to know of a task: its labels, loss, metrics and predictions.

    A head is a small, stateless-after-`adapt` object without weights. Derive from it to
    add a task; a search asks nothing else of it than what is declared here.

    - `adapt(y)` learns from raw training labels what the constructor was not given, and
      checks them. What it learned is part of `get_config()`, and a later `adapt` keeps it:
      other data with other classes wants a new head.
    - `encode(y)` turns raw labels into the NumPy array that `loss` and the metrics take.
    - `loss(labels, logits)` gives one value per example, in `keras.ops` only, in the dtype
      of the logits, and convex in the logits: mixture weights are solved as a convex problem.
      It is traced into the compiled training step.
    - `metrics()` gives new metrics on every call; they take *logits*.
    - `predictions(logits)` is traced into the exported model.
    - `label_spec` says what one encoded label looks like, where it is not a float32 for each
      logit: `heads.Multi` lays the labels of several heads side by side by it.
    - `get_config()` holds constructor arguments as JSON values, so that
      `from_config(get_config())` is an equal head; the class is registered with
      `keras.saving.register_keras_serializable`.

    Args:
        name: String, the head's name in errors and reports.

    Example:

    ```python
    import keras
    import numpy as np
    import adaptive_nets as an

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
            labels = keras.ops.cast(labels, logits.dtype)
            return keras.ops.mean(keras.ops.exp(logits) - labels * logits, axis=-1)

        def metrics(self):
            return {"poisson": keras.metrics.MeanMetricWrapper(self.loss, name="poisson")}

        def predictions(self, logits):
            return {"counts": keras.ops.exp(logits)}

    head = Counts().adapt([0, 3, 1])
    loss = head.loss(head.encode([2]), keras.ops.zeros((1, 1)))  # exp(0) - 2 * 0 = 1
    ```
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise ValueError(
                f"Cannot make a {type(self).__name__} head: `name` must be a non-empty string. "
                f"Received: name={name!r}."
            )
        self.name = name

    @property
    @abstractmethod
    def units(self) -> int:
        """Integer, the size of the logits' last axis.

        Raises:
            ValueError: The labels decide it, and `adapt` has not seen them.
        """

    @property
    @abstractmethod
    def main_metric(self) -> tuple[str, str]:
        """The metric a person compares by, and the better direction: `"max"` or `"min"`.

        A name of `metrics`, or `"loss"` where none of them stands for the whole task.
        """

    @property
    @abstractmethod
    def default_output(self) -> str | dict[str, str]:
        """The key of `predictions` that `predict` returns unless told otherwise.

        Of several targets, a dict of such keys: `predict` then returns a dict of arrays.
        """

    @property
    def label_spec(self) -> tuple[tuple[int, ...], str]:
        """Shape (without the examples' axis) and dtype of a label as `encode` gives it."""
        return (self.units,), "float32"

    def adapt(self, y: Any) -> Head:
        """Learns from raw training labels what was not given; checks them.

        Args:
            y: Raw labels: array, list, pandas object or tensor.

        Returns:
            The head itself.

        Raises:
            ValueError: The labels are empty, not finite, or not of this head's kind.
        """
        self.encode(y)
        return self

    @abstractmethod
    def encode(self, y: Any) -> np.ndarray:
        """Turns raw labels into training form.

        Args:
            y: Raw labels: array, list, pandas object or tensor, `[n]` or `[n, k]`.

        Returns:
            NumPy array whose first axis is the examples.

        Raises:
            ValueError: A label is missing, unknown, out of range, or of the wrong type or shape.
        """

    @abstractmethod
    def loss(self, labels: Any, logits: Any) -> Any:
        """The loss of each example.

        Args:
            labels: Labels as `encode` gives them.
            logits: Tensor `[n, units]`, float32 or float64.

        Returns:
            Tensor `[n]` in the dtype of the logits.
        """

    @abstractmethod
    def metrics(self) -> dict[str, keras.metrics.Metric]:
        """New metrics by name, each fed by `update_state(labels, logits, sample_weight)`."""

    @abstractmethod
    def predictions(self, logits: Any) -> dict[str, Any]:
        """Turns logits `[n, units]` into named tensors whose first axis is the examples."""

    def output_range(
        self, labels: np.ndarray, base: np.ndarray | None = None
    ) -> tuple[list[float], list[float]] | None:
        """Where a new subnetwork's logits should begin and how far they should reach.

        Args:
            labels: Labels as `encode` gives them.
            base: Logits `[n, units]` that the subnetwork's are added to, or None.

        Returns:
            `(offset, scale)`, two lists of `units` floats, or None where plain logits near 0 do,
            as in classification.
        """
        return None

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, with what `adapt` learned, as JSON values."""
        return {"name": self.name}
