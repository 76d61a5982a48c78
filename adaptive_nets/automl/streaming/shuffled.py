"""The training rows of a table that does not fit into memory, in random order, again and again."""

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from adaptive_nets.automl.streaming.sides import Sides
from adaptive_nets.data.tables.source import Batch, TableSource

if TYPE_CHECKING:
    import pyarrow as pa

# Rows that are mixed: from so many row groups at a time, so many of each, until there are so many.
WAYS, ROWS, MIXED_ROWS = 16, 1 << 14, 1 << 18
# A table of wide rows is mixed in fewer of them.
MIXED_BYTES = 1 << 27


def shuffled(
    source: TableSource, columns: Sequence[str], sides: Sides, seed: int
) -> Iterator["pa.Table"]:
    """Yields the rows to train on, without end, each time in another order.

    Row groups are read in random order, some at the same time, and the rows read last are mixed.

    Args:
        source: The table.
        columns: Names of the columns.
        sides: Which rows are trained on.
        seed: Seed of the order.
    """
    import pyarrow as pa

    random = np.random.default_rng(seed)
    held, count = [], 0
    most = int(np.clip(MIXED_BYTES // max(1, source.bytes // source.rows), ROWS, MIXED_ROWS))
    most = min(most, source.rows)
    read = list(dict.fromkeys([*columns, *([sides.column] if sides.column else [])]))
    for batch in _interleaved(source, read, random):
        table = batch.table.select(columns)
        if sides.column or sides.share:
            table = table.filter(pa.array(sides.divide(batch)[1]))
        held.append(table)
        count += table.num_rows
        if count >= most:
            mixed = pa.concat_tables(held).take(random.permutation(count))
            given = mixed.slice(0, count // 2).combine_chunks()
            held, count = [mixed.slice(count // 2).combine_chunks()], count - count // 2
            yield given


def _interleaved(
    source: TableSource, columns: Sequence[str], random: np.random.Generator
) -> Iterator[Batch]:
    """Yields batches of several row groups by turns, endlessly."""
    pieces = source.pieces
    queue = (pieces[k] for _ in itertools.count() for k in random.permutation(len(pieces)))
    started = (source.batches(columns, [piece], ROWS) for piece in queue)
    ways = [next(started) for _ in range(min(WAYS, len(pieces)))]
    while True:
        place = random.integers(len(ways))
        batch = next(ways[place], None)
        if batch is None:
            ways[place] = next(started)
        else:
            yield batch
