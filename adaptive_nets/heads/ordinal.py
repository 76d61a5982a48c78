"""`Ordinal`: a head of classes that have an order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets._arguments import Mapped, takes
from adaptive_nets._checks import check_integer, show
from adaptive_nets._dtypes import whole_dtype
from adaptive_nets._values import elements, tried
from adaptive_nets.heads.labels import read_class_column
from adaptive_nets.heads.means import mean_of_labels
from adaptive_nets.heads.single_label import SingleLabel
from adaptive_nets.heads.surrogate import binary_loss

_LEAST_PROBABILITY = 1e-7


@takes({"class_names": Mapped("classes")})
@keras.saving.register_keras_serializable(package="adaptive_nets")
class Ordinal(SingleLabel):
    """Classes in order, such as grades: a logit for each "more than this class" (cumulative).

    The k-th of n - 1 logits is that of the probability of a class above the k-th. The loss is the
    mean of their cross-entropies, convex in the logits. For predictions the logits are sorted, so
    that the probability of a class above k never rises with k, and the probabilities of the
    classes, their differences, are never negative. Sorting never raises the loss of a row.

    Predictions: `"logits"` `[n, classes - 1]`, sorted; `"probabilities"` `[n, classes]` in order;
    and `"classes"` `[n]`, the medians of these: the class that the true one is as likely to be
    above as below.

    Args:
        classes: Different strings or integers from the lowest to the highest class, or their
            number n for the integers 0 to n - 1. Defaults to `None`: learned by `adapt` from
            labels that are integers, or an ordered `pandas.Categorical`. `class_names` is
            another name of this argument.
        name: String. The head's name in errors and reports. Defaults to `"ordinal"`.
        weight_column: Name of the feature with the weights of the rows, which is not an input of
            the model. Defaults to `None`: rows weigh the same, or as `sample_weight` says.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    head = an.heads.Ordinal(["low", "mid", "high"])
    labels = head.encode(["mid"])  # [1]
    loss = head.loss(labels, keras.ops.zeros((1, 2)))  # (log 2 + log 2) / 2 = 0.693147
    ```
    """

    def __init__(
        self,
        classes: Iterable[str | int] | int | None = None,
        name: str = "ordinal",
        weight_column: str | None = None,
    ) -> None:
        if classes is not None and not isinstance(classes, Iterable):
            classes = range(check_integer("classes", classes, 2))
        if isinstance(classes, set | frozenset | dict | Iterator):
            raise ValueError(
                f"Cannot make head '{name}': `classes` must be a list from the lowest to the "
                f"highest class. Received: classes={show(classes)}."
            )
        super().__init__(classes, 0.0, name, weight_column)

    @property
    def units(self) -> int:
        if self.class_names is None:
            raise ValueError(
                f"The classes of head '{self.name}' are not known yet. Call `adapt` with the "
                f"training labels, or pass classes. Received: classes=None."
            )
        return len(self.class_names) - 1

    @property
    def main_metric(self) -> tuple[str, str]:
        return "mae", "min"

    @property
    def label_spec(self) -> tuple[tuple[int, ...], str]:
        return (), "int32"

    def _class_count(self) -> int | None:
        return None if self.class_names is None else len(self.class_names)

    def adapt(self, y: Any) -> Any:
        kind = getattr(y, "dtype", None)
        if self.class_names is None and getattr(kind, "ordered", False):
            order = tried(lambda: elements(kind.categories.tolist()))
            if order:
                # Its own checks of names, before anything is learned.
                self.class_names = type(self)(order, self.name).class_names
        return super().adapt(y)

    def _learn(self, values: np.ndarray) -> None:
        if values.dtype.kind == "O":
            raise ValueError(
                f"Cannot adapt head '{self.name}': strings have no order of their own. Pass "
                f"classes=[...] from the lowest to the highest. "
                f"Received: strings such as {show(values[0])}."
            )
        self._learn_names(np.unique(values).tolist(), "Pass classes=[...] with every label.")

    def encode(self, y: Any) -> np.ndarray:
        if self.class_names is None:
            raise ValueError(
                f"Cannot encode labels for head '{self.name}': its classes are not known yet. Call "
                f"`adapt` with the training labels first, or pass classes. "
                f"Received: classes=None."
            )
        return self._indices(read_class_column(y, self.name)).astype("int32")

    def loss(self, labels: Any, logits: Any) -> Any:
        logits = ops.convert_to_tensor(logits)
        return binary_loss(_above(labels, self.units, logits.dtype), logits)

    def mean_of(self, outputs: Any, mean: Callable[[Any], Any] | None = None) -> Any:
        """Returns the logits of the mean probabilities."""
        return mean_of_labels(outputs, mean)

    def metrics(self) -> dict[str, keras.metrics.Metric]:
        return {
            "mae": OrdinalError(name="mae"),
            "accuracy": OrdinalAccuracy(name="accuracy"),
            "log_loss": OrdinalLogLoss(name="log_loss"),
        }

    def predictions(self, logits: Any) -> dict[str, Any]:
        found = _in_order(ops.convert_to_tensor(logits))
        return {
            "logits": found,
            "probabilities": _probabilities(found),
            "classes": self.named(_medians(found)),
        }

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["label_smoothing"]
        names = config.pop("class_names")
        return {**config, "classes": names}


class _OrdinalMean(keras.metrics.Mean):
    """The mean of something of each row's class and sorted logits."""

    def __init__(self, name: str = "ordinal", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype or whole_dtype())

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        logits = _in_order(ops.cast(y_pred, self.dtype))
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        super().update_state(self._of_rows(labels, logits), sample_weight)


@keras.saving.register_keras_serializable(package="adaptive_nets")
class OrdinalError(_OrdinalMean):
    """Mean number of classes between the predicted and the true one.

    Example:

    ```python
    from adaptive_nets.heads.ordinal import OrdinalError

    metric = OrdinalError()
    metric.update_state([0, 2], [[1.0, 0.5], [1.0, -1.0]])
    error = float(metric.result())  # (2 + 1) / 2 = 1.5
    ```
    """

    def _of_rows(self, labels, logits):
        return ops.cast(ops.abs(_medians(logits) - labels), self.dtype)


@keras.saving.register_keras_serializable(package="adaptive_nets")
class OrdinalAccuracy(_OrdinalMean):
    """Share of rows whose class is predicted.

    Example:

    ```python
    from adaptive_nets.heads.ordinal import OrdinalAccuracy

    metric = OrdinalAccuracy()
    metric.update_state([2, 2], [[1.0, 0.5], [1.0, -1.0]])
    accuracy = float(metric.result())  # 0.5
    ```
    """

    def _of_rows(self, labels, logits):
        return ops.cast(ops.equal(_medians(logits), labels), self.dtype)


@keras.saving.register_keras_serializable(package="adaptive_nets")
class OrdinalLogLoss(_OrdinalMean):
    """Log loss of the probabilities of the classes, which count as at least 1e-7.

    Example:

    ```python
    from adaptive_nets.heads.ordinal import OrdinalLogLoss

    metric = OrdinalLogLoss()
    metric.update_state([0], [[0.0, -1.0]])
    log_loss = float(metric.result())  # log 2 = 0.693147
    ```
    """

    def _of_rows(self, labels, logits):
        probabilities = _probabilities(logits)
        chosen = ops.one_hot(labels, logits.shape[-1] + 1, dtype=self.dtype)
        own = ops.sum(chosen * probabilities, axis=-1)
        return -ops.log(ops.maximum(own, _LEAST_PROBABILITY))


def _above(labels, units, dtype):
    """Returns whether each class is above the k-th, for every k, `[n, units]`."""
    labels = ops.cast(ops.reshape(labels, (-1, 1)), "int32")
    return ops.cast(labels > ops.arange(units, dtype="int32"), dtype)


def _in_order(logits):
    return -ops.sort(-logits, axis=-1)


def _probabilities(logits):
    """Returns the probabilities of the classes from falling logits of "above"."""
    above = ops.sigmoid(logits)
    # Differences of the smaller tail, which does not round to 0 as that of numbers near 1 does.
    below = ops.sigmoid(-logits)
    by_above = above[..., :-1] - above[..., 1:]
    by_below = below[..., 1:] - below[..., :-1]
    between = ops.where(logits[..., :-1] + logits[..., 1:] > 0, by_below, by_above)
    return ops.concatenate([below[..., :1], between, above[..., -1:]], axis=-1)


def _medians(logits):
    """Returns the median class: so many logits are above 0."""
    return ops.sum(ops.cast(logits > 0, "int32"), axis=-1)
