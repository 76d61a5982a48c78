"""Where one head's labels and logits stand, when those of several heads stand side by side."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets.heads.base import Head

# Above it not every integer is a float32.
_EXACT = 2**24


@dataclasses.dataclass(frozen=True)
class Columns:
    """One head's columns of labels `[n, label columns]` and of logits `[n, units]`.

    Attributes:
        first_label: The head's first column of labels.
        label_shape: Shape of one label as the head encodes it.
        label_dtype: And its dtype.
        first_logit: The head's first column of logits.
        units: How many of them it has.
    """

    first_label: int
    label_shape: tuple[int, ...]
    label_dtype: str
    first_logit: int
    units: int

    @property
    def label_width(self) -> int:
        return math.prod(self.label_shape)

    def labels_of(self, labels: Any) -> Any:
        """The head's labels as it encoded them, from those of all heads."""
        part = labels[:, self.first_label : self.first_label + self.label_width]
        part = ops.reshape(part, (-1, *self.label_shape))
        whole = np.dtype(self.label_dtype).kind in "biu"
        return ops.cast(part, self.label_dtype) if whole else part

    def logits_of(self, logits: Any) -> Any:
        """The head's logits, from those of all heads."""
        return logits[:, self.first_logit : self.first_logit + self.units]

    def place(self, encoded: Any, head: str) -> np.ndarray:
        """A head's encoded labels as float32 columns `[n, label_width]`.

        Raises:
            ValueError: They are not what the head's `label_spec` says, or float32 cannot hold
                them.
        """
        array = np.asarray(encoded)
        if array.shape[1:] != self.label_shape or array.dtype.kind not in "biuf":
            raise ValueError(
                f"Cannot lay out the labels of head '{head}': its `label_spec` promises shape "
                f"{['n', *self.label_shape]} and {self.label_dtype}. Override `label_spec` to say "
                f"what `encode` gives. Received: shape {list(array.shape)}, dtype {array.dtype}."
            )
        columns = array.reshape(len(array), self.label_width).astype("float32")
        if array.dtype.kind in "iu" and (np.abs(columns) >= _EXACT).any():
            raise ValueError(
                f"Cannot lay out the labels of head '{head}': beside other heads' they are "
                f"float32, which holds integers below {_EXACT}. Use a head of its own search, or "
                f"smaller integers. Received: a label of {np.abs(array).max()}."
            )
        return columns


def side_by_side(heads: dict[str, Head]) -> dict[str, Columns]:
    """The columns of each head, in the order of the heads."""
    found, label, logit = {}, 0, 0
    for name, head in heads.items():
        shape, dtype = head.label_spec
        found[name] = Columns(label, tuple(shape), dtype, logit, head.units)
        label, logit = label + found[name].label_width, logit + head.units
    return found


def encode_side_by_side(heads: dict[str, Head], parts: dict[str, Any]) -> np.ndarray:
    """The encoded labels of all heads as columns.

    Args:
        heads: Adapted heads by name.
        parts: Each head's raw labels by its name.

    Returns:
        float32 array `[n, label columns]`.

    Raises:
        ValueError: A head, which is named, refuses its labels, or has more or fewer than others.
    """
    encoded = {}
    for name, head in heads.items():
        with named_refusals(name):
            encoded[name] = head.encode(parts[name])
    first = next(iter(encoded))
    for name, labels in encoded.items():
        if len(labels) != len(encoded[first]):
            raise ValueError(
                f"Cannot encode labels for head '{name}': each row has a label of every head. "
                f"Received: {len(labels)} labels, and {len(encoded[first])} for head '{first}'."
            )
    columns = side_by_side(heads)
    placed = [columns[name].place(labels, name) for name, labels in encoded.items()]
    return np.concatenate(placed, axis=1)


@contextmanager
def named_refusals(name: str) -> Iterator[None]:
    """Names the head in a refusal that does not, as that of a user's own head."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if f"'{name}'" in str(error):
            raise
        raise ValueError(
            f"Cannot read the labels of head '{name}': {str(error).splitlines()[0]}"
        ) from error


@keras.saving.register_keras_serializable(package="adaptive_nets")
class ColumnsMetric(keras.metrics.Metric):
    """One head's metric, fed with the labels and logits of all heads.

    Args:
        metric: The head's own metric, or its configuration.
        columns: The head's `Columns`, or their fields as a dict.
        name: String.
        dtype: Of no use beside the metric's own; there for `from_config`.
    """

    def __init__(
        self,
        metric: keras.metrics.Metric | dict[str, Any],
        columns: Columns | dict[str, Any],
        name: str,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if isinstance(metric, dict):
            metric = keras.saving.deserialize_keras_object(metric)
        if isinstance(columns, dict):
            columns = Columns(**{**columns, "label_shape": tuple(columns["label_shape"])})
        self.metric, self.columns = metric, columns

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.metric.update_state(
            self.columns.labels_of(y_true), self.columns.logits_of(y_pred), sample_weight
        )

    def result(self) -> Any:
        return self.metric.result()

    def reset_state(self) -> None:
        self.metric.reset_state()

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "metric": keras.saving.serialize_keras_object(self.metric),
            "columns": dataclasses.asdict(self.columns),
        }
