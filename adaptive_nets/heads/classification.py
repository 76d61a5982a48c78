"""Heads with one class per example: binary and multi-class classification."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets._arguments import takes
from adaptive_nets._checks import check_integer, show
from adaptive_nets._dtypes import whole_dtype
from adaptive_nets.heads.compat.arguments import BINARY, CLASSES, check_thresholds
from adaptive_nets.heads.labels import abridge, read_class_column
from adaptive_nets.heads.means import mean_of_classes, mean_of_labels
from adaptive_nets.heads.metrics import (
    LogitAccuracy,
    LogitAUC,
    LogitPrecision,
    LogitRecall,
    threshold_metrics,
)
from adaptive_nets.heads.single_label import SingleLabel
from adaptive_nets.heads.surrogate import (
    SurrogateLogLoss,
    binary_loss,
    check_surrogate,
    log_odds,
)


@takes(BINARY)
@keras.saving.register_keras_serializable(package="adaptive_nets")
class BinaryClass(SingleLabel):
    """Binary classification with one logit: sigmoid cross-entropy, or AdaNet's surrogates.

    Labels are 0 and 1, booleans, or any two integers or strings. `adapt` turns all but 0 and 1
    into class names, in sorted order; the second one is the positive class.

    Predictions: `"logits"` `[n, 1]`, `"probabilities"` `[n, 2]` of both classes in order, and
    `"classes"` `[n]` (the class names, or their indices if they are strings and the backend is
    not TensorFlow).

    With a logit f and y = ±1 the loss is log(1 + exp(-y f)), or Φ(1 - y f) of AdaNet's
    objective (equation 4) for a surrogate Φ of the zero-one loss: `"logistic"`,
    Φ(u) = log(1 + exp(u)), or `"exponential"`, Φ(u) = exp(u), which continues as its tangent
    above u = 50 to stay finite. Probabilities and the log loss follow the surrogate: f stands for
    the p = Φ'(1 + f) / (Φ'(1 - f) + Φ'(1 + f)) for which it minimizes the expected loss, which is
    sigmoid(f) for the cross-entropy and sigmoid(2 f) for the exponential.

    Args:
        class_names: Two strings, integers or booleans, negative class first. Defaults to `None`:
            learned by `adapt`.
        label_smoothing: Float in `[0, 1)`. A label y counts as `y (1 - s) + s / 2`, the
            probability of the positive class over which the loss is the expectation. Defaults to
            `0.0`.
        name: String. The head's name in errors and reports. Defaults to `"binary_class"`.
        surrogate: `"cross_entropy"`, `"logistic"` or `"exponential"`. Defaults to
            `"cross_entropy"`.
        weight_column: Name of the feature with the weights of the rows, which is not an input of
            the model. Defaults to `None`: rows weigh the same, or as `sample_weight` says.
        thresholds: Probabilities between 0 and 1 at which accuracy, precision and recall are
            measured, as `"accuracy/positive_threshold_0.3"`. Defaults to `None`: at 0.5 alone.
        loss_fn: Function of `labels` and `logits` `[n, 1]` that returns the loss of each row, `[n]`
            or `[n, 1]`. It should be convex in the logits; probabilities stay `sigmoid(logits)`. To
            save and load it, decorate it with `keras.saving.register_keras_serializable`. Defaults
            to `None`: that of `surrogate`.

    Arguments of tf.estimator's head are taken too (the migration page lists them).

    Example:

    ```python
    import keras
    import adaptive_nets as an

    head = an.heads.BinaryClass().adapt(["no", "yes", "no"])
    labels = head.encode(["yes", "no"])  # [[1.], [0.]]
    logits = keras.ops.convert_to_tensor([[0.0], [2.0]])
    loss = head.loss(labels, logits)  # [log 2, log(1 + e^2)]
    classes = head.predictions(logits)["classes"]  # ["no", "yes"]
    ```
    """

    def __init__(
        self,
        class_names: Iterable[str | int | bool] | None = None,
        label_smoothing: float = 0.0,
        name: str = "binary_class",
        surrogate: str = "cross_entropy",
        weight_column: str | None = None,
        thresholds: Iterable[float] | None = None,
        loss_fn: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        self.surrogate = check_surrogate(surrogate, name)
        other = self.surrogate != "cross_entropy"
        super().__init__(
            class_names, label_smoothing, name, weight_column, loss_fn, surrogate=other
        )
        self.thresholds = check_thresholds(thresholds)
        if self.thresholds and self.surrogate == "exponential":
            raise ValueError(
                "thresholds are of the probability sigmoid(logit), which the exponential "
                f"surrogate does not have. Received: thresholds={show(thresholds)}."
            )
        if self.class_names is not None and len(self.class_names) != 2:
            raise ValueError(
                f"Cannot make head '{name}': `class_names` must have 2 names. "
                f"For more classes use MultiClass. "
                f"Received: class_names={self.class_names}."
            )

    @property
    def units(self) -> int:
        return 1

    def _class_count(self) -> int:
        return 2

    def _learn(self, values: np.ndarray) -> None:
        found = np.unique(values).tolist()
        if not set(found) <= {0, 1}:
            self._learn_names(
                found, "For more classes use MultiClass; for one class pass class_names=[...]."
            )

    def encode(self, y: Any) -> np.ndarray:
        indices = self._indices(read_class_column(y, self.name))
        return indices.astype("float32")[:, None]

    def loss(self, labels: Any, logits: Any) -> Any:
        if self.loss_function is not None:
            logits = ops.convert_to_tensor(logits)
            return self.own_loss(ops.cast(labels, logits.dtype), logits)
        return binary_loss(labels, logits, self.label_smoothing, self.surrogate)

    def mean_of(self, outputs: Any, mean: Callable[[Any], Any] | None = None) -> Any:
        """Returns the logits of the mean probabilities; under another loss, the mean logits.

        The loss of a surrogate is convex in weights of logits, but not of probabilities.
        """
        if self.surrogate != "cross_entropy" or self.loss_function is not None:
            return super().mean_of(outputs, mean)
        return mean_of_labels(outputs, mean)

    def metrics(self) -> dict[str, keras.metrics.Metric]:
        return {
            "accuracy": LogitAccuracy(),
            "auc": LogitAUC(),
            "log_loss": SurrogateLogLoss(self.surrogate),
            "precision": LogitPrecision(),
            "recall": LogitRecall(),
            **threshold_metrics(self.thresholds),
        }

    def predictions(self, logits: Any) -> dict[str, Any]:
        logits = ops.convert_to_tensor(logits)
        odds = log_odds(self.surrogate, logits)
        return {
            "logits": logits,
            # 1 - sigmoid(z) would round to 0 where sigmoid(-z) does not.
            "probabilities": ops.concatenate([ops.sigmoid(-odds), ops.sigmoid(odds)], axis=-1),
            "classes": self.named(ops.cast(logits[:, 0] > 0, "int32")),
        }

    def get_config(self) -> dict[str, Any]:
        # Left out where there are none: older states do not have it.
        found = {"thresholds": list(self.thresholds)} if self.thresholds else {}
        return {**super().get_config(), "surrogate": self.surrogate, **found}


@takes(CLASSES)
@keras.saving.register_keras_serializable(package="adaptive_nets")
class MultiClass(SingleLabel):
    """Multi-class classification with one logit per class: softmax cross-entropy.

    Labels are the integers 0 to n - 1, or other integers or strings. `adapt` turns the latter
    into class names, in sorted order. With string `class_names`, labels may also be indices.

    Predictions: `"logits"` and `"probabilities"` `[n, n_classes]`, and `"classes"` `[n]` (the
    class names, or their indices if they are strings and the backend is not TensorFlow).

    Args:
        n_classes: Integer >= 2. Labels are checked against it. Defaults to `None`: learned by
            `adapt`.
        class_names: Strings or integers in the order of the logits. Defaults to `None`: learned
            by `adapt`.
        label_smoothing: Float in `[0, 1)`. The target is `one_hot (1 - s) + s / n_classes`.
            Defaults to `0.0`.
        name: String. The head's name in errors and reports. Defaults to `"multi_class"`.
        weight_column: Name of the feature with the weights of the rows, which is not an input of
            the model. Defaults to `None`: rows weigh the same, or as `sample_weight` says.
        loss_fn: Function of `labels`, the integers of the classes `[n, 1]`, and `logits`
            `[n, n_classes]` that returns the loss of each row, `[n]` or `[n, 1]`. It should be
            convex in the logits; probabilities stay their softmax. To save and load it, decorate it
            with `keras.saving.register_keras_serializable`. Defaults to `None`: the cross-entropy.

    Arguments of tf.estimator's head are taken too (the migration page lists them).

    Example:

    ```python
    import keras
    import adaptive_nets as an

    head = an.heads.MultiClass().adapt(["red", "green", "blue"])
    labels = head.encode(["green"])  # [1]: classes are sorted
    logits = keras.ops.convert_to_tensor([[0.0, 3.0, 0.0]])
    loss = head.loss(labels, logits)
    classes = head.predictions(logits)["classes"]  # ["green"]
    ```
    """

    def __init__(
        self,
        n_classes: int | None = None,
        class_names: Iterable[str | int] | None = None,
        label_smoothing: float = 0.0,
        name: str = "multi_class",
        weight_column: str | None = None,
        loss_fn: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        super().__init__(class_names, label_smoothing, name, weight_column, loss_fn)
        self.n_classes = None if n_classes is None else check_integer("n_classes", n_classes, 2)
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
    def label_spec(self) -> tuple[tuple[int, ...], str]:
        return (), "int32"

    def _class_count(self) -> int | None:
        return self.n_classes

    def _learn(self, values: np.ndarray) -> None:
        found = np.unique(values).tolist()
        if isinstance(found[0], int):
            if self.n_classes is not None:
                return
            if len(found) > 1 and found == list(range(len(found))):
                self.n_classes = len(found)
                return
        self._learn_names(found, "Pass class_names=[...] with every label.")
        self.n_classes = len(found)

    def encode(self, y: Any) -> np.ndarray:
        if self.n_classes is None:
            raise ValueError(
                f"Cannot encode labels for head '{self.name}': its classes are not known yet. Call "
                f"`adapt` with the training labels first, or pass n_classes or class_names. "
                f"Received: n_classes=None."
            )
        return self._indices(read_class_column(y, self.name)).astype("int32")

    def loss(self, labels: Any, logits: Any) -> Any:
        logits = ops.convert_to_tensor(logits)
        if self.loss_function is not None:
            return self.own_loss(ops.expand_dims(labels, -1), logits)
        if self.label_smoothing == 0.0:
            return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        targets = ops.one_hot(labels, self.units, dtype=logits.dtype)
        targets = targets * (1.0 - self.label_smoothing) + self.label_smoothing / self.units
        return ops.categorical_crossentropy(targets, logits, from_logits=True)

    def mean_of(self, outputs: Any, mean: Callable[[Any], Any] | None = None) -> Any:
        """Returns the logits of the mean probabilities; under another loss, the mean logits."""
        if self.loss_function is not None:
            return super().mean_of(outputs, mean)
        return mean_of_classes(outputs, mean)

    def metrics(self) -> dict[str, keras.metrics.Metric]:
        metrics = {
            "accuracy": keras.metrics.SparseCategoricalAccuracy(
                name="accuracy", dtype=whole_dtype()
            ),
            "log_loss": keras.metrics.SparseCategoricalCrossentropy(
                from_logits=True, name="log_loss", dtype=whole_dtype()
            ),
        }
        if self.units > 5:
            metrics["top_5_accuracy"] = keras.metrics.SparseTopKCategoricalAccuracy(
                k=5, name="top_5_accuracy", dtype=whole_dtype()
            )
        return metrics

    def predictions(self, logits: Any) -> dict[str, Any]:
        logits = ops.convert_to_tensor(logits)
        return {
            "logits": logits,
            "probabilities": ops.softmax(logits, axis=-1),
            # Keras' argmax looks at bits under TensorFlow, which other runtimes do not read.
            "classes": self.named(ops.cast(ops.top_k(logits, 1)[1][..., 0], "int32")),
        }

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_classes": self.n_classes}
