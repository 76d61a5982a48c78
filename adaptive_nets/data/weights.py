"""Weights of rows: read, checked and combined with the weights of classes."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import keras
import numpy as np

from adaptive_nets._checks import show
from adaptive_nets.data.containers import split_columns

# Weights by encoded class; for several heads, such a dict for each head.
ClassWeight = dict[int, float] | dict[str, dict[int, float]]


class SeveralHeads(Protocol):
    """What a head of several targets does, such as `heads.Multi`."""

    def labels_of(self, labels: np.ndarray, name: str) -> np.ndarray:
        """Returns the encoded labels of one head."""

    def attach_weights(self, labels: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
        """Returns the encoded labels with a column of weights for each head."""

    def scale_weights(self, labels: np.ndarray) -> np.ndarray:
        """Returns some of these labels with weights of mean 1."""


def read_weights(given: Any, rows: int, name: str = "sample_weight") -> np.ndarray:
    """Reads one weight per row.

    Args:
        given: Array, list, tensor or pandas object `[rows]` or `[rows, 1]`.
        rows: Number of rows.
        name: Name of the argument in error messages.

    Returns:
        float64 array `[rows]`.

    Raises:
        ValueError: They are not `rows` finite numbers >= 0, or all are 0.
    """
    rule = f"{name} must be {rows} finite numbers >= 0, one per row"
    if np.ma.is_masked(given):
        raise ValueError(
            f"{rule}. Received: a masked array with {np.ma.count_masked(given)} masked."
        )
    try:
        tensor = keras.ops.is_tensor(given) and not isinstance(given, keras.KerasTensor)
        array = keras.ops.convert_to_numpy(given) if tensor else None
        array = np.asarray(given) if array is None else array
        if array.dtype.kind in "US":
            # NumPy has made text of the numbers among strings.
            array = np.asarray(given, dtype=object)
    except Exception as error:
        # Objects run code of their own when they are read, which may raise anything.
        raise ValueError(f"{rule}. Received: {name}={show(given)}.") from error
    if array.shape not in ((rows,), (rows, 1)):
        text = isinstance(given, str | bytes) or given is None
        found = show(given) if text else f"{type(given).__name__} of shape {list(array.shape)}"
        raise ValueError(f"{rule}. Received: {name}={found}.")
    array = array.reshape(rows)
    numbers = array.dtype.kind in "biuf"
    # NumPy would give the nanoseconds of dates as integers.
    values = [str(v) for v in array] if array.dtype.kind in "mM" else array.tolist()
    found = array.astype("float64") if numbers else np.array([_number(v) for v in values])
    bad = ~np.isfinite(found) | (found < 0)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(f"{rule}. Received: {show(values[row])} in row {row}.")
    if rows and not found.any():
        raise ValueError(f"{rule}, and not all 0. Received: 0 in every row.")
    return found


def _number(value):
    """Returns a weight as a float, and NaN for what is not a number, such as text."""
    return float(value) if isinstance(value, bool | int | float) else np.nan


def take_weights(head: Any, x: Any, sample_weight: Any) -> tuple[Any, Any]:
    """Takes the columns of weights that a head names out of the features.

    Args:
        head: A head; one without `weight_columns` names none.
        x: Features in any form.
        sample_weight: Weights that were passed, or `None`.

    Returns:
        The other features, and the weights; for several heads a dict by head.

    Raises:
        ValueError: A column is missing, or weights were passed as well.
    """
    wanted = getattr(head, "weight_columns", None)
    if not wanted:
        return x, sample_weight
    by_head = wanted if isinstance(wanted, dict) else {"": wanted}
    rest, found = split_columns(x, set(by_head.values()))
    if not found and sample_weight is not None:
        return x, sample_weight
    if sample_weight is not None:
        raise ValueError(
            f"Rows must have weights once: the head's weight_column is {show(wanted)}, and weights "
            "were passed as well. Leave out one of the two. "
            f"Received: sample_weight={show(sample_weight)}."
        )
    missing = sorted(set(by_head.values()) - set(found))
    if missing:
        raise ValueError(
            f"The features must hold the head's weight_column {show(missing[0])}. "
            f"Received: features without it, {type(x).__name__}."
        )
    weights = {name: found[column] for name, column in by_head.items()}
    return rest, weights if isinstance(wanted, dict) else weights[""]


def drop_weights(head: Any, x: Any) -> Any:
    """Returns features without the columns of weights that a head names, which may be missing."""
    wanted = getattr(head, "weight_columns", None)
    if not wanted:
        return x
    return split_columns(x, set(wanted.values()) if isinstance(wanted, dict) else {wanted})[0]


def weigh(
    head: Any, labels: np.ndarray, sample_weight: Any, class_weight: ClassWeight | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Combines the weights of rows and classes.

    Args:
        head: Adapted head.
        labels: Labels as encoded by the head.
        sample_weight: One weight per row; for several heads, also a dict of such by head.
        class_weight: Weights by encoded class, or `None`.

    Returns:
        The labels, with columns of weights if these differ from head to head; and float32 weights
        `[rows]` of mean 1, or `None` if all are equal.

    Raises:
        ValueError: A weight is invalid, or the head cannot use it.
    """
    rows, by_head, w = len(labels), {}, None
    if isinstance(sample_weight, Mapping):
        if not hasattr(head, "attach_weights"):
            raise ValueError(
                "sample_weight must be one number per row: only heads.Multi takes a dict of "
                f"weights by head. Received: sample_weight with the keys {list(sample_weight)}."
            )
        by_head = {
            name: read_weights(given, rows, f"sample_weight[{name!r}]")
            for name, given in sample_weight.items()
        }
    elif sample_weight is not None:
        w = read_weights(sample_weight, rows)
    for key, weight in (class_weight or {}).items():
        if not isinstance(weight, dict):
            w = _of_classes(labels, class_weight, np.ones(rows) if w is None else w)
            break
        before = by_head.get(key, np.ones(rows))
        by_head[key] = _of_classes(head.labels_of(labels, key), weight, before)
    if by_head:
        labels = head.attach_weights(labels, by_head)
    if w is None:
        return labels, None
    # The sum of large weights overflows, unless they are divided first.
    w = w / w.max()
    return labels, (w / w.mean()).astype("float32")


def scale_head_weights(head: Any, rows: Any) -> Any:
    """Returns some of the rows that `weigh` has weighted, with weights of mean 1 for each head.

    Args:
        head: Adapted head.
        rows: `Rows`.
    """
    scale = getattr(head, "scale_weights", None)
    return rows if scale is None else dataclasses.replace(rows, y=scale(rows.y))


def _of_classes(labels, class_weight, w):
    """Returns weights of rows multiplied by those of their classes."""
    codes = np.asarray(labels)
    if codes.size != len(codes):
        raise ValueError("class_weight requires one class per row. Use sample_weight instead.")
    codes = codes.reshape(-1).astype("int64")
    table = np.ones(max([codes.max(initial=0), *class_weight]) + 1)
    table[list(class_weight)] = list(class_weight.values())
    w = w * table[codes]
    if not w.any():
        raise ValueError(
            "class_weight must be greater than 0 for a class of some row whose sample_weight is. "
            "Received: 0 for every row."
        )
    return w
