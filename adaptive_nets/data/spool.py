"""`Spool`: rows kept in memory up to a limit, and on disk above it."""

import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets._pieces import MAPPED_BYTES, release

if TYPE_CHECKING:
    import tensorflow as tf

MEMORY_LIMIT = 1 << 30
NO_LIMIT = 1 << 62


class Spool:
    """Collects batches of rows into one array, on disk once it exceeds `limit` bytes.

    Args:
        limit: Maximum number of bytes held in memory.
        folder: Folder for files. Defaults to `None`: the system's temporary folder.
        expected: Number of rows in all, if known. Defaults to `None`: it is not.
    """

    def __init__(self, limit: int, folder: str | None = None, expected: int | None = None):
        self.limit, self.folder, self.expected = limit, folder, expected
        self.rows = self.bytes = 0
        # Text in parts, numbers in an array that grows in place: joining parts takes twice as much.
        self._parts, self._array, self._file, self._like = [], None, None, None

    def append(self, batch: np.ndarray) -> None:
        batch = np.ascontiguousarray(batch)
        if self._like is None:
            self._like = batch[:0].copy()
        elif batch.shape[1:] != self._like.shape[1:]:
            raise ValueError(
                "All batches of a dataset must have rows of the same shape. Received: rows of "
                f"shape {batch.shape[1:]} after {self._like.shape[1:]}."
            )
        if batch.dtype != self._like.dtype:
            batch = self._of_one_dtype(batch)
        before = self.rows
        self.rows += len(batch)
        self.bytes += batch.nbytes
        if batch.dtype == object:
            self._parts.append(batch)
            return
        in_all = batch[:1].nbytes * max(self.rows, self.expected or 0)
        if self._file is None and in_all > self.limit:
            self._spill(before)
        if self._file is not None:
            batch.tofile(self._file)
            return
        self._make_room()
        self._array[before : self.rows] = batch

    def _make_room(self):
        shape = self._like.shape[1:]
        if self._array is None:
            self._array = np.empty((max(self.rows, self.expected or 0), *shape), self._like.dtype)
        elif self.rows > len(self._array):
            # In place: nothing else refers to the array yet.
            more = max(self.rows, len(self._array) + len(self._array) // 4)
            self._array.resize((more, *shape), refcheck=False)

    def _of_one_dtype(self, batch):
        """Returns a batch of another dtype as that of the others, or widens all."""
        kinds = batch.dtype.kind + self._like.dtype.kind
        common = np.result_type(batch.dtype, self._like.dtype)
        # NumPy would make text of numbers, and round whole numbers.
        text = common.kind in "US" and kinds not in ("UU", "SS")
        if text or (common.kind == "f" and "f" not in kinds):
            common = np.dtype(object)
        if common != self._like.dtype:
            if self._file is not None:
                raise ValueError(
                    "All batches of a dataset must have the same dtype. "
                    f"Received: {batch.dtype} after {self._like.dtype}."
                )
            self._like = self._like.astype(common)
            if self._array is not None:
                self._array = self._array.astype(common)
            if common.kind == "O" and self._array is not None:
                self._parts, self._array = [self._array[: self.rows]], None
        return batch.astype(common)

    def _spill(self, rows):
        # Unlinked at once, so that the space is freed however the process ends. It stays open
        # for the memory map, so no `with` block can close it.
        self._file = tempfile.TemporaryFile(  # noqa: SIM115
            dir=self.folder, prefix="adaptive_nets_"
        )
        if self._array is not None:
            self._array[:rows].tofile(self._file)
            self._array = None

    def close(self) -> np.ndarray:
        """Returns the collected rows as an array or a memory map, which must not be written to."""
        shape = (self.rows, *self._like.shape[1:])
        if self._file is not None:
            self._file.flush()
            return np.memmap(self._file, dtype=self._like.dtype, mode="r+", shape=shape)
        if self._parts:
            parts, self._parts = self._parts, []
            return parts[0] if len(parts) == 1 else np.concatenate(parts)
        found, self._array = self._array, None
        if len(found) > self.rows:
            found.resize(shape, refcheck=False)
        return found


def as_tensor(array: np.ndarray) -> "tf.Tensor":
    """Returns an array as a tensor. For a memory map it reads the file without copying.

    Args:
        array: Rows, from a `Spool` or in memory.
    """
    import tensorflow as tf

    if isinstance(array, np.memmap):
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.convert_to_tensor(array)


def run_in_blocks(
    function: Callable, x: Any, block: int, make_store: Callable[[int], Spool]
) -> Any:
    """Runs a function over rows, block by block.

    Args:
        function: Function from features as tensors to a nested structure of tensors with as many
            rows.
        x: Features, rows first.
        block: Rows per block.
        make_store: Function from the number of rows to an empty `Spool`.

    Returns:
        Arrays of all rows, in the structure that the function returns.
    """
    import tensorflow as tf

    spools, flat = None, keras.tree.flatten(x)
    every = max(1, MAPPED_BYTES // max(1, block * sum(a[:1].nbytes for a in flat)))
    for number, start in enumerate(range(0, len(flat[0]), block), 1):
        piece = keras.tree.map_structure(
            lambda a, s=start: tf.convert_to_tensor(np.asarray(a[s : s + block])), x
        )
        if number % every == 0:
            for array in flat:
                release(array)
        out = function(piece)
        if spools is None:
            spools = keras.tree.map_structure(lambda _: make_store(len(flat[0])), out)
        for spool, tensor in zip(keras.tree.flatten(spools), keras.tree.flatten(out), strict=True):
            spool.append(tensor.numpy())
    return keras.tree.map_structure(lambda spool: spool.close(), spools)
