"""`RowStream`: an endless stream of training rows, whose number is known."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

# Labelled rows: features, labels, and weights or `None`.
Part = tuple[pd.DataFrame, Any, Any]


class RowStream:
    """Training rows that are read again and again, a few at a time, each time in another order.

    It stands for an endless dataset in `AdaNet.fit`, which knows here how many rows there are.

    Args:
        make: Function from a number, which says where an earlier stream has ended, to an endless
            iterator of parts: features as a table, labels, and weights or `None`.
        rows: Number of the rows that differ.
        sample: Some of the rows, as a part, on which models are built.
        batch_size: Rows per step.
    """

    def __init__(
        self, make: Callable[[int], Iterator[Part]], rows: int, sample: Part, batch_size: int
    ):
        self.make, self.rows, self.sample, self.batch_size = make, rows, sample, batch_size
        self._size, self._skipped = batch_size, 0

    def rebatch(self, size: int, drop_remainder: bool = True) -> "RowStream":
        """Returns the stream in parts of another size, as `tf.data.Dataset.rebatch` does.

        Args:
            size: Rows of a part.
            drop_remainder: As in TensorFlow; a stream has no end.
        """
        other = copy.copy(self)
        other._size = size
        return other

    def skip(self, parts: int) -> "RowStream":
        """Returns a stream that goes on where an earlier one has ended, in an order of its own.

        Args:
            parts: Number of parts that were read.
        """
        other = copy.copy(self)
        other._skipped = self._skipped + parts
        return other

    def as_numpy_iterator(self) -> Iterator[Part]:
        """Returns an iterator over parts of `size` rows."""
        held: list[Part] = []
        for part in self.make(self._skipped):
            held.append(part)
            count = sum(len(each[0]) for each in held)
            while count >= self._size:
                whole = _joined(held)
                yield _rows(whole, slice(0, self._size))
                held = [_rows(whole, slice(self._size, None))]
                count -= self._size


def _joined(parts):
    if len(parts) == 1:
        return parts[0]
    x, y, w = zip(*parts, strict=True)
    weights = None if w[0] is None else np.concatenate(w)
    return pd.concat(x, ignore_index=True), np.concatenate(y), weights


def _rows(part, rows):
    x, y, w = part
    return x.iloc[rows].reset_index(drop=True), y[rows], None if w is None else w[rows]
