"""The target of a table that does not fit into memory, learnt from all of its values."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from adaptive_nets._seeds import derive_seed
from adaptive_nets.automl.clusters.shares import Shares
from adaptive_nets.automl.targets import Target
from adaptive_nets.data.columns.naming import some
from adaptive_nets.data.tables.source import Batch, TableSource, as_frame, draw

if TYPE_CHECKING:
    import pyarrow as pa

# Values of the target that are drawn, and so many different ones of text that may be classes.
_DRAWN, _MOST_DIFFERENT = 200_000, 100_000
# Different values of so many batches are put together at a time.
_JOINED = 64


def learn_target(
    shares: Shares,
    name: str,
    learn: Callable[[np.ndarray, str], Target],
    seed: int,
    classes: bool,
) -> Target:
    """Learns the target from a sample of its values, its extremes and all different ones of text.

    Args:
        shares: The table.
        name: Name of the target's column.
        learn: Function from labels and the target's name to the target.
        seed: Seed of the sample.
        classes: Whether the target is classes, each of which has to be known.

    Raises:
        ValueError: There is no such column, labels are missing, or they are no such target.
    """
    import pyarrow as pa

    check_column(shares.source, name)
    parts = shares.together.gather(
        lambda: _values(shares, name, derive_seed(seed, "labels"), classes)
    )
    drawn, extremes, different = (
        plain_labels(pa.concat_tables([part[each] for part in parts])["y"])
        for each in ("drawn", "extremes", "different")
    )
    found = drawn
    if len(extremes):
        found = np.concatenate([found, np.array([extremes.min(), extremes.max()], found.dtype)])
    if len(different):
        found = np.concatenate([found, pd.unique(different)])
    target = learn(found, name)
    if found.dtype == object:
        shares.together.gather(lambda: _check(shares, name, target))
    return target


def _values(shares, name, seed, classes):
    """Returns drawn values of the target, extremes of numbers and different ones of the others."""
    import pyarrow as pa

    share, known = _DRAWN / shares.rows, 0
    drawn, extremes, different = [], [], []
    for batch in shares.batches([name]):
        column = _present(batch, name)
        values = plain_labels(column)
        drawn.append(column.filter(pa.array(draw(batch, seed) < share)))
        ends = [values.argmin(), values.argmax()] if values.dtype.kind in "iuf" else []
        extremes.append(column.take(pa.array(ends, "int64")))
        if classes and values.dtype.kind != "f" and known <= _MOST_DIFFERENT:
            different.append(column.unique())
            known += len(different[-1])
        if len(different) > _JOINED:
            different = [pa.chunked_array(different).unique()]
            known = len(different[0])
    kind = shares.source.schema.field(name).type
    found = {"drawn": drawn, "extremes": extremes, "different": different}
    return {each: pa.table({"y": _joined(parts, kind)}) for each, parts in found.items()}


def _joined(parts, kind):
    """Returns columns of a type as one."""
    import pyarrow as pa

    chunks = [chunk for part in parts for chunk in getattr(part, "chunks", [part])]
    return pa.chunked_array(chunks, kind)


def _check(shares, name, target):
    """Refuses text that is no class, or no number, before work."""
    for batch, labels in read_labels(shares.batches([name]), name):
        try:
            target.encode(target.plain(labels))
        except ValueError as error:
            raise ValueError(f"{error} (of {batch.where})") from error
    return {}


def read_labels(batches: Iterable[Batch], name: str) -> Iterator[tuple[Batch, np.ndarray]]:
    """Yields the labels of some rows at a time.

    Args:
        batches: Rows of the table.
        name: Name of the target's column.

    Raises:
        ValueError: Labels are missing.
    """
    for batch in batches:
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
    found = read_labels(source.batches([name]), name)
    return np.concatenate([labels for _, labels in found])


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
