"""The target of a table that does not fit into memory, learnt from all of its values."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from adaptive_nets._seeds import derive_seed
from adaptive_nets.automl.targets import Target
from adaptive_nets.data.columns.naming import some
from adaptive_nets.data.tables.source import Batch, TableSource, as_frame

if TYPE_CHECKING:
    import pyarrow as pa

# Values of the target that are drawn, and so many different ones of text that may be classes.
_DRAWN, _MOST_DIFFERENT = 200_000, 100_000


def learn_target(
    source: TableSource,
    name: str,
    learn: Callable[[np.ndarray, str], Target],
    seed: int,
    classes: bool,
) -> Target:
    """Learns the target from a sample of its values, its extremes and all different ones of text.

    Args:
        source: The table.
        name: Name of the target's column.
        learn: Function from labels and the target's name to the target.
        seed: Seed of the sample.
        classes: Whether the target is classes, each of which has to be known.

    Raises:
        ValueError: There is no such column, labels are missing, or they are no such target.
    """
    check_column(source, name)
    share, random = _DRAWN / source.rows, np.random.default_rng(derive_seed(seed, "labels"))
    drawn, extremes, different = [], [], {}
    for batch in source.batches([name]):
        column = _present(batch, name)
        values = plain_labels(column)
        drawn.append(values[random.random(len(values)) < share])
        if values.dtype.kind in "iuf":
            extremes += [values.min(), values.max()]
        if classes and values.dtype.kind != "f" and len(different) <= _MOST_DIFFERENT:
            different |= dict.fromkeys(column.unique().to_pylist())
    found = np.concatenate(drawn)
    if extremes:
        found = np.concatenate([found, np.array([min(extremes), max(extremes)], found.dtype)])
    if different:
        kind = object if found.dtype == object else found.dtype
        found = np.concatenate([found, np.array(list(different), dtype=kind)])
    target = learn(found, name)
    if found.dtype == object:
        _check(source, name, target)
    return target


def _check(source, name, target):
    """Refuses text that is no class, or no number, before work."""
    for batch, labels in read_labels(source, name):
        try:
            target.encode(target.plain(labels))
        except ValueError as error:
            raise ValueError(f"{error} (of {batch.where})") from error


def read_labels(source: TableSource, name: str) -> Iterator[tuple[Batch, np.ndarray]]:
    """Yields the labels of some rows at a time.

    Args:
        source: The table.
        name: Name of the target's column.

    Raises:
        ValueError: Labels are missing.
    """
    for batch in source.batches([name]):
        yield batch, plain_labels(_present(batch, name))


def _present(batch: Batch, name: str) -> "pa.ChunkedArray":
    """Returns labels, none of which is missing."""
    from pyarrow import compute

    column = batch.table[name]
    missing = compute.is_null(column, nan_is_null=True)
    count = compute.sum(missing).as_py()
    if count:
        row = compute.index(missing, True).as_py()
        raise ValueError(
            f"Input y contains NaN: the target {name!r} is missing in {count} of "
            f"{batch.where}, first in row {batch.piece.first + batch.first + row}. Leave these "
            "rows out of the file."
        )
    return column


def all_labels(source: TableSource, name: str) -> np.ndarray:
    """Returns the labels of all rows.

    Args:
        source: The table.
        name: Name of the target's column.

    Raises:
        ValueError: There is no such column, or labels are missing.
    """
    check_column(source, name)
    return np.concatenate([labels for _, labels in read_labels(source, name)])


def plain_labels(column: "pa.ChunkedArray") -> np.ndarray:
    """Returns labels as an array; equal texts are one object, so that they take little room."""
    import pyarrow as pa

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        coded = column.combine_chunks().dictionary_encode()
        words = np.array(coded.dictionary.to_pylist(), dtype=object)
        return words[coded.indices.to_numpy()]
    return as_frame(pa.table({"y": column}))["y"].to_numpy()


def check_column(source: TableSource, name: Any) -> None:
    """Refuses a target that is not a column of the table.

    Args:
        source: The table.
        name: What was passed for the target.

    Raises:
        ValueError: There is no such column.
    """
    if not isinstance(name, str):
        raise ValueError(
            f"The table does not fit into memory ({source.rows:,} rows of {source.name}), so y "
            f"must be the name of one of its columns. Received: {type(name).__name__}."
        )
    if name not in source.names:
        import difflib

        near = difflib.get_close_matches(name, source.names, n=1)
        hint = f" (is it {near[0]!r}?)" if near else ""
        raise ValueError(
            f"The table has no column {name!r}{hint}. Received: columns {some(source.names)}."
        )
    if len(source.names) < 2:
        raise ValueError(
            "A table must have a target and at least one other column. "
            f"Received: the column {name!r} alone."
        )


def split(frame: pd.DataFrame, name: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Returns the features of some rows, and their labels.

    Args:
        frame: The rows.
        name: Name of the target's column.
    """
    return frame.drop(columns=name), frame[name].to_numpy()
