"""A head with any number of classes per example."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets._arguments import takes
from adaptive_nets._checks import check_bool, check_integer, check_number
from adaptive_nets._dtypes import whole_dtype
from adaptive_nets._values import elements
from adaptive_nets.heads.base import Head
from adaptive_nets.heads.compat.arguments import LABELS, check_thresholds
from adaptive_nets.heads.compat.loss_functions import OwnLoss, check_loss_fn
from adaptive_nets.heads.labels import abridge, are_booleans, check_class_names, read_labels
from adaptive_nets.heads.means import mean_of_labels
from adaptive_nets.heads.metrics import LogitAccuracy, LogitAUC, threshold_metrics
from adaptive_nets.heads.surrogate import binary_loss


@takes(LABELS)
@keras.saving.register_keras_serializable(package="adaptive_nets")
class MultiLabel(OwnLoss, Head):
    """Multi-label classification: the mean sigmoid cross-entropy of independent classes.

    Labels are an array `[n, n_classes]` of 0 and 1 or booleans, or one list of class names per
    example, which `adapt` collects into `class_names`, in sorted order.

    Predictions: `"logits"` and `"probabilities"` `[n, n_classes]`, and `"classes"`, int32
    `[n, n_classes]` of 0 and 1 with the columns in the order of `class_names`; booleans if the
    labels are.

    Args:
        n_classes: Integer >= 1. Defaults to `None`: learned by `adapt`.
        class_names: Strings or integers in the order of the logits. Defaults to `None`: learned
            by `adapt`.
        label_smoothing: Float in `[0, 1)`. A label y counts as `y (1 - s) + s / 2`. Defaults to
            `0.0`.
        name: String. The head's name in errors and reports. Defaults to `"multi_label"`.
        boolean: Whether `"classes"` are booleans. Defaults to `False`; `adapt` sets it to `True`
            for boolean labels.
        weight_column: Name of the feature with the weights of the rows, which is not an input of
            the model. Defaults to `None`: rows weigh the same, or as `sample_weight` says.
        thresholds: Probabilities between 0 and 1 at which accuracy, precision and recall are
            measured, as `"accuracy/positive_threshold_0.3"`. Defaults to `None`: at 0.5 alone.
        loss_fn: Function of `labels` and `logits` `[n, n_classes]` that returns the loss of each
            row, `[n]` or `[n, 1]`, or of each class, which are averaged. It should be convex in the
            logits; probabilities stay `sigmoid(logits)`. To save and load it, decorate it with
            `keras.saving.register_keras_serializable`. Defaults to `None`: the cross-entropy.

    Arguments of tf.estimator's head are taken too (the migration page lists them).

    Example:

    ```python
    import keras
    import adaptive_nets as an

    head = an.heads.MultiLabel().adapt([["cat"], ["cat", "dog"], []])
    labels = head.encode([["dog"]])  # [[0., 1.]]
    logits = keras.ops.convert_to_tensor([[-1.0, 1.0]])
    loss = head.loss(labels, logits)
    classes = head.predictions(logits)["classes"]  # [[0, 1]]
    ```
    """

    def __init__(
        self,
        n_classes: int | None = None,
        class_names: Iterable[str | int] | None = None,
        label_smoothing: float = 0.0,
        name: str = "multi_label",
        boolean: bool = False,
        weight_column: str | None = None,
        thresholds: Iterable[float] | None = None,
        loss_fn: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        super().__init__(name, weight_column)
        self.thresholds = check_thresholds(thresholds)
        self.boolean = check_bool("boolean", boolean)
        self.n_classes = None if n_classes is None else check_integer("n_classes", n_classes, 1)
        self.class_names = check_class_names(class_names, 1, name)
        self.label_smoothing = check_number("label_smoothing", label_smoothing, 0, 1, "low")
        self.loss_function = check_loss_fn(loss_fn, label_smoothing=label_smoothing > 0)
        if self.class_names is not None:
            if self.n_classes not in (None, len(self.class_names)):
                raise ValueError(
                    f"Cannot make head '{name}': `n_classes` must be the number of class names, "
                    f"{len(self.class_names)}. Pass only one of the two. "
                    f"Received: n_classes={n_classes}, class_names={abridge(self.class_names)}."
                )
            self.n_classes = len(self.class_names)

    @property
    def units(self) -> int:
        if self.n_classes is None:
            raise ValueError(
                f"The number of classes of head '{self.name}' is not known yet. "
                f"Call `adapt` with the training labels, or pass n_classes or class_names. "
                f"Received: n_classes=None."
            )
        return self.n_classes

    @property
    def main_metric(self) -> tuple[str, str]:
        return "accuracy", "max"

    @property
    def default_output(self) -> str:
        return "classes"

    def adapt(self, y: Any) -> Head:
        rows = _name_rows(y)
        array = None if rows is not None else self._read_matrix(y)
        if len(rows if rows is not None else array) == 0:
            raise ValueError(
                f"Cannot adapt head '{self.name}': expected at least one example. Received: none."
            )
        if rows is not None and self.class_names is None:
            found = sorted({name for row in rows for name in row})
            if not found or self.n_classes not in (None, len(found)):
                raise ValueError(
                    f"Cannot adapt head '{self.name}': expected labels of "
                    f"{self.n_classes or 'at least 1'} classes. Pass class_names=[...] with every "
                    f"label. Received: {len(found)} different labels {abridge(found)}."
                )
            self.class_names, self.n_classes = found, len(found)
        if rows is None and self.n_classes is None:
            self.n_classes = array.shape[1]
        self.encode(y)
        self.boolean = self.boolean or (rows is None and are_booleans(y))
        return self

    def encode(self, y: Any) -> np.ndarray:
        rows = _name_rows(y)
        if self.n_classes is None or (rows is not None and self.class_names is None):
            raise ValueError(
                f"Cannot encode labels for head '{self.name}': its classes are not known yet. Call "
                f"`adapt` with the training labels first, or pass class_names=[...]. "
                f"Received: n_classes={self.n_classes}, class_names=None."
            )
        return self._read_matrix(y) if rows is None else self._encode_names(rows)

    def _encode_names(self, rows: list[list[str]]) -> np.ndarray:
        position = {name: column for column, name in enumerate(self.class_names)}
        unknown = sorted({name for row in rows for name in row} - position.keys())
        if unknown:
            raise ValueError(
                f"Cannot encode labels for head '{self.name}': a label is not among its classes "
                f"{abridge(self.class_names)}. Pass class_names=[...] with every label to the "
                f"head. Received: {abridge(unknown)}."
            )
        encoded = np.zeros((len(rows), self.n_classes), "float32")
        for index, row in enumerate(rows):
            encoded[index, [position[name] for name in row]] = 1.0
        return encoded

    def _read_matrix(self, y: Any) -> np.ndarray:
        array = read_labels(y, self.name)
        columns = self.n_classes or "n_classes"
        if array.ndim != 2 or array.shape[1] != (self.n_classes or array.shape[1]):
            raise ValueError(
                f"Cannot encode labels for head '{self.name}': expected shape [n, {columns}], with "
                f"0 or 1 for each class. For one class per example use MultiClass. "
                f"Received: shape {list(array.shape)}."
            )
        if array.shape[1] == 0:
            raise ValueError(
                f"Cannot encode labels for head '{self.name}': expected at least one class in "
                f"shape [n, n_classes]. Received: shape {list(array.shape)}."
            )
        wrong = np.ones(array.shape, bool) if array.dtype.kind == "O" else ~np.isin(array, (0, 1))
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise ValueError(
                f"Cannot encode labels for head '{self.name}': expected 0 or 1 for each class, or "
                f"lists of class names. Received: {array[row, column]} in row {row}, column "
                f"{column}."
            )
        return array.astype("float32")

    def strata(self, labels: np.ndarray) -> np.ndarray:
        """Returns the rarest class of each row, or -1 if it has none."""
        counts = np.where(labels > 0, labels.sum(axis=0), np.inf)
        return np.where((labels > 0).any(axis=1), np.argmin(counts, axis=1), -1)

    def loss(self, labels: Any, logits: Any) -> Any:
        if self.loss_function is not None:
            logits = ops.convert_to_tensor(logits)
            return self.own_loss(ops.cast(labels, logits.dtype), logits)
        return binary_loss(labels, logits, self.label_smoothing)

    def mean_of(self, outputs: Any, mean: Callable[[Any], Any] | None = None) -> Any:
        """Returns the logits of the mean probabilities; under another loss, the mean logits."""
        if self.loss_function is not None:
            return super().mean_of(outputs, mean)
        return mean_of_labels(outputs, mean)

    def metrics(self) -> dict[str, keras.metrics.Metric]:
        return {
            "accuracy": LogitAccuracy(),
            "auc": LogitAUC(n_labels=self.units),
            "log_loss": keras.metrics.BinaryCrossentropy(
                from_logits=True, name="log_loss", dtype=whole_dtype()
            ),
            **threshold_metrics(self.thresholds),
        }

    def predictions(self, logits: Any) -> dict[str, Any]:
        logits = ops.convert_to_tensor(logits)
        return {
            "logits": logits,
            "probabilities": ops.sigmoid(logits),
            "classes": ops.cast(logits > 0, "bool" if self.boolean else "int32"),
        }

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "n_classes": self.n_classes,
            "class_names": None if self.class_names is None else list(self.class_names),
            "label_smoothing": self.label_smoothing,
            **self.loss_config(),
            # Left out of others, whose configurations in older states do not have it.
            **({"boolean": True} if self.boolean else {}),
            **({"thresholds": list(self.thresholds)} if self.thresholds else {}),
        }


def _name_rows(y: Any) -> list[list[str]] | None:
    """Returns the class names of each example, or None if labels are not given by name."""
    if getattr(y, "ndim", 1) != 1 or not isinstance(y, Iterable):
        return None
    rows = elements(y)
    if rows is None or not all(isinstance(row, (list, tuple, set, frozenset)) for row in rows):
        return None
    if not all(isinstance(name, str) for row in rows for name in row):
        return None
    return [list(row) for row in rows]
