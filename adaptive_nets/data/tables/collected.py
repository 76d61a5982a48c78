"""Datasets of rows, of `tf.data` or Ray, written to Parquet files so that they are read again."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from adaptive_nets._checks import show
from adaptive_nets.data.tables.parquet_file import rebatched
from adaptive_nets.data.tables.source import TableSource

if TYPE_CHECKING:
    import pyarrow as pa

# Rows of a row group, and of a file.
GROUP_ROWS, FILE_ROWS = 1 << 16, 1 << 21


def is_collected(given: Any) -> bool:
    """Returns whether something is a dataset of rows that has to be read to be known."""
    return is_ray(given) or (hasattr(given, "element_spec") and hasattr(given, "cardinality"))


def is_ray(given: Any) -> bool:
    """Returns whether something is a `ray.data.Dataset`."""
    return type(given).__module__.startswith("ray.data") and hasattr(given, "iter_batches")


def collect(given: Any, start: int = 0) -> TableSource:
    """Reads a dataset once, and keeps its rows in temporary files.

    Args:
        given: A `ray.data.Dataset`, or a finite `tf.data.Dataset` of dicts of columns, batched or
            row by row.
        start: Number of rows before these, if they are a part of a larger table, whose row groups
            end where those of the whole table do. Defaults to 0.

    Raises:
        ValueError: It is empty, endless, or its elements are not dicts of one value a row.
    """
    if is_ray(given):
        tables = given.iter_batches(batch_format="pyarrow", batch_size=GROUP_ROWS)
        tables = rebatched(tables, GROUP_ROWS, GROUP_ROWS - start % GROUP_ROWS)
        return write_parts(tables, f"a ray.data.{type(given).__name__}")
    return write_parts(_tables(_checked(given)), "a tf.data.Dataset")


def _checked(dataset):
    """Returns a dataset in batches."""
    spec, words = dataset.element_spec, "dicts of columns, with the target among them"
    if not isinstance(spec, Mapping):
        parts = type(spec).__name__ if not isinstance(spec, tuple) else f"tuples of {len(spec)}"
        raise ValueError(
            f"A tf.data.Dataset of a table must yield {words}: use dataset.map. Received: {parts}."
        )
    if int(dataset.cardinality()) == -1:
        raise ValueError("The tf.data.Dataset must be finite. Add .take(n). Received: endless.")
    ranks = set()
    for name, part in spec.items():
        rank = getattr(getattr(part, "shape", None), "rank", None)
        wide = rank == 2 and part.shape[1] == 1
        if type(part).__name__ != "TensorSpec" or rank not in (0, 1, 2) or (rank == 2 and not wide):
            raise ValueError(
                f"A tf.data.Dataset of a table must yield {words}, each with one value a row. "
                f"Received: {name!r} as {part}."
            )
        ranks.add(min(rank, 1))
    if len(ranks) > 1:
        raise ValueError(
            "The columns of a tf.data.Dataset must be batched alike. Received: single values and "
            "batches."
        )
    return dataset if ranks == {1} else dataset.batch(GROUP_ROWS)


def _tables(dataset: Any) -> Iterator["pa.Table"]:
    import pyarrow as pa

    for batch in dataset.as_numpy_iterator():
        lengths = {len(values) for values in batch.values()}
        if len(lengths) > 1:
            raise ValueError(
                "The columns of a tf.data.Dataset must be equally long. "
                f"Received: {' and '.join(map(str, sorted(lengths)))} rows in a batch."
            )
        yield pa.table({str(name): _column(name, values) for name, values in batch.items()})


def _column(name, values):
    import pyarrow as pa

    values = np.asarray(values).reshape(-1)
    if values.dtype != object:
        return pa.array(values)
    try:
        return pa.array(values, pa.binary()).cast(pa.string())
    except pa.ArrowException as error:
        raise ValueError(
            f"Text of a tf.data.Dataset must be UTF-8. Received: {name!r} with {show(values[0])}."
        ) from error


def write_parts(tables: Iterable["pa.Table"], name: str) -> TableSource:
    """Writes tables to Parquet files in a temporary folder, which is kept as long as the source.

    Args:
        tables: Tables of the same columns.
        name: What they come from, for messages.

    Raises:
        ValueError: There are no rows.
    """
    from pyarrow import parquet

    folder = tempfile.TemporaryDirectory(prefix="adaptive_nets_")
    writer, paths, rows = None, [], 0
    try:
        for table in tables:
            if not table.num_rows:
                continue
            full = writer is not None and (rows >= FILE_ROWS or table.schema != writer.schema)
            if full:
                writer.close()
            if writer is None or full:
                paths.append(os.path.join(folder.name, f"part-{len(paths):05d}.parquet"))
                rows = 0
                writer = parquet.ParquetWriter(paths[-1], table.schema, compression="lz4")
            writer.write_table(table, row_group_size=GROUP_ROWS)
            rows += table.num_rows
    except BaseException:
        folder.cleanup()
        raise
    finally:
        if writer is not None:
            writer.close()
    if not paths:
        raise ValueError(f"The table is empty: expected at least one row. Received: {name}.")
    return TableSource.of_files(paths, name, folder)
