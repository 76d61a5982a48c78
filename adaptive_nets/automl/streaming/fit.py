"""`fit_source`: a fit on a table that does not fit into memory."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import show
from adaptive_nets._seeds import derive_seed
from adaptive_nets.automl.fitted import Fitted
from adaptive_nets.automl.fitting import Fitting
from adaptive_nets.automl.judging.division import Division
from adaptive_nets.automl.judging.splits import held_out_fraction
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.refitting.weights import remember_weights
from adaptive_nets.automl.searching import batch_size
from adaptive_nets.automl.settings import Settings
from adaptive_nets.automl.streaming.drawn import MOST_HELD, Drawn, draw_rows
from adaptive_nets.automl.streaming.shuffled import shuffled
from adaptive_nets.automl.streaming.target import split
from adaptive_nets.automl.targets import Target
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.tables.row_stream import Part, RowStream
from adaptive_nets.data.tables.source import TableSource, as_frame

# At most this share of a time limit is for reading all rows once.
_READING_SHARE = 0.3
# Training rows that a search looks at before it trains.
_FIRST_ROWS = 4096

Weigh = Callable[[Labelled], Labelled]


def check_source(source: TableSource, division: Division, weights: Any, settings: Settings) -> None:
    """Refuses arguments that need all rows at once, before work.

    Args:
        source: The table.
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
        if value is not None:
            raise ValueError(
                f"{name} needs all rows in memory, and {source.name} has {source.rows:,} rows of "
                f"about {source.bytes / 2**30:.1f} GiB, which are streamed. Leave {name} out, pass "
                "validation_data to choose the rows to hold out, or pass a DataFrame of fewer "
                f"rows. Received: {name}={show(value)}."
            )


class SourceRows:
    """The rows of a source: those that are drawn, and the stream of all others.

    Args:
        source: The table.
        target: The target.
        seed: The estimator's seed.
        held: Share of the rows to hold out.
        seconds: Time after which no further rows are read to draw from.
    """

    def __init__(self, source: TableSource, target: Target, seed: int, held: float, seconds: float):
        self.source, self.target, self.share = source, target, held
        self._held_seed = derive_seed(seed, "held out")
        self._order = derive_seed(seed, "order of rows")
        self.drawn: Drawn = draw_rows(source, source.names, held, self._held_seed, seconds)

    def labelled(self, table: Any) -> Labelled:
        """Returns drawn rows with labels."""
        x, y = split(as_frame(table), self.target.name)
        return Labelled(x, self.target.plain(y), None)

    def stream(self, schema: Schema, sample: Labelled, weigh: Weigh) -> RowStream:
        """Returns the training rows as a stream.

        Args:
            schema: How the table is read.
            sample: The sample of the training rows, which are weighed.
            weigh: Function that gives rows the weights of their classes.
        """
        columns = [*(f.name for f in schema.features), self.target.name]

        def make(skipped: int) -> Iterator[Part]:
            seed = derive_seed(self._order, skipped)
            rows = shuffled(self.source, columns, self.share, self._held_seed, seed)
            return (self._part(weigh(self.labelled(table))) for table in rows)

        rows = max(1, round((1 - self.share) * self.source.rows))
        first = sample.take(np.arange(min(len(sample.y), _FIRST_ROWS)))
        return RowStream(make, rows, self._part(first), batch_size(rows))

    def _part(self, rows):
        return rows.x, self.target.encode(rows.y), rows.w


def fit_source(
    source: TableSource,
    target: Target,
    settings: Settings,
    valid: Labelled | None,
    weights_of: Callable[[Labelled], Weigh],
    began: float,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Fitted:
    """Returns the model that is found for a table that does not fit into memory.

    Args:
        source: The table.
        target: The target.
        settings: The estimator's settings.
        valid: Rows to hold out, or `None` to draw them.
        weights_of: Function from a sample of the rows to one that gives rows their weights.
        began: When the fit has begun, by `time.monotonic`.
        callbacks: Callbacks of the search. Defaults to none.
    """
    seconds = settings.seconds if math.isinf(settings.seconds) else (
        _READING_SHARE * settings.seconds - (time.monotonic() - began)
    )  # fmt: skip
    held = 0.0
    if valid is None:
        held = min(held_out_fraction(source.rows), MOST_HELD / source.rows)
    rows = SourceRows(source, target, settings.seed, held, seconds)
    sample = rows.labelled(rows.drawn.sample)
    weigh = weights_of(sample)
    if valid is None:
        valid = rows.labelled(rows.drawn.held)
    schema = settings.schema
    if schema is None:
        schema = rows.drawn.amend(Schema.infer(sample.x, kinds={}))
        settings = dataclasses.replace(settings, schema=schema)
    fitting = Fitting(settings, target, target.name, callbacks=callbacks)
    fitting.began = began
    sample = weigh(sample)
    fitted = fitting.run(sample, weigh(valid), rows.stream(schema, sample, weigh))
    remember_weights(fitted, weigh)
    place = fitted.board.index[-1]
    fitted.board.loc[place, "note"] += (
        f"; rows streamed from {source.rows:,}, columns learnt from {len(sample.y):,} of them"
    )
    return fitted
