"""What is drawn from a table that does not fit into memory, in one pass over its files."""

import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import logging

from adaptive_nets.automl.streaming.sides import Sides
from adaptive_nets.data.columns.values import EXACT
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.tables.source import TableSource

if TYPE_CHECKING:
    import pyarrow as pa

# Rows from which columns, their statistics and baselines are learnt, and most rows to hold out.
SAMPLE_ROWS, MOST_HELD = 200_000, 100_000
# So much more than the wanted share is kept while the number of rows is not known yet.
_SLACK = 1.1


@dataclasses.dataclass
class ColumnFacts:
    """What is known of all values of a column that were read.

    Args:
        missing: How many are missing.
        least: The least number, or `None`.
        most: The greatest number, or `None`.
    """

    missing: int = 0
    least: Any = None
    most: Any = None

    def add(self, values: "pa.ChunkedArray") -> None:
        """Adds the values of some rows."""
        import pyarrow as pa
        from pyarrow import compute

        self.missing += values.null_count
        kind = values.type
        if pa.types.is_floating(kind):
            self.missing += compute.sum(compute.is_nan(values)).as_py() or 0
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            return
        found = compute.min_max(values).as_py()
        if found["min"] is not None:
            self.least = found["min"] if self.least is None else min(self.least, found["min"])
            self.most = found["max"] if self.most is None else max(self.most, found["max"])


@dataclasses.dataclass(frozen=True)
class Drawn:
    """Rows that were drawn at random, and what is known of all.

    Args:
        sample: Training rows, to learn columns and statistics from.
        held: Rows that are held out.
        facts: What is known of each column.
        read: Number of rows that were read.
    """

    sample: "pa.Table"
    held: "pa.Table"
    facts: dict[str, ColumnFacts]
    read: int

    def amend(self, schema: Schema) -> Schema:
        """Returns the schema of the sample with what is known of all rows.

        Args:
            schema: The schema, as the sample shows it.
        """
        return dataclasses.replace(
            schema,
            features=tuple(map(self._amended, schema.features)),
            ignored=tuple(map(self._amended, schema.ignored)),
        )

    def _amended(self, feature):
        facts = self.facts.get(feature.name)
        if facts is None:
            return feature
        reason = f"{feature.reason} ({self.sample.num_rows:,} drawn rows)"
        changes = {"reason": reason}
        if feature.dtype != "string":
            changes["missing_share"] = facts.missing / self.read
        whole = isinstance(facts.least, int) and isinstance(facts.most, int)
        if whole and feature.dtype == "float64" and max(-facts.least, facts.most) > EXACT:
            # Numbers of the sample are floats without loss, and others are not.
            changes["dtype"] = "int64" if facts.most < 2**63 else "string"
        return dataclasses.replace(feature, **changes)


def draw_rows(
    source: TableSource, columns: Sequence[str], sides: Sides, seed: int, seconds: float
) -> Drawn:
    """Draws rows to hold out and rows to learn columns from, each row as probably as any other.

    Row groups are read in random order. Where there is not enough time for all of them, rows are
    drawn from those that were read.

    Args:
        source: The table.
        columns: Names of the columns.
        sides: Which rows are held out.
        seed: Seed of the order in which row groups are read.
        seconds: Time after which no further row group is read.
    """
    import pyarrow as pa

    began, read, held, sample, numbers = time.monotonic(), 0, [], [], []
    facts = {name: ColumnFacts() for name in columns}
    most = min(1.0, _SLACK * SAMPLE_ROWS / sides.rows)
    pieces, random = source.pieces, np.random.default_rng(seed)
    for place in random.permutation(len(pieces)):
        for batch in source.batches(columns, [pieces[place]]):
            is_held, trained, drawn = sides.divide(batch)
            read += len(drawn)
            for name in columns:
                facts[name].add(batch.table[name])
            held.append(batch.table.filter(pa.array(is_held)))
            wanted = trained & (drawn < most)
            sample.append(batch.table.filter(pa.array(wanted)))
            numbers.append(drawn[wanted])
        if time.monotonic() - began > seconds:
            break
    if read < source.rows:
        logging.warning(
            "Columns, their statistics and held-out rows come from %s of the %s rows: to read all "
            "of them would leave too little of the time limit. Allow more time to read them all.",
            f"{read:,}", f"{source.rows:,}",
        )  # fmt: skip
    order = np.argsort(np.concatenate(numbers))[:SAMPLE_ROWS]
    random.shuffle(order)
    whole = pa.concat_tables(sample).combine_chunks()
    return Drawn(whole.take(order), pa.concat_tables(held), facts, read)
