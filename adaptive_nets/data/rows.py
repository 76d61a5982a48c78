"""Finite data as checked and encoded rows that can be gathered by index."""

import dataclasses
import zlib
from collections.abc import Iterator
from typing import Any, Protocol

import keras
import numpy as np
from absl import logging

from adaptive_nets._pieces import blocks, choose_rows
from adaptive_nets.data.columns.alignment import check_aligned
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.specs import FeatureSpec, Spec
from adaptive_nets.data.weights import ClassWeight, take_weights, weigh

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
        """Returns some rows. Features are copied only if they are few."""
        x = keras.tree.map_structure(lambda a: choose_rows(a, index), self.x)
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
                for block in blocks(a, len(a)):
                    crc = zlib.crc32(np.ascontiguousarray(block).reshape(-1).view("uint8"), crc)
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
    x, sample_weight = take_weights(head, x, sample_weight)
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


def split_indices(
    strata: np.ndarray | None, rows: int, held: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Splits rows at random, with a seed, such that both sides have rows of every class.

    Each class gives its share of the rows held out, but at least one and not all of its rows. A
    class of one row stays among the rows that are kept; if all classes have one row, their rows
    are split as if there were no classes.

    Args:
        strata: `[rows]` class of each row, or `None` for rows without classes.
        rows: Number of rows.
        held: Number of rows to hold out.
        seed: Seed of the order.

    Returns:
        Ascending row numbers of the rows kept and of those held out.
    """
    order = np.random.default_rng(seed).permutation(rows)
    chosen = order[:held] if strata is None else _by_class(strata, order, held, keep=1)
    mask = np.zeros(rows, bool)
    mask[chosen] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def draw_rows(strata: np.ndarray | None, rows: int, count: int, seed: int) -> np.ndarray:
    """Draws rows without repetition, some of every class if there are enough.

    Args:
        strata: `[rows]` class of each row, or `None` for rows without classes.
        rows: Number of rows.
        count: Number of rows to draw.
        seed: Seed of the order.

    Returns:
        Their ascending row numbers.
    """
    order = np.random.default_rng(seed).permutation(rows)
    return np.sort(order[:count] if strata is None else _by_class(strata, order, count, keep=0))


def missing_classes(strata: np.ndarray, kept: np.ndarray, held: np.ndarray) -> list[int]:
    """Returns the classes that one side of a split lacks."""
    return np.setxor1d(strata[kept], strata[held]).tolist()


def _by_class(strata, order, count, keep):
    _, codes, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    quotas = _quotas(sizes, count, keep)
    if quotas is None:
        return order[:count]
    shuffled = np.ravel(codes)[order]
    by_class = np.argsort(shuffled, kind="stable")
    place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return order[by_class[place < np.repeat(quotas, sizes)]]


def _quotas(sizes, count, keep):
    """Returns how many rows each class gives: largest remainders, within its least and most."""
    most = sizes - np.minimum(keep, sizes)
    if most.sum() < count:
        return None
    wanted = sizes * (count / sizes.sum())
    least = np.minimum(1, most)
    if least.sum() > count:
        # More classes than rows: the largest classes come first.
        least = np.zeros_like(sizes)
    found = np.clip(np.floor(wanted).astype(int), least, most)
    while found.sum() != count:
        step = 1 if found.sum() < count else -1
        free = found < most if step > 0 else found > least
        gap = np.where(free, step * (wanted - found), -np.inf)
        found[np.argmax(gap)] += step
    return found
