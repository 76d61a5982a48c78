"""Some rows of a table that may not fit into memory."""

import numpy as np
import pandas as pd

from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.data.tables.source import TableSource, as_frame


def some_rows(rows: Labelled, most: int, seed: int = 0) -> Labelled:
    """Returns rows that are drawn at random, in their order and in memory.

    Args:
        rows: The rows, whose table may be a `TableSource`.
        most: Most rows.
        seed: Seed of the draw. Defaults to `0`.
    """
    count = len(rows.x)
    index = np.arange(count)
    if count > most:
        index = np.sort(np.random.default_rng(seed).choice(count, most, replace=False))
    if not isinstance(rows.x, TableSource):
        return rows.take(index)
    parts, before = [], 0
    for batch in rows.x.batches():
        first, end = np.searchsorted(index, [before, before + batch.table.num_rows])
        parts.append(as_frame(batch.table.take(index[first:end] - before)))
        before += batch.table.num_rows
    table = pd.concat(parts, ignore_index=True)
    weights = None if rows.w is None else rows.w[index]
    return Labelled(table, rows.y[index], weights)
