"""A head for several targets of one network."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets._arguments import takes
from adaptive_nets._checks import check_config, check_number, show
from adaptive_nets.heads.base import Head
from adaptive_nets.heads.columns import (
    ColumnsMetric,
    combined_strata,
    encode_side_by_side,
    named_refusals,
    side_by_side,
    with_mean_one,
    with_weights,
)
from adaptive_nets.heads.compat.arguments import SEVERAL
from adaptive_nets.heads.labels import abridge
from adaptive_nets.heads.loss_scale import LossScale
from adaptive_nets.serialization import make_object


@takes(SEVERAL)
@keras.saving.register_keras_serializable(package="adaptive_nets")
class Multi(Head):
    """Several heads on one network: the weighted sum of their losses.

    Labels are a dict with one entry per head, or a DataFrame with one column per head. The
    logits of all heads lie side by side, and so do their encoded labels, as float32. All heads
    share the network and a `"scalar"` mixture weight; `"vector"` and `"matrix"` weights are
    separate for each logit.

    Weights of rows are one number per row, or a dict of such by head, as for targets that not
    every row has: `fit(x, y, sample_weight={"weight": known})`. So are weights of classes:
    `class_weight={"species": "balanced"}`.

    The loss is Σ_k weight_k loss_k. Nothing else balances the heads: the squared error of a
    target in the thousands dominates a cross-entropy unless its weight is about one over the
    target's variance.

    Predictions and metrics are those of the heads, named `"head/probabilities"`,
    `"head/accuracy"`. By default `predict` returns a dict of each head's default output.

    Args:
        heads: Dict of heads by name, or a list of heads with different names. They are copied,
            and the keys of a dict become their names.
        weights: Positive numbers: a dict by name, in which missing heads have weight 1, or a
            list in the order of the heads. Defaults to `None`: 1 for each head.
        name: String. The head's name in errors and reports. Defaults to `"multi"`.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    head = an.heads.Multi(
        {"species": an.heads.MultiClass(), "weight": an.heads.Regression()},
        weights={"weight": 0.5},
    )
    y = {"species": ["cat", "dog", "cow"], "weight": [4.0, 30.0, 600.0]}
    labels = head.adapt(y).encode(y)  # [[0, 4], [2, 30], [1, 600]]
    logits = keras.ops.convert_to_tensor([[0.0, 0.0, 0.0, 2.0]])
    loss = head.loss(labels[:1], logits)  # log 3 + 0.5 (4 - 2)^2 = 3.0986123
    outputs = head.predictions(logits)  # "species/classes", ..., "weight/predictions"
    ```
    """

    def __init__(
        self,
        heads: Mapping[str, Head] | Sequence[Head],
        weights: Mapping[str, float] | Sequence[float] | None = None,
        name: str = "multi",
    ) -> None:
        super().__init__(name)
        self.heads = _named_heads(heads, name)
        self.weights = _named_weights(weights, list(self.heads), name)

    @property
    def weight_columns(self) -> dict[str, str] | None:
        """The feature with the weights of each head that has one, or `None`."""
        found = {name: head.weight_columns for name, head in self.heads.items()}
        return {name: column for name, column in found.items() if column} or None

    @property
    def units(self) -> int:
        return sum(head.units for head in self.heads.values())

    @property
    def main_metric(self) -> tuple[str, str]:
        return "loss", "min"

    @property
    def default_output(self) -> dict[str, str]:
        return {name: f"{name}/{head.default_output}" for name, head in self.heads.items()}

    @property
    def label_spec(self) -> tuple[tuple[int, ...], str]:
        return (sum(c.label_width for c in side_by_side(self.heads).values()),), "float32"

    def adapt(self, y: Any) -> Head:
        parts = self._parts(y)
        # Copies, so that an error in one head leaves the others unchanged.
        adapted = copy.deepcopy(self.heads)
        for name, head in adapted.items():
            with named_refusals(name):
                adapted[name] = head.adapt(parts[name])
        encode_side_by_side(adapted, parts)
        self.heads = adapted
        return self

    def encode(self, y: Any) -> np.ndarray:
        return encode_side_by_side(self.heads, self._parts(y))

    def labels_of(self, labels: np.ndarray, name: str) -> np.ndarray:
        """Returns the encoded labels of one head.

        Args:
            labels: Labels as returned by `encode`.
            name: The head's name.
        """
        return keras.ops.convert_to_numpy(side_by_side(self.heads)[name].labels_of(labels))

    def attach_weights(self, labels: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
        """Returns labels with weights of their own for each head, in columns after the labels.

        The loss and the metrics of a head then weigh rows by its column, scaled to mean 1.

        Args:
            labels: Labels as returned by `encode`.
            weights: `[n]` weights >= 0 by head. Missing heads weigh all rows equally.

        Raises:
            ValueError: There is no head of that name.
        """
        return with_weights(labels, weights, self.heads, self.name)

    def scale_weights(self, labels: np.ndarray) -> np.ndarray:
        """Returns labels whose columns of weights, if there are any, have mean 1.

        Args:
            labels: Labels as returned by `encode` or `attach_weights`, or some rows of them.

        Raises:
            ValueError: The weights of a head are 0 in all rows.
        """
        return with_mean_one(labels, self.heads)

    def _parts(self, y: Any) -> dict[str, Any]:
        """Returns the raw labels of each head."""
        expected = ", ".join(repr(name) for name in self.heads)
        frame = hasattr(y, "columns") and hasattr(y, "to_numpy")
        if not frame and not isinstance(y, Mapping):
            raise ValueError(
                f"Cannot read the labels of head '{self.name}': expected a dict or a DataFrame "
                f"with the keys {expected}. Received: {type(y).__name__}."
            )
        found = list(y.columns if frame else y)
        for name in self.heads:
            if name not in found:
                raise ValueError(
                    f"Cannot read the labels of head '{name}': they are missing. Head "
                    f"'{self.name}' expects the keys {expected}. Received: {abridge(found)}."
                )
        extra = [key for key in found if key not in self.heads]
        if extra:
            raise ValueError(
                f"Cannot read the labels of head '{self.name}': there is no head for "
                f"{abridge(extra)}. Remove these labels, or add heads with these names. "
                f"Received: {abridge(found)}."
            )
        return {name: y[name] for name in self.heads}

    def loss(self, labels: Any, logits: Any) -> Any:
        logits = keras.ops.convert_to_tensor(logits)
        total = 0.0
        for name, columns in side_by_side(self.heads).items():
            part = self.heads[name].loss(columns.labels_of(labels), columns.logits_of(logits))
            rows = columns.weights_of(labels)
            if rows is not None:
                part = part * keras.ops.cast(rows, part.dtype)
            total = total + self.weights[name] * part
        return total

    def mean_of(self, outputs: Any, mean: Callable[[Any], Any] | None = None) -> Any:
        """Returns the heads' means side by side."""
        means = [
            self.heads[name].mean_of(columns.logits_of(outputs), mean)
            for name, columns in side_by_side(self.heads).items()
        ]
        return keras.ops.concatenate(means, axis=-1)

    def metrics(self) -> dict[str, keras.metrics.Metric]:
        found = {}
        for name, columns in side_by_side(self.heads).items():
            for key, metric in self.heads[name].metrics().items():
                found[f"{name}/{key}"] = ColumnsMetric(metric, columns, name=f"{name}/{key}")
        return found

    def predictions(self, logits: Any) -> dict[str, Any]:
        logits = keras.ops.convert_to_tensor(logits)
        found = {}
        for name, columns in side_by_side(self.heads).items():
            outputs = self.heads[name].predictions(columns.logits_of(logits))
            found |= {f"{name}/{key}": value for key, value in outputs.items()}
        return found

    def strata(self, labels: np.ndarray) -> np.ndarray | None:
        return combined_strata(self.heads, labels)

    def output_range(
        self, labels: np.ndarray, base: np.ndarray | None = None
    ) -> tuple[list[float], list[float]] | None:
        """Returns the heads' ranges side by side; offset 0 and scale 1 for heads without one."""
        offsets, scales, any_range = [], [], False
        for name, columns in side_by_side(self.heads).items():
            own = keras.ops.convert_to_numpy(columns.labels_of(labels))
            part = None if base is None else columns.logits_of(base)
            found = self.heads[name].output_range(own, part)
            any_range = any_range or found is not None
            offset, scale = found or ([0.0] * columns.units, [1.0] * columns.units)
            offsets, scales = [*offsets, *offset], [*scales, *scale]
        return (offsets, scales) if any_range else None

    def loss_scale(self, labels: np.ndarray, weights: np.ndarray | None = None) -> LossScale | None:
        """Returns the heads' scales side by side, with their mean as weighted in the loss."""
        each, deviation, overall, any_scale = [], [], 0.0, False
        for name, columns in side_by_side(self.heads).items():
            own = keras.ops.convert_to_numpy(columns.labels_of(labels))
            rows = columns.weights_of(labels)
            if rows is not None:
                rows = rows if weights is None else rows * weights
            found = self.heads[name].loss_scale(own, weights if rows is None else rows)
            any_scale = any_scale or found is not None
            ones = (1.0,) * columns.units
            found = found or LossScale(1.0, ones, ones)
            each, deviation = [*each, *found.each], [*deviation, *found.deviation]
            overall += self.weights[name] * found.overall
        if not any_scale:
            return None
        overall /= sum(self.weights.values())
        return LossScale(overall, tuple(each), tuple(deviation))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "heads": [keras.saving.serialize_keras_object(head) for head in self.heads.values()],
            "weights": list(self.weights.values()),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Head:
        """Creates a head from the output of `get_config`.

        Raises:
            ValueError: The class of a head, or an object in its configuration, is not registered.
        """
        heads, config = [], check_config(cls, config)
        for serialized in config["heads"]:
            try:
                heads.append(make_object(serialized, "head"))
            except ValueError as error:
                own = serialized.get("config") if isinstance(serialized, dict) else None
                name = own.get("name") if isinstance(own, dict) else None
                raise ValueError(
                    f"Cannot load head '{name}' of head '{config.get('name')}'. Import the module "
                    "that registers its class and functions with "
                    f"keras.saving.register_keras_serializable. Received: {error}."
                ) from error
        return cls(**{**config, "heads": heads})


def _named_heads(heads: Any, name: str) -> dict[str, Head]:
    pairs = None
    if isinstance(heads, Mapping):
        pairs = list(heads.items())
    elif isinstance(heads, Sequence) and not isinstance(heads, str):
        pairs = [(getattr(head, "name", None), head) for head in heads]
    if not pairs:
        raise ValueError(
            f"Cannot make head '{name}': `heads` must be a dict of heads by name or a list of "
            f"heads, with at least one. Received: heads={show(heads)}."
        )
    named = {}
    for key, head in pairs:
        if not isinstance(head, Head) or isinstance(head, Multi):
            raise ValueError(
                f"Cannot make head '{name}': each of `heads` must be a heads.Head other than "
                f"Multi. Pass all heads to a single Multi. Received: {show(key)}: {show(head)}."
            )
        # A slash separates a head's name from that of its metric or output.
        if not isinstance(key, str) or not key or "/" in key:
            raise ValueError(
                f"Cannot make head '{name}': the name of a head must be a non-empty string "
                f"without '/'. Received: {show(key)}."
            )
        if key in named:
            raise ValueError(
                f"Cannot make head '{name}': its heads must have different names. Pass "
                f"`name` to each, or a dict of heads by name. Received: two named {show(key)}."
            )
        named[key] = copy.deepcopy(head)
        named[key].name = key
    return named


def _named_weights(weights: Any, names: list[str], head: str) -> dict[str, float]:
    rule = f"`weights` must be positive numbers for the heads {abridge(names)}"
    if weights is None:
        given = {}
    elif isinstance(weights, Mapping):
        given = dict(weights)
    elif isinstance(weights, Sequence) and len(weights) == len(names):
        given = dict(zip(names, weights, strict=True))
    else:
        raise ValueError(f"Cannot make head '{head}': {rule}. Received: weights={show(weights)}.")
    for name, weight in given.items():
        if name not in names:
            raise ValueError(
                f"Cannot make head '{head}': {rule}. Received: weight {show(weight)} for {name!r}."
            )
        check_number(f"weights[{name!r}]", weight, 0, inclusive=False)
    return {name: float(given.get(name, 1.0)) for name in names}
