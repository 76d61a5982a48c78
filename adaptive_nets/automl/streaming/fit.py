"""`fit_source`: a fit on a table that does not fit into memory."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd

from adaptive_nets._checks import show
from adaptive_nets._seeds import derive_seed
from adaptive_nets.automl.clusters.shares import Shares
from adaptive_nets.automl.deciding.asked import Asked
from adaptive_nets.automl.fitted import Fitted
from adaptive_nets.automl.fitting import Fitting
from adaptive_nets.automl.judging.division import Division, check_named
from adaptive_nets.automl.judging.splits import held_out_fraction
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.searching import batch_size
from adaptive_nets.automl.settings import Settings
from adaptive_nets.automl.streaming.drawn import MOST_HELD, Drawn, draw_rows
from adaptive_nets.automl.streaming.shuffled import shuffled
from adaptive_nets.automl.streaming.sides import make_sides
from adaptive_nets.automl.streaming.target import split
from adaptive_nets.automl.targets import Target
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.tables.row_stream import Part, RowStream
from adaptive_nets.data.tables.source import TableSource, as_frame

# At most this share of a time limit is for reading all rows once.
_READING_SHARE = 0.3
# Training rows that a search looks at before it trains.
_FIRST_ROWS = 4096


_INSTEAD = {
    "groups": "Pass the name of a column",
    "time": "Pass the name of a column",
    "sample_weight": "Leave it out",
    "folds": "Leave it out",
}


def check_source(
    source: TableSource, target: Any, division: Division, weights: Any, settings: Settings
) -> None:
    """Refuses arguments that need all rows at once, before work.

    Args:
        source: The table.
        target: Name of the target.
        division: Which rows are to be held out.
        weights: What was passed for `sample_weight`.
        settings: The estimator's settings.

    Raises:
        ValueError: There is such an argument.
    """
    given = {
        "groups": division.groups, "time": division.time, "sample_weight": weights,
        "folds": settings.folds,
    }  # fmt: skip
    for name, value in given.items():
        if name in ("groups", "time") and isinstance(value, str):
            check_named(name, value, [each for each in source.names if each != target])
        elif value is not None:
            raise ValueError(
                f"{name} needs all rows in memory, and {source.name} has {source.rows:,} rows of "
                f"about {source.bytes / 2**30:.1f} GiB, which are streamed. {_INSTEAD[name]}, or "
                f"pass a DataFrame of fewer rows. Received: {name}={show(value)}."
            )


class SourceRows:
    """The rows of a source: those that are drawn, and the stream of all others.

    Args:
        shares: The table.
        target: The target.
        seed: The estimator's seed.
        division: How rows are held out.
        held: Share of the rows to hold out.
        until: When no further rows are read to draw from, by `time.monotonic`.
    """

    def __init__(
        self,
        shares: Shares,
        target: Target,
        seed: int,
        division: Division,
        held: float,
        until: float,
    ):
        self.shares, self.target, self._groups = shares, target, division.groups
        held_seed = derive_seed(seed, "held out")
        self._order = derive_seed(seed, "order of rows")
        self._sides = make_sides(shares, target, division, held, held_seed, MOST_HELD)
        left = until - time.monotonic()
        self.drawn: Drawn = draw_rows(shares, shares.source.names, self._sides, held_seed, left)

    def labelled(self, table: Any) -> Labelled:
        """Returns drawn rows with labels."""
        x, y = split(as_frame(table), self.target.name)
        by = pd.factorize(x[self._groups])[0] if self._groups in x else None
        return Labelled(x, self.target.plain(y), None, by)

    def stream(self, schema: Schema, sample: Labelled, asked: Asked) -> RowStream:
        """Returns the training rows as a stream.

        Args:
            schema: How the table is read.
            sample: The sample of the training rows.
            asked: What classes weigh.
        """
        columns, shares = [*(f.name for f in schema.features), self.target.name], self.shares
        read, weights = regions(self.drawn.trained)
        weighed = asked.weigh(sample).w
        mean = 1.0 if weighed is None else weighed.mean()
        pieces = {lane: shares.pieces(read[lane]) for lane in shares.own}
        shares.together.in_step(lambda: _check_pieces(pieces, shares))

        def make(skipped: int, lane: int) -> Iterator[Part]:
            seed = derive_seed(self._order, skipped, lane)
            tables = shuffled(shares.source, columns, self._sides, seed, pieces[lane], shares.lanes)
            for table in tables:
                rows = asked.weigh(self.labelled(table))
                yield self._part(rows.weighted(np.full(len(rows.y), weights[lane] / mean)))

        rows = self._sides.rows
        size = shares.lanes * -(-batch_size(rows) // shares.lanes)
        first = sample.take(np.arange(min(len(sample.y), _FIRST_ROWS)))
        return RowStream(
            make, rows, self._part(asked.weigh(first)), size, shares.lanes, shares.own,
            shares.together.in_step,
        )  # fmt: skip

    def _part(self, rows):
        return rows.x, self.target.encode(rows.y), rows.w


def regions(trained: Sequence[float]) -> tuple[list[int], list[float]]:
    """Returns for each lane the lane whose rows fill it, and what these weigh.

    With these weights, whose mean is 1, all training rows count alike, though lanes have different
    numbers of them. A lane without any is filled with rows of others.

    Args:
        trained: Number of training rows of each lane.
    """
    read, free = list(range(len(trained))), np.array(trained, "float64")
    left = free.copy()
    for lane, rows in enumerate(trained):
        if not rows:
            read[lane] = int(left.argmax())
            left[read[lane]] = free[read[lane]] / (1 + read.count(read[lane]))
    weights = [free[k] * len(trained) / (free.sum() * read.count(k)) for k in read]
    return read, weights


def _check_pieces(pieces, shares):
    lacking = next((lane for lane, own in pieces.items() if not own), None)
    if lacking is not None:
        raise ValueError(
            f"The rows to train on must be in the shares of all {shares.together.count} processes. "
            f"Received: none in that of process {shares.together.rank}. Mix the rows of the table."
        )


def fit_source(
    shares: Shares,
    target: Target,
    settings: Settings,
    valid: Labelled | None,
    asked_of: Callable[[Labelled], Asked],
    began: float,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    division: Division | None = None,
) -> Fitted:
    """Returns the model that is found for a table that does not fit into memory.

    Args:
        shares: The table.
        target: The target.
        settings: The estimator's settings.
        valid: Rows to hold out, or `None` to draw them.
        asked_of: Function from a sample of the rows to what classes weigh and errors cost.
        began: When the fit has begun, by `time.monotonic`.
        callbacks: Callbacks of the search. Defaults to none.
        division: Which rows are held out. Defaults to `None`: some that are drawn at random.
    """
    division = division or Division()
    until = began + (1.0 if math.isinf(settings.seconds) else _READING_SHARE) * settings.seconds
    held = 0.0
    if valid is None:
        held = min(held_out_fraction(shares.rows), MOST_HELD / shares.rows)
    rows = SourceRows(shares, target, settings.seed, division, held, until)
    sample = rows.labelled(rows.drawn.sample)
    asked = asked_of(sample)
    if valid is None:
        valid = rows.labelled(rows.drawn.held)
    schema = settings.schema
    if schema is None:
        schema = rows.drawn.amend(Schema.infer(sample.x, kinds=division.kinds))
        settings = dataclasses.replace(settings, schema=schema)
    together = shares.together
    fitting = Fitting(settings, target, target.name, division, callbacks, asked, together, began)
    fitted = fitting.run(sample, valid, rows.stream(schema, sample, asked))
    place = fitted.board.index[-1]
    fitted.board.loc[place, "note"] += (
        f"; rows streamed from {shares.rows:,}, columns learnt from {len(sample.y):,} of them"
    )
    return fitted
