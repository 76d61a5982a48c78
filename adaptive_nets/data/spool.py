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


class Spool:
    """Collects batches of rows into one array, on disk once it exceeds `limit` bytes.

    Args:
        limit: Maximum number of bytes held in memory.
        folder: Folder for files. Defaults to `None`: the system's temporary folder.
    """

    def __init__(self, limit: int, folder: str | None = None):
        self.limit, self.folder = limit, folder
        self.rows = self.bytes = 0
        self._parts, self._file, self._like = [], None, None

    def append(self, batch: np.ndarray) -> None:
        batch = np.ascontiguousarray(batch)
        if self._like is None:
            self._like = batch[:0]
        elif batch.shape[1:] != self._like.shape[1:]:
            raise ValueError(
                "All batches of a dataset must have rows of the same shape. Received: rows of "
                f"shape {batch.shape[1:]} after {self._like.shape[1:]}."
            )
        if batch.dtype != self._like.dtype:
            batch = self._of_one_dtype(batch)
        self.rows += len(batch)
        self.bytes += batch.nbytes
        self._parts.append(batch)
        if self._file is not None or (self.bytes > self.limit and batch.dtype != object):
            self._spill()

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
            self._parts = [part.astype(common) for part in self._parts]
        return batch.astype(common)

    def _spill(self):
        if self._file is None:
            # Unlinked at once, so that the space is freed however the process ends. It stays open
            # for the memory map, so no `with` block can close it.
            self._file = tempfile.TemporaryFile(  # noqa: SIM115
                dir=self.folder, prefix="adaptive_nets_"
            )
        for part in self._parts:
            part.tofile(self._file)
        self._parts = []

    def close(self) -> np.ndarray:
        """Returns the collected rows as an array or a memory map, which must not be written to."""
        if self._file is None:
            parts, self._parts = self._parts, []
            return parts[0] if len(parts) == 1 else self._joined(parts)
        self._file.flush()
        shape = (self.rows, *self._like.shape[1:])
        return np.memmap(self._file, dtype=self._like.dtype, mode="r+", shape=shape)

    def _joined(self, parts):
        """Returns the rows of parts, each of which is freed once it is copied."""
        found, start = np.empty((self.rows, *self._like.shape[1:]), self._like.dtype), 0
        for place, part in enumerate(parts):
            found[start : start + len(part)] = part
            start, parts[place] = start + len(part), None
            del part
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


def run_in_blocks(function: Callable, x: Any, block: int, make_store: Callable[[], Spool]) -> Any:
    """Runs a function over rows, block by block.

    Args:
        function: Function from features as tensors to a nested structure of tensors with as many
            rows.
        x: Features, rows first.
        block: Rows per block.
        make_store: Function that returns an empty `Spool`.

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
            spools = keras.tree.map_structure(lambda _: make_store(), out)
        for spool, tensor in zip(keras.tree.flatten(spools), keras.tree.flatten(out), strict=True):
            spool.append(tensor.numpy())
    return keras.tree.map_structure(lambda spool: spool.close(), spools)
