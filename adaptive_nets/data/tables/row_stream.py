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

    It stands for an endless dataset in `AdaNet.fit`, which knows here how many rows there are. Each
    batch has equally many rows of each lane. A process may read some lanes, and others the rest.

    Args:
        make: Function from a number, which says where an earlier stream has ended, and a lane to
            an endless iterator of parts: features as a table, labels, and weights or `None`.
        rows: Number of the rows that differ.
        sample: Some of the rows, as a part, on which models are built.
        batch_size: Rows per step, of all lanes.
        lanes: Number of lanes, which divides the rows per step. Defaults to 1.
        own: Numbers of the lanes that this process reads. Defaults to `None`: all.
        in_step: Function that calls another one in all processes, and fails if one of them does.
            Defaults to `None`: there is one process.

    Attributes:
        is_shared: Whether other processes read other rows.
    """

    def __init__(
        self,
        make: Callable[[int, int], Iterator[Part]],
        rows: int,
        sample: Part,
        batch_size: int,
        lanes: int = 1,
        own: range | None = None,
        in_step: Callable[[Callable[[], Part]], Part] | None = None,
    ):
        self.make, self.rows, self.sample, self.batch_size = make, rows, sample, batch_size
        self.lanes, self.own = lanes, range(lanes) if own is None else own
        self._in_step = in_step or (lambda work: work())
        self._size, self._skipped = batch_size, 0

    @property
    def is_shared(self) -> bool:
        return len(self.own) < self.lanes

    def rebatch(self, size: int, drop_remainder: bool = True) -> "RowStream":
        """Returns the stream in parts of another size, as `tf.data.Dataset.rebatch` does.

        Args:
            size: Rows of a part, in all processes together.
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
        """Returns an iterator over parts, of which each has the rows of this process's lanes."""
        each = self._size // self.lanes
        lanes = [_parts(self.make(self._skipped, lane), each) for lane in self.own]
        while True:
            yield self._in_step(lambda: _joined([next(lane) for lane in lanes]))

    def places(self, steps: int) -> np.ndarray:
        """Returns which rows of a part each step reads, `[steps, batch_size]`.

        Rows that other processes read have the place 0, which this process does not use.

        Args:
            steps: Number of steps that a part is for.
        """
        each = self.batch_size // self.lanes
        found = np.zeros((steps, self.lanes, each), "int32")
        own = np.arange(len(self.own) * steps * each).reshape(len(self.own), steps, each)
        found[:, self.own.start : self.own.stop] = own.swapaxes(0, 1)
        return found.reshape(steps, self.batch_size)


def _parts(parts, size):
    """Yields the rows of parts in parts of another size."""
    held: list[Part] = []
    for part in parts:
        held.append(part)
        count = sum(len(each[0]) for each in held)
        if count < size:
            continue
        whole, first = _joined(held), 0
        while count - first >= size:
            yield _rows(whole, slice(first, first + size))
            first += size
        held = [_rows(whole, slice(first, None))]


def _joined(parts):
    if len(parts) == 1:
        return parts[0]
    x, y, w = zip(*parts, strict=True)
    weights = None if w[0] is None else np.concatenate(w)
    return pd.concat(x, ignore_index=True), np.concatenate(y), weights


def _rows(part, rows):
    x, y, w = part
    return x.iloc[rows].reset_index(drop=True), y[rows], None if w is None else w[rows]
