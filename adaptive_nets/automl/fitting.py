"""`Fitting`: one call of `fit`, from a table to a model."""

import dataclasses
import math
import time
from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd

from adaptive_nets._seeds import derive_seed
from adaptive_nets.automl.baselines.fit_baselines import (
    MOST_ROWS,
    Task,
    fit_baselines,
    on_rows,
    unseen_by_linear,
)
from adaptive_nets.automl.baselines.linear import LinearModel
from adaptive_nets.automl.clusters.together import ALONE, Together
from adaptive_nets.automl.deciding.asked import Asked
from adaptive_nets.automl.fitted import Fitted, Judged, call_eagerly
from adaptive_nets.automl.judging.board import Board
from adaptive_nets.automl.judging.division import Division
from adaptive_nets.automl.judging.leaks import warn_of_leaks
from adaptive_nets.automl.judging.scoring import metric_for
from adaptive_nets.automl.judging.splits import LEAST_ROWS
from adaptive_nets.automl.judging.unseen import Unseen
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.losses.unit import (
    in_own_unit,
    in_unit_of,
    linear_in_unit_of,
    serving_head,
)
from adaptive_nets.automl.refitting.choice import Choice, KeptRows
from adaptive_nets.automl.reporting.record import Recorder
from adaptive_nets.automl.searching import Searching, kinds_within
from adaptive_nets.automl.settings import Settings
from adaptive_nets.automl.targets import Classes, Numbers, Target
from adaptive_nets.data.encoding import fit_encoding
from adaptive_nets.data.preprocessing import Preprocessor
from adaptive_nets.data.rows import Rows
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.tables.row_stream import RowStream

# With less time than this, not even the columns are encoded twice.
LEAST_SEARCH = 3.0
# Baselines take at most this share of the time, and without a limit so many seconds.
_BASELINE_SHARE, _BASELINE_SECONDS = 0.1, 20.0
# How long the encoding took to be traced tells how fast this machine is. These are times in that
# unit: of a short search in a folder, which traces a round, trains and decides it; and of the end,
# which puts the model together, traces it unless few rows are held out, and measures it.
_SEARCH_TRACES, _CLOSING_TRACES, _FEW_TRACES = 10.0, 2.0, 0.7
# To predict many held-out rows takes so many times as long as to encode them.
_CLOSING_SECONDS, _CLOSING_READS = 0.5, 3.0
# A fit that can go on in its folder, perhaps with more time, proposes what suits so many seconds.
_FOLDER_SECONDS = 60.0
# So many rows are encoded sooner than a function is traced.
_FEW_ROWS = 1024


class Fitting:
    """Fits a model to a table within a time limit.

    Args:
        settings: The estimator's settings.
        target: The target, as it was learnt from all rows.
        column: The target's name if it was a column of the table, or `None`.
        division: Which rows are held out. Defaults to `None`: some that are drawn at random.
        callbacks: Callbacks of the search. Defaults to none.
        asked: Weights of classes and costs of errors. Defaults to `None`: there are none.
        together: The processes that fit. Defaults to one that is alone.
        began: When the time limit began to run, by `time.monotonic`. Defaults to `None`: now.
    """

    def __init__(
        self,
        settings: Settings,
        target: Target,
        column: str | None = None,
        division: Division | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        asked: Asked | None = None,
        together: Together = ALONE,
        began: float | None = None,
    ):
        self.settings, self.target, self.column = settings, target, column
        self.callbacks, self.asked, self.together = callbacks, asked or Asked(target), together
        self.division = division or Division()
        self.began = time.monotonic() if began is None else began
        self.recorder = Recorder(settings.seed)

    def left(self) -> float:
        """Returns the seconds that are left, in all processes those of the chief."""
        return self.together.agree(self.settings.seconds - (time.monotonic() - self.began))

    def run(
        self, rows: Labelled, valid: Labelled | None, stream: RowStream | None = None
    ) -> Fitted:
        """Returns the fitted model.

        Args:
            rows: All rows; beside a stream, a sample of the training rows.
            valid: Rows to hold out, or `None` to take a part of `rows`.
            stream: The training rows, if they do not fit into memory. Defaults to `None`.
        """
        labels = self.target.labels if isinstance(self.target, Classes) else None
        metric = metric_for(self.settings.metric, labels, rows.y)
        self.settings = dataclasses.replace(self.settings, metric=metric)
        schema = self.settings.schema or Schema.infer(rows.x, kinds=self.division.kinds)
        if self.column is not None:
            # Rows to predict may have the target too.
            schema = dataclasses.replace(schema, target=self.column)
        train, valid = self._divided(rows, valid)
        if valid is not None:
            groups = None if self.division.groups is None else train.by
            self.settings = self.settings.for_rows(len(train.y), groups)
        warned = []
        if valid is not None:
            warned = warn_of_leaks(schema, train, valid, self.target, self.division)
        self.recorder.see(schema, train, valid, self.target, warned)
        self.recorder.mark("reading, splitting")
        if valid is None or self.left() < LEAST_SEARCH:
            why = "too few rows" if valid is None else "time limit"
            everything = rows if valid is None else train
            return self._linear(schema, everything, valid, why)
        encoder = Encoder(schema, fit_encoding(schema, train.x))
        started = time.monotonic()
        encoder.traced(train.x.iloc[:2])
        traced = self.together.agree(time.monotonic() - started)
        board = self._board(valid)
        started = time.monotonic()
        task = self.task(encoder, train, valid)
        read = self.together.agree(time.monotonic() - started)
        baselines = [
            dataclasses.replace(each, outputs=self.asked.as_they_are(each.outputs))
            for each in fit_baselines(task, self._baseline_seconds())
        ]
        for baseline in baselines:
            board.add_baseline(baseline)
        linear = next(each for each in baselines if each.model is not None)
        self.recorder.mark("encoding, baselines")
        known = None if stream is None else task.x
        many = len(valid.y) > _FEW_ROWS
        closing = _CLOSING_SECONDS + (_CLOSING_TRACES if many else _FEW_TRACES) * traced
        closing += _CLOSING_READS * max(0.0, read - traced)
        kinds = self.kinds(len(train.x), (self.left() - closing) / max(traced, 1e-6))
        if not kinds:
            return self._linear(schema, train, valid, "time limit", encoder, board)
        searching = Searching(
            self.settings, self.target, schema, encoder.model, linear.model, kinds,
            self.callbacks, known, self.together, self.division.groups is not None,
        )  # fmt: skip
        weigh = self.asked.weigh
        searching.run(weigh(train), weigh(valid), self.left() - closing, stream)
        board.add_search(searching.search)
        self.recorder.mark("search")
        fitted = self._chosen(
            searching, linear, board, encoder, lambda: self.left() - closing, (task, train)
        )
        fitted.rows = KeptRows.of(train, valid)
        return fitted

    def kinds(self, rows: int, traces: float) -> list[str]:
        """Returns the kinds of networks to try; none if there is no time for any.

        With a `model_dir` they do not depend on the time limit: a search that goes on with another
        one must propose what it proposed before.

        Args:
            rows: Number of training rows.
            traces: How often the encoding could be traced in the time that is left.
        """
        if self.settings.model_dir is not None:
            return kinds_within(_FOLDER_SECONDS, rows) if traces > _SEARCH_TRACES else []
        return kinds_within(self.settings.seconds, rows, traces)

    def _chosen(self, searching, linear, board, encoder, left, known):
        """Returns the model that is best by the metric on the held-out rows."""
        search, fitted, best, note = searching.search, None, None, ""
        for name, choice, model in searching.models(left):
            tried = self._fitted(encoder.schema, model, search, choice)
            outputs = tried.outputs(board.held.x)
            if fitted is None or board.is_better(outputs, best):
                fitted, best, note = tried, outputs, name
        # So little time, or so few rows, that networks have not paid.
        if board.is_better(linear.outputs, best):
            model = linear_in_unit_of(self.target, linear.model, encoder.model)
            fitted.model = self.asked.correct(model)
            fitted.choice = Choice("linear")
            note = "linear: no ensemble was better"
            best = fitted.outputs(board.held.x)
        fitted.choice = dataclasses.replace(fitted.choice, factors=self.asked.stored)
        ended = f"the search ended by {search.stop_reason}"
        unseen = self._unseen(searching, fitted, *known, linear.seconds)
        judged = fitted.judge(board.held, best, board.metric, self.asked, unseen)
        seconds = time.monotonic() - self.began
        board.add_served(judged.outputs, seconds, f"{note}; {ended}" if note else ended,
                         judged.chosen)  # fmt: skip
        fitted.board = board.frame()
        fitted.record = self.recorder.end(board, judged)
        return fitted

    def _unseen(self, searching, fitted, task, train, seconds):
        """Returns the training rows as models of folds predict them, or `None`."""
        count = searching.search.settings.networks
        if count is None:
            return None
        if fitted.choice.kind != "linear":
            logits = searching.unseen(fitted.choice, train)
            outputs = fitted.read(in_own_unit(self.target, logits))
        elif task.rows is None and count * seconds < self.left():
            outputs = unseen_by_linear(task, searching.folds(train), self._linear_reader(fitted))
        else:
            return None
        return Unseen(train, self.asked.as_they_are(outputs))

    def _linear_reader(self, fitted):
        """Returns a function from a linear model and encoded rows to what is served for them."""

        def read(model, encoded):
            model = self.target.linear(model) if isinstance(self.target, Numbers) else model
            return fitted.read(in_own_unit(self.target, model.outputs(encoded)))

        return read

    def _board(self, valid):
        return Board(self.settings.metric, self.target, valid, self.asked.rule, self.asked)

    def _fitted(self, schema, model, search, choice):
        return Fitted(
            self.asked.correct(in_unit_of(self.target, model)), serving_head(self.target),
            schema, self.target, pd.DataFrame(), search, search.stop_reason, choice=choice,
        )  # fmt: skip

    def _divided(self, rows, valid):
        if valid is not None or (len(rows.x) < LEAST_ROWS and self.division.is_random):
            return rows, valid
        seed = derive_seed(self.settings.seed, "held out")
        kept, held = self.division.split(rows, self.target, seed)
        if len(rows.x) < LEAST_ROWS:
            return rows, None
        return rows.take(kept), rows.take(held)

    def task(self, encoder: "Encoder", train: Labelled, valid: Labelled | None) -> Task:
        """Returns rows to fit baselines on: no more are encoded than these read.

        Args:
            encoder: What encodes them.
            train: Training rows.
            valid: Rows to predict, or `None`.
        """
        classes = len(self.target.labels) if isinstance(self.target, Classes) else None
        train = self.asked.weigh(train)
        seed, rows = derive_seed(self.settings.seed, "baselines") % 2**31, None
        if len(train.y) > MOST_ROWS:
            rows = len(train.y)
            train = train.take(np.random.default_rng(seed).permutation(rows)[:MOST_ROWS])
        held = {} if valid is None else encoder(valid.x)
        power, levels = 0.0, None
        if isinstance(self.target, Numbers):
            power, levels = self.target.power, self.target.levels
        return Task(
            encoder(train.x),
            self._plain(train.y),
            train.w,
            held,
            classes,
            seed,
            rows,
            power,
            levels,
        )

    def _baseline_seconds(self):
        limit = self.settings.seconds
        share = _BASELINE_SECONDS if math.isinf(limit) else _BASELINE_SHARE * limit
        return min(share, _BASELINE_SECONDS, max(0.0, self.left()))

    def _plain(self, y):
        """Returns labels as baselines read them: positions of classes, or numbers."""
        if isinstance(self.target, Classes):
            return self.target.codes(y)
        wide = np.asarray(y, "float64")
        return wide.reshape(len(wide), -1)

    def _linear(self, schema, rows, valid, why, encoder=None, board=None):
        """Returns the linear model, which there is always time for."""
        encoder = encoder or Encoder(schema, fit_encoding(schema, rows.x))
        began = time.monotonic()
        task = self.task(encoder, rows, None)
        linear = LinearModel.fit(
            task.x, task.y, task.weights, task.classes, None, task.power, task.levels
        )
        model = self.asked.correct(linear_in_unit_of(self.target, linear, encoder.model))
        fitted = Fitted(
            model, serving_head(self.target), schema, self.target, pd.DataFrame(), None, why,
            choice=Choice("linear", factors=self.asked.stored), rows=KeptRows.of(rows, valid),
        )  # fmt: skip
        board = board or self._board(valid)
        judged = Judged(None)
        fitted.decision = self.asked.rule
        if valid is not None:
            judged = fitted.judge(valid, fitted.outputs(valid.x), board.metric, self.asked)
        note = " ".join(filter(None, (f"linear: {why}", on_rows(task))))
        board.add_served(judged.outputs, time.monotonic() - began, note, judged.chosen)
        fitted.board = board.frame()
        fitted.record = self.recorder.end(board, judged)
        return fitted


class Encoder:
    """Encodes rows of a table; many of them with a function that is traced once.

    Args:
        schema: How a table is read.
        model: The model from raw columns to encoded ones.
    """

    def __init__(self, schema: Schema, model: keras.Model):
        self.schema, self.model = schema, model
        self._preprocess = Preprocessor(model)

    def __call__(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """Returns the encoded columns by key."""
        if len(table) <= _FEW_ROWS:
            return call_eagerly(self.model, self.schema.read(table))
        return self.traced(table)

    def traced(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """Returns the same, computed by the traced function."""
        rows = Rows(self.schema.read(table), np.zeros(len(table), "float32"))
        return {key: np.asarray(values) for key, values in self._preprocess(rows).x.items()}
