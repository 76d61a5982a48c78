"""Finite data as checked and encoded rows that can be gathered by index."""

import dataclasses
import zlib
from collections.abc import Iterator
from typing import Any, Protocol

import keras
import numpy as np
from absl import logging

from adaptive_nets.data.alignment import check_aligned
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.specs import FeatureSpec, Spec
from adaptive_nets.data.strata import missing_classes, split_indices
from adaptive_nets.data.values import as_array

Features = np.ndarray | dict[str, np.ndarray]


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
    class_weight: dict[int, float] | None = None,
    schema: Schema | None = None,
) -> Rows:
    """Checks arrays against each other and encodes the labels with an adapted head.

    Args:
        x: Features in any form.
        y: Labels.
        head: An adapted head.
        sample_weight: One weight per row. Defaults to `None`.
        class_weight: Weights by encoded class. Defaults to `None`.
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
    return Rows(x, encoded, _weights(encoded, sample_weight, class_weight))


def _weights(labels, sample_weight, class_weight):
    if sample_weight is None and not class_weight:
        return None
    n = len(labels)
    w = np.ones(n) if sample_weight is None else _read_weights(sample_weight, n)
    if class_weight:
        flat = labels.reshape(n, -1)
        if flat.shape[1] != 1:
            raise ValueError("class_weight requires one class per row. Use sample_weight instead.")
        w = w * np.array([float(class_weight.get(int(c), 1.0)) for c in flat[:, 0]])
    bad = ~np.isfinite(w) | (w < 0)
    if bad.any() or not w.any():
        place = f", first in row {int(np.argmax(bad))}" if bad.any() else ""
        raise ValueError(
            "Weights must be finite, non-negative and not all zero. "
            f"Received: minimum {w.min()}, sum {w.sum()}{place}."
        )
    # The sum of large weights overflows, unless they are divided first.
    w = w / w.max()
    return (w / w.mean()).astype("float32")


def _read_weights(sample_weight, n):
    """Returns weights as float64 `[n]`."""
    if isinstance(sample_weight, dict | str):
        raise ValueError(
            "sample_weight must be an array with one number per row. For weights of classes use "
            f"class_weight. Received: {type(sample_weight).__name__}."
        )
    w = as_array(sample_weight, "sample weights")
    if w.shape not in ((n,), (n, 1)):
        found = len(w) if w.ndim == 1 else f"an array of shape {w.shape}"
        raise ValueError(
            f"sample_weight must have one number per row. Received: {found} for {n} rows."
        )
    if w.dtype.kind == "O":
        raise ValueError(
            f"sample_weight must be numbers: could not convert {w.flat[0]!r}, first in row 0."
        )
    return w.astype("float64").reshape(-1)


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
