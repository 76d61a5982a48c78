"""What is drawn from a table that does not fit into memory, in one pass over its files."""

import dataclasses
import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import logging

from adaptive_nets.automl.clusters.shares import Shares
from adaptive_nets.automl.streaming.sides import Sides
from adaptive_nets.data.columns.values import EXACT
from adaptive_nets.data.schema import Schema

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
        self.join(ColumnFacts(0, found["min"], found["max"]))

    def join(self, other: "ColumnFacts") -> None:
        """Adds what is known of other rows."""
        self.missing += other.missing
        if other.least is not None:
            self.least = other.least if self.least is None else min(self.least, other.least)
            self.most = other.most if self.most is None else max(self.most, other.most)


@dataclasses.dataclass(frozen=True)
class Drawn:
    """Rows that were drawn at random, and what is known of all.

    Args:
        sample: Training rows, to learn columns and statistics from.
        held: Rows that are held out.
        facts: What is known of each column.
        read: Number of rows that were read.
        trained: About how many training rows each lane has; exactly, if all rows were read.
    """

    sample: "pa.Table"
    held: "pa.Table"
    facts: dict[str, ColumnFacts]
    read: int
    trained: tuple[float, ...]

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
    shares: Shares, columns: Sequence[str], sides: Sides, seed: int, seconds: float
) -> Drawn:
    """Draws rows to hold out and rows to learn columns from, each row as probably as any other.

    Row groups are read in random order. Where there is not enough time for all of them, rows are
    drawn from those that were read.

    Args:
        shares: The table.
        columns: Names of the columns.
        sides: Which rows are held out.
        seed: Seed of the order in which row groups are read.
        seconds: Time after which no further row group is read.
    """
    import pyarrow as pa

    until = time.monotonic() + seconds
    parts = shares.together.gather(lambda: _own_rows(shares, columns, sides, seed, until))
    told = [json.loads(part["told"]["told"][0].as_py()) for part in parts]
    read = sum(each["read"] for each in told)
    if read < shares.rows:
        logging.warning(
            "Columns, their statistics and held-out rows come from %s of the %s rows: to read all "
            "of them would leave too little of the time limit. Allow more time to read them all.",
            f"{read:,}", f"{shares.rows:,}",
        )  # fmt: skip
    sample, numbers, held, rows = (
        pa.concat_tables([part[name] for part in parts]).combine_chunks()
        for name in ("sample", "numbers", "held", "rows")
    )
    # In the order of random numbers: also in a random order.
    chosen = np.argsort(numbers["number"].to_numpy())[:SAMPLE_ROWS]
    order = np.argsort(rows["row"].to_numpy())
    facts = {name: ColumnFacts() for name in columns}
    for each in told:
        for name, values in each["facts"].items():
            facts[name].join(ColumnFacts(**values))
    lanes = [count for each in told for count in each["lanes"]]
    trained = _estimated(lanes, [np.diff(shares.bounds(k))[0] for k in range(shares.lanes)])
    return Drawn(sample.take(chosen), held.take(order), facts, read, trained)


def _own_rows(shares, columns, sides, seed, until):
    """Returns what is drawn from the rows that this process reads, and what is known of them."""
    import pyarrow as pa

    source, facts = shares.source, {name: ColumnFacts() for name in columns}
    found = {"sample": [], "numbers": [], "held": [], "rows": []}
    most = min(1.0, _SLACK * SAMPLE_ROWS / sides.rows)
    pieces = [(lane, piece) for lane in shares.own for piece in shares.pieces(lane)]
    lanes = {lane: [0, 0] for lane in shares.own}
    for place in np.random.default_rng(seed).permutation(len(pieces)):
        lane, piece = pieces[place]
        for batch in source.batches(columns, [piece]):
            is_held, trained, drawn = sides.divide(batch)
            lanes[lane][0] += len(drawn)
            lanes[lane][1] += int(trained.sum())
            for name in columns:
                facts[name].add(batch.table[name])
            wanted = trained & (drawn < most)
            found["held"].append(batch.table.filter(pa.array(is_held)))
            found["rows"].append(pa.table({"row": batch.start + np.flatnonzero(is_held)}))
            found["sample"].append(batch.table.filter(pa.array(wanted)))
            found["numbers"].append(pa.table({"number": drawn[wanted]}))
        if time.monotonic() > until:
            break
    told = {
        "read": sum(read for read, _ in lanes.values()),
        "lanes": list(lanes.values()),
        "facts": {name: dataclasses.asdict(each) for name, each in facts.items()},
    }
    joined = {name: pa.concat_tables(tables) for name, tables in found.items()}
    return {"told": pa.table({"told": [json.dumps(told)]}), **joined}


def _estimated(lanes, rows):
    """Returns the training rows of lanes of which some rows were read."""
    read, trained = (sum(each) for each in zip(*lanes, strict=True))
    shares = [own / seen if seen else trained / read for seen, own in lanes]
    return tuple(float(share * count) for share, count in zip(shares, rows, strict=True))
