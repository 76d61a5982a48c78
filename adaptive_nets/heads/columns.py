"""The columns of each head when the labels and logits of several heads lie side by side."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets._checks import check_array, check_dict
from adaptive_nets.data.weights import read_weights
from adaptive_nets.heads.base import Head
from adaptive_nets.heads.labels import abridge
from adaptive_nets.serialization import make_object

# Above it not every integer is a float32.
_EXACT = 2**24


@dataclasses.dataclass(frozen=True)
class Columns:
    """One head's columns of labels `[n, label columns]` and of logits `[n, units]`.

    Args:
        first_label: First column of the head's labels.
        label_shape: Shape of one label as the head encodes it.
        label_dtype: Dtype of one label as the head encodes it.
        first_logit: First column of the head's logits.
        units: Number of the head's logits.
        weight: Column of the head's weights, which labels may have after those of all heads.
            Defaults to `None`: they never do.
    """

    first_label: int
    label_shape: tuple[int, ...]
    label_dtype: str
    first_logit: int
    units: int
    weight: int | None = None

    @property
    def label_width(self) -> int:
        return math.prod(self.label_shape)

    def labels_of(self, labels: Any) -> Any:
        """Returns the head's labels, as it encoded them, from the labels of all heads."""
        part = labels[:, self.first_label : self.first_label + self.label_width]
        part = ops.reshape(part, (-1, *self.label_shape))
        whole = np.dtype(self.label_dtype).kind in "biu"
        return ops.cast(part, self.label_dtype) if whole else part

    def logits_of(self, logits: Any) -> Any:
        """Returns the head's logits from the logits of all heads, the last axis."""
        return logits[..., self.first_logit : self.first_logit + self.units]

    def weights_of(self, labels: Any) -> Any | None:
        """Returns the head's weights `[n]` from the labels of all heads; `None` without any."""
        if self.weight is None:
            return None
        if labels.shape[1] is None:
            # In a trace it may not be known whether there are any: ones then take their place.
            return ops.concatenate([labels, ops.ones_like(labels)], axis=1)[:, self.weight]
        return labels[:, self.weight] if labels.shape[1] > self.weight else None

    def place(self, encoded: Any, head: str) -> np.ndarray:
        """Converts a head's encoded labels to float32 columns `[n, label_width]`.

        Raises:
            ValueError: They differ from the head's `label_spec`, or float32 cannot hold them.
        """
        array = np.asarray(encoded)
        if array.shape[1:] != self.label_shape or array.dtype.kind not in "biuf":
            raise ValueError(
                f"Cannot lay out the labels of head '{head}': its `label_spec` declares shape "
                f"{['n', *self.label_shape]} and {self.label_dtype}. Override `label_spec` to say "
                f"what `encode` returns. Received: shape {list(array.shape)}, dtype {array.dtype}."
            )
        columns = array.reshape(len(array), self.label_width).astype("float32")
        if array.dtype.kind in "iu" and (np.abs(columns) >= _EXACT).any():
            raise ValueError(
                f"Cannot lay out the labels of head '{head}': inside `heads.Multi` labels are "
                f"float32, which holds integers below {_EXACT} exactly. Use smaller integers, or "
                f"a separate search for this head. Received: a label of {np.abs(array).max()}."
            )
        return columns


def side_by_side(heads: dict[str, Head]) -> dict[str, Columns]:
    """Returns the columns of each head, in the order of the heads."""
    found, label, logit = {}, 0, 0
    for name, head in heads.items():
        shape, dtype = head.label_spec
        found[name] = Columns(label, tuple(shape), dtype, logit, head.units)
        label, logit = label + found[name].label_width, logit + head.units
    return {
        name: dataclasses.replace(columns, weight=label + k)
        for k, (name, columns) in enumerate(found.items())
    }


def encode_side_by_side(heads: dict[str, Head], parts: dict[str, Any]) -> np.ndarray:
    """Encodes the labels of all heads into columns.

    Args:
        heads: Adapted heads by name.
        parts: Raw labels by the name of the head.

    Returns:
        float32 array `[n, label columns]`.

    Raises:
        ValueError: A head cannot encode its labels, or their number differs from that of another
            head. The message names the head.
    """
    encoded = {}
    for name, head in heads.items():
        with named_refusals(name):
            encoded[name] = head.encode(parts[name])
    first = next(iter(encoded))
    for name, labels in encoded.items():
        if len(labels) != len(encoded[first]):
            raise ValueError(
                f"Cannot encode labels for head '{name}': every head needs one label per row. "
                f"Received: {len(labels)} labels, but {len(encoded[first])} for head '{first}'."
            )
    columns = side_by_side(heads)
    placed = [columns[name].place(labels, name) for name, labels in encoded.items()]
    return np.concatenate(placed, axis=1)


def with_weights(
    labels: Any, weights: dict[str, Any], heads: dict[str, Head], name: str
) -> np.ndarray:
    """Returns the labels of all heads with a column of weights for each, as `heads.Multi` does.

    Args:
        labels: Labels `[n, label columns]`.
        weights: Weights `[n]` by head; missing heads weigh all rows equally.
        heads: Heads by name.
        name: Name of the head of all, for error messages.

    Raises:
        ValueError: There is no head of that name, or labels or weights are invalid.
    """
    width = _width(heads)
    labels = check_array("labels", labels, f"what encode returned, of shape [n, {width}]")
    if labels.ndim != 2 or labels.shape[1] not in (width, width + len(heads)):
        raise ValueError(
            f"labels must be what encode returned, of shape [n, {width}]. "
            f"Received: labels of shape {list(labels.shape)}."
        )
    check_dict("weights", weights, object, "a dict of weights by head")
    unknown = [key for key in weights if key not in heads]
    if unknown:
        raise ValueError(
            f"sample_weight must be one number per row, or a dict by the heads "
            f"{abridge(list(heads))} of head '{name}'. Received: weights for {abridge(unknown)}."
        )
    rows = len(labels)
    given = {key: read_weights(own, rows, f"weights[{key!r}]") for key, own in weights.items()}
    columns = [given.get(key, np.ones(rows)) for key in heads]
    return with_mean_one(np.column_stack([labels[:, :width], *columns]), heads)


def with_mean_one(labels: np.ndarray, heads: dict[str, Head]) -> np.ndarray:
    """Returns labels whose columns of weights, if there are any, have mean 1.

    Args:
        labels: Labels of all heads, with or without weights.
        heads: Heads by name.

    Raises:
        ValueError: The weights of a head are 0 in all rows.
    """
    width = _width(heads)
    weights = labels[:, width:]
    for name, own in zip(heads, weights.T, strict=False):
        if not own.any():
            raise ValueError(
                f"sample_weight must be greater than 0 in some row for each head. "
                f"Received: 0 in all of {len(labels)} rows for head '{name}'."
            )
    scaled = weights / weights.mean(axis=0, dtype="float64")
    return np.concatenate([labels[:, :width], scaled], axis=1).astype("float32")


def _width(heads):
    return sum(columns.label_width for columns in side_by_side(heads).values())


def combined_strata(heads: dict[str, Head], labels: np.ndarray) -> np.ndarray | None:
    """Returns the number of each row's combination of the heads' classes, or `None` without any."""
    found = [
        heads[name].strata(ops.convert_to_numpy(columns.labels_of(labels)))
        for name, columns in side_by_side(heads).items()
    ]
    found = [each for each in found if each is not None]
    if not found:
        return None
    _, codes = np.unique(np.stack(found, axis=1), axis=0, return_inverse=True)
    return np.ravel(codes)


@contextmanager
def named_refusals(name: str) -> Iterator[None]:
    """Adds the head's name to an error that lacks it, such as that of a custom head."""
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
    """A metric of one head that is updated with the labels and logits of all heads.

    Args:
        metric: The head's own metric, or its configuration.
        columns: The head's `Columns`, or its fields as a dict.
        name: String. The metric's name.
        dtype: Accepted for `from_config`; the metric's own dtype is used. Defaults to `None`.
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
            metric = make_object(metric, "metric")
        if isinstance(columns, dict):
            columns = Columns(**{**columns, "label_shape": tuple(columns["label_shape"])})
        self.metric, self.columns = metric, columns

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        own = self.columns.weights_of(y_true)
        if own is not None and sample_weight is not None:
            own = own * ops.cast(sample_weight, own.dtype)
        self.metric.update_state(
            self.columns.labels_of(y_true),
            self.columns.logits_of(y_pred),
            sample_weight if own is None else own,
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
