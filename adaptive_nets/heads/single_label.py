"""Base of heads with one class per example: class labels to indices and back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets._checks import check_number
from adaptive_nets.heads.base import Head
from adaptive_nets.heads.compat.loss_functions import OwnLoss, check_loss_fn
from adaptive_nets.heads.labels import abridge, are_booleans, check_class_names, read_class_column


class SingleLabel(OwnLoss, Head):
    """Converts between labels and class indices for a head with one class per example."""

    def __init__(
        self,
        class_names: Iterable[str | int | bool] | None,
        label_smoothing: float,
        name: str,
        weight_column: str | None = None,
        loss_fn: Any = None,
        **others: bool,
    ) -> None:
        super().__init__(name, weight_column)
        self.class_names = check_class_names(class_names, 2, name)
        self.label_smoothing = check_number("label_smoothing", label_smoothing, 0, 1, "low")
        self.loss_function = check_loss_fn(loss_fn, label_smoothing=label_smoothing > 0, **others)

    @property
    def main_metric(self) -> tuple[str, str]:
        return "accuracy", "max"

    @property
    def default_output(self) -> str:
        return "classes"

    @property
    def class_labels(self) -> list[str] | list[int] | list[bool]:
        if self.class_names is not None:
            return list(self.class_names)
        return list(range(max(2, self.units)))

    @abstractmethod
    def _class_count(self) -> int | None:
        """Returns the number of classes, or None if it is not known yet."""

    def adapt(self, y: Any) -> Head:
        values = read_class_column(y, self.name)
        if len(values) == 0:
            raise ValueError(
                f"Cannot adapt head '{self.name}': expected at least one label. Received: none."
            )
        if self.class_names is None:
            self._learn(values)
            if self.class_names is None and self.units <= 2 and are_booleans(y):
                # The labels come back as they came, as booleans.
                self.class_names = [False, True]
        self._indices(values)
        return self

    @abstractmethod
    def _learn(self, values: np.ndarray) -> None:
        """Learns from labels `[n]` what was not passed to the constructor."""

    def _learn_names(self, found: list[Any], hint: str) -> None:
        expected = self._class_count()
        if len(found) < 2 or (expected is not None and len(found) != expected):
            raise ValueError(
                f"Cannot adapt head '{self.name}': expected labels of "
                f"{expected or 'at least 2'} classes. {hint} "
                f"Received: {len(found)} different labels {abridge(found)}."
            )
        self.class_names = found

    def _indices(self, values: np.ndarray) -> np.ndarray:
        strings = values.dtype.kind == "O"
        names = self.class_names
        if strings and (names is None or not isinstance(names[0], str)):
            raise ValueError(
                f"Cannot encode labels for head '{self.name}': its classes are integers. Pass "
                f"integers, or class_names=[...] of strings to the head, or call `adapt` with "
                f"the training labels first. Received: strings {abridge(sorted(set(values)))}."
            )
        if names is not None and (strings or isinstance(names[0], int)):
            return self._lookup(values)
        count = self._class_count()
        wrong = (values < 0) | (values >= count)
        if wrong.any():
            raise ValueError(
                f"Cannot encode labels for head '{self.name}': a label is out of range. With "
                f"{count} classes, labels are integers from 0 to {count - 1}. For others pass "
                f"class_names=[...] with every label. "
                f"Received: {abridge(np.unique(values[wrong]).tolist())}."
            )
        return values

    def _lookup(self, values: np.ndarray) -> np.ndarray:
        position = {name: index for index, name in enumerate(self.class_names)}
        found, inverse = np.unique(values, return_inverse=True)
        unknown = [value for value in found.tolist() if value not in position]
        if unknown:
            raise ValueError(
                f"Cannot encode labels for head '{self.name}': a label is not among its classes "
                f"{abridge(self.class_names)}. Pass class_names=[...] with every label to the "
                f"head. Received: {abridge(unknown)}."
            )
        table = np.array([position[value] for value in found.tolist()], dtype="int64")
        return table[inverse]

    def strata(self, labels: np.ndarray) -> np.ndarray:
        return np.ravel(labels).astype("int64")

    def named(self, indices: Any) -> Any:
        """Returns the names of classes, or their indices if these are strings outside TensorFlow.

        Args:
            indices: int32 tensor `[n]`.
        """
        names = self.class_names
        if names is None:
            return indices
        if isinstance(names[0], int):
            kind = "int64" if max(map(abs, names)) >= 2**31 else "int32"
            kind = "bool" if isinstance(names[0], bool) else kind
            table = ops.convert_to_tensor(np.array(names, kind))
            return ops.take(table, indices, axis=0)
        if keras.backend.backend() != "tensorflow":
            return indices
        import tensorflow as tf

        return tf.gather(tf.constant(names), indices)

    def get_config(self) -> dict[str, Any]:
        names = None if self.class_names is None else list(self.class_names)
        return {
            **super().get_config(),
            "class_names": names,
            "label_smoothing": self.label_smoothing,
            **self.loss_config(),
        }
