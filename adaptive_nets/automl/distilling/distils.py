"""`Distils`: an estimator that can be distilled into one small network."""

import copy
import dataclasses
import math
import time
from typing import Any, Self

from sklearn.utils.validation import check_is_fitted

from adaptive_nets._checks import check_integer, check_number
from adaptive_nets.automl.distilling.costs import costs_of
from adaptive_nets.automl.distilling.student import teach
from adaptive_nets.automl.fitted import Fitted, Judged
from adaptive_nets.automl.judging.board import Board
from adaptive_nets.automl.judging.scoring import metric_for
from adaptive_nets.automl.refitting.choice import KeptRows
from adaptive_nets.automl.reporting.record import Record, held_of
from adaptive_nets.automl.settings import Settings
from adaptive_nets.data.tables.source import TableSource

_LEAST_ROWS = 10
# What measuring the network takes, at most a quarter of the time.
_CLOSING_SECONDS = 2.0


class Distils:
    """What `AutoClassifier` and `AutoRegressor` become where an ensemble is too slow or large."""

    _fitted: Fitted

    def distil(
        self,
        X: Any = None,
        *,
        size: int = 64,
        time_limit: float | None = None,
        validation_data: Any = None,
    ) -> Self:
        """Returns an estimator with one small network that predicts what this one does.

        The network learns the model's outputs: for rows without labels, and for further rows that
        are drawn from them by exchanging columns between rows that are near. It is a RealMLP of
        three hidden layers. Where there are integers with few values, two are trained, one of which
        reads them as categories, and the one is taken that comes nearest to the model on a tenth of
        the rows, which are kept apart. Predictions, probabilities, intervals, `save` and
        `export` are as before; intervals and the temperature are measured again on rows that
        were held out.

        What it costs is in the leaderboard of the estimator that is returned: the first row is the
        model that was distilled, the last one the network, with the metrics of both on the same
        held-out rows, `parameters`, `bytes` (of the model as a `.keras` file),
        `microseconds_one_row` (of a call with one row) and `microseconds_a_row` (for each row of a
        call with up to 1,000).

        The estimator itself does not change.

        Args:
            X: Rows without labels. More rows than those of `fit` make a better network. Defaults to
                `None`: the training rows, of which up to 50,000 are known in the process of `fit`.
            size: Units of each hidden layer. Defaults to `64`.
            time_limit: Seconds for all of it. Defaults to `None`: it ends by itself.
            validation_data: `(X, y)` or `(X, y, sample_weight)` to measure by, or a table with the
                target among its columns. Defaults to `None`: the rows that were held out, which are
                known in the process of `fit`. Without any, losses are not measured and there
                are no intervals.

        Returns:
            A fitted estimator of the same class and arguments. It has no `search_`.

        Raises:
            ValueError: No rows are known, or an argument is invalid. The message is one line.
        """
        check_is_fitted(self)
        began, fitted = time.monotonic(), self._fitted
        size = check_integer("size", size, 1)
        seconds = math.inf
        if time_limit is not None:
            seconds = check_number("time_limit", time_limit, 0, inclusive=False)
        settings = Settings.of(self, self._own_metric)
        rows = self._rows_to_distil(X)
        held = self._rows_to_measure(validation_data)
        board = _board(settings.metric, fitted, held)
        outputs = None if held is None else fitted.outputs(held.x)
        some = rows if held is None else held.x
        board.add_distilled(outputs, costs_of(fitted.model, fitted.schema, some).columns())
        left = seconds - (time.monotonic() - began)
        model, note = teach(
            fitted, rows, size, left - min(_CLOSING_SECONDS, left / 4.0), settings.seed,
            settings.verbose,
        )  # fmt: skip
        found = dataclasses.replace(
            fitted, model=model, search=None, find_search=None, stop_reason=note, intervals=None,
            temperature=None, groups=None, record=None, choice=None,
        )  # fmt: skip
        judged = Judged(None)
        if held is not None:
            judged = found.judge(held, found.outputs(held.x), board.metric, fitted.asked)
            if fitted.record is not None:
                found.record = Record(dict(fitted.record.facts), held_of(board, judged))
        costs = costs_of(found.model, found.schema, some).columns()
        board.add_served(judged.outputs, time.monotonic() - began, note, judged.chosen, costs)
        found.board = board.frame()
        made = copy.copy(self)
        made._fitted = found
        return made

    def _rows_to_distil(self, given):
        """Returns rows without labels, as a table of the columns that the model reads."""
        schema, known = self._fitted.schema, self._fitted.rows
        if given is not None:
            table = self._table(given)
        elif known is not None:
            table = known.trained.x
        else:
            raise ValueError(
                "distil needs rows to learn from: those of fit are not saved with an estimator. "
                "Pass X, rows without labels such as those of fit. Received: X=None."
            )
        if isinstance(table, TableSource):
            raise ValueError(
                "X must fit into memory. Pass fewer rows, such as some that are drawn at random. "
                f"Received: {len(table):,} rows of {table.name}."
            )
        if len(table) < _LEAST_ROWS:
            raise ValueError(f"X must have at least {_LEAST_ROWS} rows. Received: {len(table)}.")
        # What is wrong with a row is said before work.
        schema.read(table)
        used = {name for feature in schema.features for name in (feature.name, feature.key)}
        return table[[name for name in table.columns if name in used]].reset_index(drop=True)

    def _rows_to_measure(self, given):
        """Returns labelled rows that were not trained on, or `None`."""
        if given is not None:
            held = self._held_out(given, self._fitted.target, self._reader())
            self._fitted.target.encode(held.y)
            self._fitted.schema.read(held.x)
            return held
        known: KeptRows | None = self._fitted.rows
        return None if known is None else known.held


def _board(metric, fitted, held):
    """Returns a leaderboard of models that are measured on rows that were held out."""
    if held is not None:
        metric = metric_for(metric, getattr(fitted.target, "labels", None), held.y)
    return Board(metric, fitted.target, held, fitted.asked.rule, fitted.asked)
