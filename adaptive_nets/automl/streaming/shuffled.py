"""The training rows of a table that does not fit into memory, in random order, again and again."""

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from adaptive_nets.automl.streaming.sides import Sides
from adaptive_nets.data.tables.parquet_file import Piece
from adaptive_nets.data.tables.source import Batch, TableSource

if TYPE_CHECKING:
    import pyarrow as pa

# Rows that are mixed: from so many row groups at a time, so many of each, until there are so many.
WAYS, ROWS, MIXED_ROWS = 16, 1 << 14, 1 << 18
# A table of wide rows is mixed in fewer of them.
MIXED_BYTES = 1 << 27


def shuffled(
    source: TableSource,
    columns: Sequence[str],
    sides: Sides,
    seed: int,
    pieces: Sequence[Piece],
    lanes: int = 1,
) -> Iterator["pa.Table"]:
    """Yields the rows to train on, without end, each time in another order.

    Row groups are read in random order, some at the same time, and the rows read last are mixed.

    Args:
        source: The table.
        columns: Names of the columns.
        sides: Which rows are trained on.
        seed: Seed of the order.
        pieces: The row groups to read. Some of their rows are to train on.
        lanes: How many parts of the table are read side by side, of which each gets its share of
            the memory. Defaults to 1.
    """
    import pyarrow as pa

    random = np.random.default_rng(seed)
    held, count, since = [], 0, 0
    most = int(np.clip(MIXED_BYTES // max(1, source.bytes // source.rows), ROWS, MIXED_ROWS))
    most = min(most // lanes, sum(piece.rows for piece in pieces))
    read = list(dict.fromkeys([*columns, *([sides.column] if sides.column else [])]))
    for batch in _interleaved(source, read, random, pieces, max(2, WAYS // lanes)):
        table = batch.table.select(columns)
        if sides.column or sides.share:
            table = table.filter(pa.array(sides.divide(batch)[1]))
        held.append(table)
        count += table.num_rows
        since = 0 if table.num_rows else since + batch.table.num_rows
        if since > 2 * sum(piece.rows for piece in pieces):
            raise ValueError(
                f"A part of {source.name} has no rows to train on: all of them are held out. Mix "
                "the rows of the table, or allow more time, so that all of them are read before."
            )
        if count and count >= most:
            mixed = pa.concat_tables(held).take(random.permutation(count))
            given = mixed.slice(0, -(-count // 2)).combine_chunks()
            held, count = [mixed.slice(given.num_rows).combine_chunks()], count // 2
            yield given


def _interleaved(
    source: TableSource,
    columns: Sequence[str],
    random: np.random.Generator,
    pieces: Sequence[Piece],
    most: int,
) -> Iterator[Batch]:
    """Yields batches of several row groups by turns, endlessly."""
    queue = (pieces[k] for _ in itertools.count() for k in random.permutation(len(pieces)))
    started = (source.batches(columns, [piece], ROWS) for piece in queue)
    ways = [next(started) for _ in range(min(most, len(pieces)))]
    while True:
        place = random.integers(len(ways))
        batch = next(ways[place], None)
        if batch is None:
            ways[place] = next(started)
        else:
            yield batch
