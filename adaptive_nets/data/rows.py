"""Finite data as checked and encoded rows that can be gathered by index."""

import dataclasses
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import keras
import numpy as np
from absl import logging

from adaptive_nets.data.alignment import check_aligned
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.specs import FeatureSpec, Spec
from adaptive_nets.data.strata import missing_classes, split_indices

Features = np.ndarray | dict[str, np.ndarray]

# Weights by encoded class; for several heads, such a dict for each head.
ClassWeight = dict[int, float] | dict[str, dict[int, float]]


class LabelEncoder(Protocol):
    """Encodes raw labels as an array with one entry per row, as an adapted head does."""

    def encode(self, y: Any) -> np.ndarray:
        """Returns the encoded labels. Raises a `ValueError` for unknown labels."""


@dataclasses.dataclass
class Rows:
    """Finite data: features, encoded labels and weights, row by row.

    Args:
        x: Array, or dict of arrays, of `n` rows.
        y: Encoded labels of `n` rows.
        w: float32 weights with mean 1. Defaults to `None`: all are equal.
    """

    x: object
    y: np.ndarray
    w: np.ndarray | None = None

    def __len__(self):
        return len(self.y)

    @property
    def spec(self) -> Spec:
        return keras.tree.map_structure(
            lambda a: FeatureSpec(
                tuple(a.shape[1:]), "string" if a.dtype.kind in "OS" else str(a.dtype)
            ),
            self.x,
        )

    @property
    def on_disk(self) -> bool:
        return any(isinstance(a, np.memmap) for a in keras.tree.flatten(self.x))

    def in_memory(self) -> "Rows":
        """Returns the rows without memory maps, whose files exist on this machine only."""
        x = keras.tree.map_structure(np.asarray, self.x)
        return dataclasses.replace(self, x=x, y=np.asarray(self.y))

    def pieces(self, size: int) -> Iterator["Rows"]:
        """Yields pieces of about equal length, of at most `size` rows."""
        for index in np.array_split(np.arange(len(self)), -(-len(self) // size)):
            yield self.take(index)

    def take(self, index: np.ndarray) -> "Rows":
        x = keras.tree.map_structure(lambda a: a[index], self.x)
        w = None if self.w is None else self.w[index]
        # Weights that are all 0 cannot have mean 1; callers have to check for them.
        return Rows(x, self.y[index], w if w is None or not w.any() else w / w.mean())

    def fingerprint(self) -> str:
        """Returns a checksum of all rows, which is (nearly) unique to a data set."""
        crc = 0
        for a in [*keras.tree.flatten(self.x), self.y, *([] if self.w is None else [self.w])]:
            if a.dtype == object:
                # Prefixed with its length, no string runs into the next.
                for text in a.flat:
                    raw = text if isinstance(text, bytes) else text.encode()
                    crc = zlib.crc32(b"%d:%b" % (len(raw), raw), crc)
            elif a.size:
                crc = zlib.crc32(np.ascontiguousarray(a).reshape(-1).view("uint8"), crc)
        return f"{len(self)}-{crc:08x}"


def make_rows(
    x: Any,
    y: Any,
    head: LabelEncoder,
    sample_weight: Any = None,
    class_weight: ClassWeight | None = None,
    schema: Schema | None = None,
) -> Rows:
    """Checks arrays against each other and encodes the labels with an adapted head.

    Args:
        x: Features in any form.
        y: Labels.
        head: An adapted head.
        sample_weight: One weight per row, or for several heads a dict of them. Defaults to `None`.
        class_weight: Weights by encoded class, for several heads by head. Defaults to `None`.
        schema: The schema of the features. Defaults to `None`: it is inferred.
    """
    if y is None:
        raise ValueError("Labels are missing. Pass y, or a tf.data.Dataset of (features, labels).")
    check_aligned(x, y, sample_weight)
    encoded = head.encode(y)
    n = len(encoded)
    x = (Schema.infer(x, n) if schema is None else schema).read(x, n)
    if n == 0:
        raise ValueError("The data is empty: expected at least one row. Received: 0 rows.")
    return Rows(x, *weigh(head, encoded, sample_weight, class_weight))


def split_rows(
    rows: Rows, fraction: float, seed: int, strata: np.ndarray | None = None
) -> tuple[Rows, Rows]:
    """Splits rows at random, with a seed, into training and validation rows.

    Args:
        rows: The rows.
        fraction: The share of validation rows.
        seed: Seed of the split.
        strata: `[n]` class of each row, of which both sides get their share. Defaults to `None`:
            there are no classes.
    """
    if not 0 < fraction < 1:
        raise ValueError(
            f"validation_split must be between 0 and 1. Received: validation_split={fraction}."
        )
    held = round(len(rows) * fraction)
    if held < 1 or held >= len(rows):
        raise ValueError(
            f"validation_split={fraction} of {len(rows)} rows leaves one side without rows."
        )
    places = split_indices(strata, len(rows), held, seed)
    lacking = [] if strata is None else missing_classes(strata, *places)
    if lacking:
        logging.warning(
            "validation_split=%g of %d rows leaves %d of %d classes on one side only; the rarest "
            "has %d row(s). Metrics of these classes say little.", fraction, len(rows),
            len(lacking), len(np.unique(strata)), min(np.sum(strata == c) for c in lacking),
        )  # fmt: skip
    sides = rows.take(places[0]), rows.take(places[1])
    if any(side.w is not None and not side.w.any() for side in sides):
        raise ValueError(
            f"validation_split={fraction} leaves one side with rows of weight 0 only. Drop rows of "
            "weight 0."
        )
    return sides


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
        array = keras.ops.convert_to_numpy(given) if keras.ops.is_tensor(given) else None
        array = np.asarray(given) if array is None else array
        if array.dtype.kind in "US":
            # NumPy has made text of the numbers among strings.
            array = np.asarray(given, dtype=object)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{rule}. Received: {str(error).splitlines()[0]}.") from error
    if array.shape not in ((rows,), (rows, 1)):
        text = isinstance(given, str | bytes) or given is None
        found = repr(given) if text else f"{type(given).__name__} of shape {list(array.shape)}"
        raise ValueError(f"{rule}. Received: {name}={found}.")
    array = array.reshape(rows)
    numbers = array.dtype.kind in "biuf"
    found = array.astype("float64") if numbers else np.array([_number(v) for v in array.tolist()])
    bad = ~np.isfinite(found) | (found < 0)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(f"{rule}. Received: {array.tolist()[row]!r} in row {row}.")
    if rows and not found.any():
        raise ValueError(f"{rule}, and not all 0. Received: 0 in every row.")
    return found


def _number(value):
    """Returns a weight as a float, and NaN for what is no number, such as text."""
    return float(value) if isinstance(value, bool | int | float) else np.nan


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
    return labels, None if w is None else (w / w.mean()).astype("float32")


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
