"""Which rows of a table that does not fit into memory are held out, and which are trained on."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from adaptive_nets.automl.clusters.shares import Shares
from adaptive_nets.automl.judging.division import Division
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.streaming.target import plain_labels
from adaptive_nets.automl.targets import Classes, Target
from adaptive_nets.data.tables.source import Batch, as_frame, draw

if TYPE_CHECKING:
    import pyarrow as pa

# Different values that are counted before those of the same value are put together.
_COUNTED = 1 << 22


@dataclasses.dataclass(frozen=True)
class Sides:
    """Rows held out at random; every row is on the same side whenever it is read.

    Args:
        share: Share of the rows that is held out.
        seed: Seed by which they are drawn.
        rows: Number of the training rows.
        column: A column by whose values rows are held out. Defaults to `None`: at random.
    """

    share: float
    seed: int
    rows: int
    column: str | None = None

    def divide(self, batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Divides some rows.

        Args:
            batch: The rows.

        Returns:
            Which rows are held out, which are trained on, and a random number in [0, 1) for each
            of the latter.
        """
        drawn = draw(batch, self.seed)
        held = drawn < self.share
        return held, ~held, (drawn - self.share) / (1 - self.share)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SidesByValue(Sides):
    """Rows held out by the values of a column.

    Args:
        share: Share that is kept of the rows with values to hold out, of which there may be many.
        seed: Seed by which these are drawn.
        rows: Number of the training rows.
        column: The column.
        held: Values of the rows to hold out.
        left: Values of the rows to leave out.
    """

    held: "pa.Array"
    left: "pa.Array"

    def divide(self, batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        drawn, values = draw(batch, self.seed), batch.table[self.column]
        held = _among(values, self.held)
        return held & (drawn < self.share), ~(held | _among(values, self.left)), drawn


def make_sides(
    shares: Shares, target: Target, division: Division, share: float, seed: int, most: int
) -> Sides:
    """Returns which rows are held out.

    Args:
        shares: The table.
        target: The target.
        division: What `fit` was told about it.
        share: Share of the rows to hold out, or 0 if there are others.
        seed: Seed of random choices.
        most: Most rows to hold out.

    Raises:
        ValueError: The rows cannot be divided so.
    """
    if division.is_random or not share:
        return Sides(share, seed, max(1, round((1 - share) * shares.rows)))
    column = division.column
    entries = _entries(shares, [column, *([target.name] if isinstance(target, Classes) else [])])
    frame = as_frame(entries.select([0]).rename_columns([column]))
    labels = np.zeros(len(frame))
    if isinstance(target, Classes):
        labels = target.plain(plain_labels(entries["1"]))
    counts, first = (entries[name].to_numpy() for name in ("rows_sum", "row_min"))
    by = division.read(frame, frame, counts, first)
    kept, held = division.split(Labelled(frame, labels, None, by), target, seed, counts, share)
    values = entries["0"].combine_chunks()
    left = np.ones(len(values), bool)
    left[kept] = left[held] = False
    return SidesByValue(
        min(1.0, most / counts[held].sum()), seed, int(counts[kept].sum()), column,
        held=values.take(held).unique(), left=values.take(np.flatnonzero(left)).unique(),
    )  # fmt: skip


def _entries(shares: Shares, columns: list[str]) -> "pa.Table":
    """Returns the different values of columns, named by number, with rows and the first row."""
    import pyarrow as pa

    parts = shares.together.gather(lambda: {"counted": _own_entries(shares, columns)})
    return _counted(pa.concat_tables([part["counted"] for part in parts]))


def _own_entries(shares, columns):
    """Returns the same of the rows that this process reads."""
    import pyarrow as pa

    names = [str(place) for place in range(len(columns))]
    found, most = [], _COUNTED
    for batch in shares.batches(columns):
        rows = batch.table.num_rows
        table = batch.table.select(columns).rename_columns(names)
        first = np.arange(batch.start, batch.start + rows)
        table = table.append_column("row_min", pa.array(first))
        found.append(_counted(table.append_column("rows_sum", pa.array(np.ones(rows, "int64")))))
        if sum(each.num_rows for each in found) > most:
            found = [_counted(pa.concat_tables(found))]
            # Not after every batch, where most values differ.
            most = max(_COUNTED, 2 * found[0].num_rows)
    return _counted(pa.concat_tables(found))


def _counted(table: "pa.Table") -> "pa.Table":
    names = [name for name in table.column_names if name not in ("row_min", "rows_sum")]
    groups = table.group_by(names, use_threads=False)
    return (
        groups.aggregate([("row_min", "min"), ("rows_sum", "sum")])
        .select([*names, "row_min_min", "rows_sum_sum"])
        .rename_columns([*names, "row_min", "rows_sum"])
    )


def _among(values: "pa.ChunkedArray", known: "pa.Array") -> np.ndarray:
    from pyarrow import compute

    return compute.is_in(values, value_set=known).to_numpy()
