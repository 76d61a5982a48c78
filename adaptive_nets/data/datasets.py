"""Checks `tf.data` datasets and reads them into arrays."""

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets.data.rows import Features
from adaptive_nets.data.spool import MEMORY_LIMIT, Spool

if TYPE_CHECKING:
    import tensorflow as tf


def is_dataset(x: Any) -> bool:
    """Returns whether `x` is a `tf.data.Dataset`."""
    return hasattr(x, "element_spec")


def check_batched(dataset: "tf.data.Dataset") -> None:
    """Raises a `ValueError` unless a dataset is batched `(features, labels[, weights])`."""
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        raise ValueError(
            "A dataset must yield (features, labels) or (features, labels, weights). "
            f"Received: {type(spec).__name__}"
            + (f" of {len(spec)}." if isinstance(spec, tuple) else ".")
        )
    shapes = [s.shape for s in keras.tree.flatten(spec)]
    leading = {s[0] for s in shapes if s.rank}
    if any(s.rank == 0 for s in shapes) or len(leading - {None}) > 1:
        raise ValueError(
            "The dataset must be batched, but its elements have no common first axis. "
            "Call dataset.batch(batch_size) first."
        )


def is_endless(dataset: "tf.data.Dataset") -> bool:
    """Returns whether the dataset's cardinality is infinite."""
    return int(dataset.cardinality()) == -1


def read_dataset(
    dataset: "tf.data.Dataset", limit: int = MEMORY_LIMIT, folder: str | None = None
) -> tuple[Features, np.ndarray, np.ndarray | None]:
    """Reads a finite dataset once into raw `(x, y, weights or None)`, kept by `Spool`."""
    check_batched(dataset)
    unknown = int(dataset.cardinality()) == -2
    spools, structure = None, None
    for element in dataset.as_numpy_iterator():
        if spools is None:
            structure = element
            spools = [Spool(limit, folder) for _ in keras.tree.flatten(element)]
        for spool, batch in zip(spools, keras.tree.flatten(element), strict=True):
            spool.append(batch)
        if unknown and sum(s.bytes for s in spools) > 16 * limit:
            raise ValueError(
                "The dataset's length is unknown, and it has yielded more than "
                f"{16 * limit >> 30} GiB. If it is endless, add .repeat(); otherwise add "
                ".apply(tf.data.experimental.assert_cardinality(n))."
            )
    if spools is None:
        raise ValueError("The data is empty: expected at least one row. Received: 0 rows.")
    x, y, *w = keras.tree.pack_sequence_as(structure, [s.close() for s in spools])
    return x, y, (w[0] if w else None)


def dataset_batch_size(dataset: "tf.data.Dataset") -> int:
    """Returns the rows per batch, from the dataset's element spec or from its first batch."""
    static = keras.tree.flatten(dataset.element_spec)[0].shape[0]
    if static is not None:
        return int(static)
    for element in dataset.take(1):
        return int(keras.tree.flatten(element)[0].shape[0])
    raise ValueError("The data is empty: expected at least one row. Received: 0 rows.")
