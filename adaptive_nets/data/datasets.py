"""Checks `tf.data` datasets and reads them into arrays."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from absl import logging

from adaptive_nets._checks import check_array
from adaptive_nets.data.columns.alignment import check_aligned
from adaptive_nets.data.containers import unpack
from adaptive_nets.data.rows import Features
from adaptive_nets.data.spool import MEMORY_LIMIT, NO_LIMIT, Spool
from adaptive_nets.data.values import as_array, first_masked
from adaptive_nets.keras_internals import repeats
from adaptive_nets.machine import clock

if TYPE_CHECKING:
    import tensorflow as tf


def is_dataset(x: Any) -> bool:
    """Returns whether `x` is a `tf.data.Dataset`."""
    return hasattr(x, "element_spec") and hasattr(x, "cardinality")


def is_batched(x: Any) -> bool:
    """Returns whether `x` yields batches: a dataset, a `PyDataset`, a generator or an iterator."""
    return is_dataset(x) or isinstance(x, keras.utils.PyDataset) or hasattr(x, "__next__")


def check_batched(dataset: "tf.data.Dataset") -> None:
    """Raises a `ValueError` unless a dataset is batched `(features, labels[, weights])`."""
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        raise ValueError(
            "A dataset must yield (features, labels) or (features, labels, weights). "
            f"Received: {type(spec).__name__}"
            + (f" of {len(spec)}." if isinstance(spec, tuple) else ".")
        )
    shapes = _shapes(spec)
    leading = {s[0] for s in shapes if s.rank}
    if any(s.rank == 0 for s in shapes) or len(leading - {None}) > 1:
        raise ValueError(
            "The dataset must be batched, but its elements have no common first axis. "
            "Call dataset.batch(batch_size) first."
        )


def _shapes(spec):
    """Returns the shapes of a dataset's tensors; those that are sparse become arrays as well."""
    flat = keras.tree.flatten(spec)
    for part in flat:
        if type(part).__name__ not in ("TensorSpec", "SparseTensorSpec"):
            raise ValueError(
                "A dataset must yield tensors whose rows have one shape. Call .to_tensor() on "
                f"ragged ones in dataset.map. Received: {type(part).__name__}."
            )
    return [part.shape for part in flat]


def is_endless(dataset: Any) -> bool:
    """Returns whether a dataset's cardinality is infinite."""
    return is_dataset(dataset) and int(dataset.cardinality()) == -1


def count_batches(dataset: "tf.data.Dataset", most: int | None = None) -> int:
    """Returns the number of batches of a finite dataset.

    Args:
        dataset: The dataset.
        most: The most batches to read if the number is not known. Defaults to `None`: all.
    """
    known = int(dataset.cardinality())
    if known >= 0:
        return known
    return sum(1 for _ in (dataset if most is None else dataset.take(most)))


def stream_repetitions(
    dataset: "tf.data.Dataset", rows: int, requires_end: Callable[[], bool], batches: int = 0
) -> "tf.data.Dataset":
    """Returns a dataset that repeats others as an endless one if it is long, else as it is.

    To read all repetitions first may take hours. Those of an endless dataset are read as training
    goes on.

    Args:
        dataset: Finite dataset of batches.
        rows: With up to so many rows it is not long.
        requires_end: Function that returns whether the dataset has to stay finite.
        batches: With fewer batches, where their number is known, it is not long either. Defaults
            to 0.

    Raises:
        ValueError: The dataset repeats others, but has no batches.
    """
    if not repeats(dataset) or requires_end():
        return dataset
    check_batched(dataset)
    least = rows // dataset_batch_size(dataset) + 1
    if int(dataset.cardinality()) >= 0:
        least = max(least, batches)
    return dataset.repeat() if count_batches(dataset, least) >= least else dataset


@dataclasses.dataclass(frozen=True)
class ReadLimits:
    """How much of a dataset to read: more would not be used, or leave no time to use it.

    Args:
        batches: Most batches. Defaults to `None`: no limit.
        seconds: Seconds after which no further batch is read. Defaults to `None`: no limit.
        what: What is read, for messages. Defaults to `"x"`.
    """

    batches: int | None = None
    seconds: float | None = None
    what: str = "x"

    def apply(self, elements: Iterable) -> Iterator:
        """Yields elements within the limits, and at least one. Logs what has been left out."""
        began, rows = clock.now(), 0
        for number, element in enumerate(elements, 1):
            rows += len(keras.tree.flatten(element)[0])
            yield element
            if number == self.batches:
                logging.info(
                    "Read %d batches (%d rows): the steps that are allowed need no more.", number,
                    rows,
                )  # fmt: skip
                return
            elapsed = clock.now() - began
            if self.seconds is not None and elapsed > self.seconds:
                logging.warning(
                    "The dataset passed as %s was not read to its end, which would leave too "
                    "little of the time limit: after %.0f s the first %d rows are in use. Make it "
                    "faster, or allow more time.", self.what, elapsed, rows,
                )  # fmt: skip
                return


def read_dataset(
    dataset: "tf.data.Dataset",
    limit: int = MEMORY_LIMIT,
    folder: str | None = None,
    limits: ReadLimits | None = None,
) -> tuple[Features, np.ndarray, np.ndarray | None]:
    """Reads a finite dataset once into raw `(x, y, weights or None)`, kept by `Spool`."""
    check_batched(dataset)
    known = int(dataset.cardinality()) != -2
    if limits is not None and limits.batches is not None:
        # Nothing beyond it is fetched ahead of time.
        dataset = dataset.take(limits.batches)
    elements = dataset.as_numpy_iterator()
    if limits is not None:
        elements = limits.apply(elements)
    x, y, *w = _collect(elements, limit, folder, known)
    return x, y, (w[0] if w else None)


def read_batches(
    batches: Any, limit: int = MEMORY_LIMIT, limits: ReadLimits | None = None
) -> tuple[Features, np.ndarray, np.ndarray | None, int]:
    """Reads the batches of a `PyDataset`, a generator or an iterator once.

    Returns:
        Raw `(x, y, weights or None, rows of the first batch)`.

    Raises:
        ValueError: They are endless, or not `(features, labels[, weights])`.
    """
    sizes = []

    def labelled():
        for element in _iterate(batches):
            if not isinstance(element, tuple | list) or len(element) not in (2, 3):
                raise ValueError(
                    "Batches must be (features, labels) or (features, labels, weights). "
                    f"Received: {type(element).__name__}"
                    + (f" of {len(element)}." if isinstance(element, tuple | list) else ".")
                )
            check_aligned(*element)
            element = (plain_features(element[0]), *map(plain_labels, element[1:]))
            sizes.append(len(keras.tree.flatten(element[0])[0]))
            yield element

    elements = labelled() if limits is None else limits.apply(labelled())
    x, y, *w = _collect(elements, limit, None, False)
    return x, y, (w[0] if w else None), sizes[0]


def stream_features(
    batches: Any, inputs: int | None = None, numbers: int = 1 << 23, limit: int = MEMORY_LIMIT
) -> Iterator[Features]:
    """Yields the features of some batches at a time, leaving out labels and weights.

    Args:
        batches: Dataset, `PyDataset`, generator or iterator of features, or of tuples that begin
            with features.
        inputs: Number of arrays if features are a tuple of arrays. Defaults to `None`: they are
            not.
        numbers: About how many numbers to yield at a time. Defaults to 2^23.
        limit: A sixteenth of the bytes after which data of unknown length is taken for endless.

    Raises:
        ValueError: They are endless, or not batched.
    """
    if is_dataset(batches):
        if is_endless(batches):
            raise ValueError("The dataset must be finite. Add .take(n).")
        if any(shape.rank == 0 for shape in _shapes(batches.element_spec)):
            raise ValueError(
                "The dataset must be batched. Call dataset.batch(batch_size) first. "
                f"Received: elements of {batches.element_spec}."
            )
    unknown = is_dataset(batches) and int(batches.cardinality()) == -2
    held, count, total, first = [], 0, 0, 1
    for number, element in enumerate(_iterate(batches), 1):
        if isinstance(element, tuple | list):
            alone = len(element) == inputs and not isinstance(element[0], tuple | list | dict)
            element = tuple(element) if alone else element[0]
        held.append(plain_features(element))
        flat = keras.tree.flatten(held[-1])
        count += sum(part.size for part in flat)
        total += sum(part.nbytes for part in flat)
        if unknown:
            _refuse_endless(total, limit)
        if count >= numbers:
            yield _collect(held, NO_LIMIT, None, True, first)
            held, count, first = [], 0, number + 1
    if held or not total:
        yield _collect(held, NO_LIMIT, None, True, first)


def _iterate(batches):
    """Returns an iterator over batches."""
    if is_dataset(batches):
        return batches.as_numpy_iterator()
    if isinstance(batches, keras.utils.PyDataset):
        if batches.num_batches is None:
            raise ValueError(
                "A PyDataset must be finite: it must have a length. "
                "Received: one whose num_batches is None."
            )
        return (batches[k] for k in range(batches.num_batches))
    return (keras.tree.map_structure(_numpy, element) for element in batches)


def _numpy(value):
    return value.numpy() if hasattr(value, "numpy") else value


def plain_features(part: Any) -> Features | tuple[np.ndarray, ...]:
    """Returns the features of a batch as arrays; tables and rows with names as dicts of columns."""
    _check_not_none(part)
    if isinstance(part, Mapping):
        return {str(name): as_array(v, f"feature '{name}'") for name, v in part.items()}
    given = unpack(part)
    if given.layout == "columns":
        return {name: as_array(v, f"feature '{name}'") for name, v in given.parts.items()}
    if isinstance(part, list | tuple) and all(getattr(v, "ndim", 0) for v in part):
        return tuple(as_array(v, f"feature 'input_{k}'") for k, v in enumerate(part, start=1))
    return as_array(part, "features")


def plain_labels(part: Any) -> Any:
    """Returns the labels or weights of a batch as arrays, which the head reads later."""
    _check_not_none(part)
    if isinstance(part, Mapping):
        return {name: plain_labels(v) for name, v in part.items()}
    row = first_masked(part)
    if row is not None:
        raise ValueError(
            "Labels and weights of batches must not be masked. "
            f"Received: a masked value in row {row} of a batch."
        )
    array = check_array("y", part, "labels or weights, one for each row")
    # NumPy has turned numbers and NaN among the strings of a list into strings.
    mixed = array.dtype.kind in "US" and not hasattr(part, "dtype")
    return np.asarray(part, dtype=object) if mixed else array


def _check_not_none(part):
    if part is None:
        raise ValueError(
            "Batches must not hold None. Leave out labels or weights instead. Received: None."
        )


def _check_batch(number, structure, element):
    """Refuses a batch whose structure differs from that of the first, or that is not a batch."""
    flat = keras.tree.flatten(element)
    if any(np.ndim(part) == 0 for part in flat):
        raise ValueError(
            "The data must be batched: every array must begin with an axis of rows. "
            f"Received: a single value in batch {number}."
        )
    lengths = sorted({len(part) for part in flat})
    if len(lengths) > 1:
        raise ValueError(
            "Features and labels must have the same number of rows. Received: "
            f"{' and '.join(map(str, lengths))} rows in batch {number}."
        )
    wanted, given = _describe(structure), _describe(element)
    if wanted != given:
        raise ValueError(
            f"All batches must have the same features and labels: {wanted}. "
            f"Received: {given} in batch {number}."
        )


def _describe(element):
    if isinstance(element, Mapping):
        return "{" + ", ".join(f"{k}: {_describe(element[k])}" for k in sorted(element)) + "}"
    if isinstance(element, tuple | list):
        return "(" + ", ".join(map(_describe, element)) + ")"
    return "array"


def _collect(elements, limit, folder, known, first=1):
    """Collects batches of one structure into arrays of all rows."""
    spools, structure = None, None
    for number, element in enumerate(elements, start=first):
        if spools is None:
            structure = element
            spools = [Spool(limit, folder) for _ in keras.tree.flatten(element)]
        _check_batch(number, structure, element)
        for spool, batch in zip(spools, keras.tree.flatten(element), strict=True):
            spool.append(batch)
        if not known:
            _refuse_endless(sum(s.bytes for s in spools), limit)
    if spools is None:
        raise ValueError("The data is empty: expected at least one row. Received: 0 rows.")
    return keras.tree.pack_sequence_as(structure, [s.close() for s in spools])


def _refuse_endless(total, limit):
    if total > 16 * limit:
        raise ValueError(
            f"The dataset's length is unknown, and it has yielded more than {16 * limit >> 30} "
            "GiB. If it is endless, add .repeat(); otherwise add "
            ".apply(tf.data.experimental.assert_cardinality(n))."
        )


def dataset_batch_size(dataset: "tf.data.Dataset") -> int:
    """Returns the rows per batch, from the dataset's element spec or from its first batch."""
    static = keras.tree.flatten(dataset.element_spec)[0].shape[0]
    if static is not None:
        return int(static)
    for element in dataset.take(1):
        return int(keras.tree.flatten(element)[0].shape[0])
    raise ValueError("The data is empty: expected at least one row. Received: 0 rows.")
