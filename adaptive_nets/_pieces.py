"""`RowWise`: arrays that are computed where they are read; and the pieces to read them in."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

# Numbers in a piece of an array. Its float64 copies stay in or near the processor's cache.
PIECE_NUMBERS = 1 << 20


def pieces(rows: int, width: int) -> Iterator[slice]:
    """Yields slices of rows, one after another, each of about `PIECE_NUMBERS` numbers.

    Args:
        rows: Number of rows.
        width: Numbers in a row.
    """
    size = max(1, PIECE_NUMBERS // max(1, width))
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


class RowWise:
    """An array that is computed from others, row by row, when its rows are asked for.

    Args:
        compute: Function from the others' rows to the array's rows.
        sources: The others: a list of dicts of arrays with as many rows.
    """

    def __init__(self, compute: Callable[[list[dict[str, Any]]], np.ndarray], sources: list[dict]):
        self._compute, self._sources = compute, sources

    def __len__(self) -> int:
        return len(next(iter(self._sources[0].values())))

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self._compute([{key: a[rows] for key, a in each.items()} for each in self._sources])

    def divided(self, by: np.ndarray | float) -> "RowWise":
        """Returns the array divided by a number or by `[width]` of them, in float64."""
        return RowWise(lambda rows: np.asarray(self._compute(rows), "float64") / by, self._sources)

    def whole(self, width: int, dtype: str = "float32") -> np.ndarray:
        """Returns all rows as an array `[rows, width]`, computed piece by piece."""
        found = np.empty((len(self), width), dtype)
        for rows in pieces(len(self), width):
            found[rows] = self[rows]
        return found
