"""Large arrays, read piece by piece: views that copy no rows, and values computed when read."""

import mmap
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

# Numbers in a piece of an array. Its float64 copies stay in or near the processor's cache.
PIECE_NUMBERS = 1 << 20
# Bytes of chosen rows above which they are a view, not a copy.
VIEW_BYTES = 1 << 28
# Bytes of a memory map that are read before its pages are let go of.
MAPPED_BYTES = 1 << 26
# Rows of a memory map that are gathered before its pages, of up to 2 MiB each, are let go of.
GATHERED_ROWS = 64


def pieces(rows: int, width: int) -> Iterator[slice]:
    """Yields slices of rows, one after another, each of about `PIECE_NUMBERS` numbers.

    Args:
        rows: Number of rows.
        width: Numbers in a row.
    """
    size = max(1, PIECE_NUMBERS // max(1, width))
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def blocks(array: Any, most: int) -> Iterator[np.ndarray]:
    """Yields an array's rows in blocks, without holding more of a memory map than it has to.

    Args:
        array: Array, memory map or `ChosenRows`.
        most: Most rows in a block. Where rows are wide, there are fewer.
    """
    width = int(np.prod(array.shape[1:]))
    size = min(most, max(1, 8 * PIECE_NUMBERS // max(1, width)))
    read = 0
    for start in range(0, len(array), size):
        block = array[start : start + size]
        yield block
        read += block.nbytes
        if read > MAPPED_BYTES:
            release(array)
            read = 0


def release(array: Any) -> None:
    """Lets go of the pages of a memory map, which are read from its file again when needed.

    Without it, a process seems to need as much memory as it has ever read of the file. A map whose
    changes exist in memory only (mode `"c"`) is left alone, as is everything else.
    """
    array = getattr(array, "source", array)
    if not isinstance(array, np.memmap) or array.mode == "c":
        return
    base = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def gather(array: Any, index: np.ndarray) -> np.ndarray:
    """Returns the rows of an array by their numbers, an array in any order.

    A page of a memory map that is read brings its neighbours into memory, so that few rows in a
    random order can bring all of the file. Its pages are let go of in between.
    """
    source = getattr(array, "source", array)
    if not isinstance(source, np.memmap) or len(index) <= GATHERED_ROWS:
        return np.asarray(array[index])
    found = np.empty((len(index), *array.shape[1:]), array.dtype)
    for start in range(0, len(index), GATHERED_ROWS):
        found[start : start + GATHERED_ROWS] = array[index[start : start + GATHERED_ROWS]]
        release(array)
    return found


def choose_rows(array: Any, index: np.ndarray | slice) -> Any:
    """Returns some rows of an array: a copy, or a `ChosenRows` where that would be large."""
    if isinstance(index, slice):
        return array[index]
    index = np.asarray(index)
    index = np.flatnonzero(index) if index.dtype == bool else index
    if array.dtype != object and array[:1].nbytes * len(index) > VIEW_BYTES:
        return ChosenRows(array, index)
    return gather(array, index)


class ChosenRows:
    """Some rows of an array, by their numbers. Rows are copied when they are asked for.

    Args:
        source: The array, or other `ChosenRows` of it.
        index: `[rows]` row numbers.
    """

    def __init__(self, source: Any, index: np.ndarray):
        if isinstance(source, ChosenRows):
            source, index = source.source, source.index[index]
        self.source, self.index = source, index

    @property
    def dtype(self) -> np.dtype:
        return self.source.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.index), *self.source.shape[1:])

    @property
    def ndim(self) -> int:
        return self.source.ndim

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, rows: Any) -> np.ndarray:
        return gather(self.source, self.index[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)


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
