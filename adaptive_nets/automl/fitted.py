"""`Fitted`: what `fit` leaves behind, and everything that predicts with it."""

import dataclasses
import os
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pandas as pd
from sklearn.exceptions import NotFittedError

from adaptive_nets._checks import show
from adaptive_nets._dtypes import whole_dtype
from adaptive_nets.adanet import AdaNet
from adaptive_nets.adanet.inspection.predictions import compute_output, predict_rows, read_output
from adaptive_nets.automl.deciding.asked import Asked
from adaptive_nets.automl.deciding.decision import Decision
from adaptive_nets.automl.deciding.tuning import tune_by
from adaptive_nets.automl.judging.class_sets import ClassSets
from adaptive_nets.automl.judging.group_scores import GroupScores, texts_of
from adaptive_nets.automl.judging.intervals import Intervals
from adaptive_nets.automl.judging.quantile_intervals import QuantileIntervals
from adaptive_nets.automl.judging.scoring import Metric
from adaptive_nets.automl.judging.served import Served
from adaptive_nets.automl.judging.splits import LEAST_ROWS
from adaptive_nets.automl.judging.temperature import Temperature, calibrate
from adaptive_nets.automl.judging.unseen import Unseen
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.refitting.choice import Choice, KeptRows
from adaptive_nets.automl.reporting.record import Record
from adaptive_nets.automl.targets import Classes, Numbers, Target
from adaptive_nets.data.columns.naming import some
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.tables.source import TableSource, as_frame
from adaptive_nets.graphs.unique_names import named_model
from adaptive_nets.heads import Head
from adaptive_nets.serving.onnx import export_as

_BATCH = 1024
# Rows of a table in files that are predicted at a time.
_SOURCE_ROWS = 1 << 16


@dataclasses.dataclass
class Fitted:
    """A model of raw columns, and what is known of it.

    Args:
        model: From the raw columns to logits, or to numbers in the target's own unit.
        head: What the model's outputs mean.
        schema: How a table is read.
        target: The target.
        board: The leaderboard.
        search: The search that found the model, or `None`.
        stop_reason: Why it ended: `AdaNet.stop_reason`, or why there was no search.
        find_search: Function that loads the search from its folder, or `None`.
        intervals: How far predicted numbers are from the true ones, or which classes are nearly as
            probable as the true ones; `None` if no rows were held out.
        temperature: How probabilities were calibrated, or `None` if they were not.
        record: What is known of the data and of the rows held out, for a report, or `None`.
        decision: Which class is predicted; `None` for the most probable one, or for numbers.
        groups: Scores of rows that were held out, with the groups that they are in, or `None`.
        choice: What was chosen to be served, for `refit`, or `None` if it is not known.
        rows: Rows of the fit, for `distil`, or `None`. They are neither saved nor pickled.
    """

    model: keras.Model
    head: Head
    schema: Schema
    target: Target
    board: pd.DataFrame
    search: AdaNet | None
    stop_reason: str
    find_search: Callable[[], AdaNet] | None = None
    intervals: "Intervals | QuantileIntervals | ClassSets | None" = None
    temperature: Temperature | None = None
    record: Record | None = None
    decision: Decision | None = None
    groups: GroupScores | None = None
    choice: Choice | None = None
    rows: KeptRows | None = dataclasses.field(default=None, repr=False, compare=False)

    def outputs(self, table: Any, wanted: str | None = None) -> np.ndarray:
        """Returns probabilities `[rows, classes]`, predicted numbers, or quantiles of them.

        Args:
            table: Features.
            wanted: Another one of the head's predictions. Defaults to `None`.
        """
        if isinstance(table, TableSource):
            parts = table.batches(self._columns_of(table), rows=_SOURCE_ROWS)
            return np.concatenate([self.outputs(as_frame(p.table), wanted) for p in parts])
        if len(table) <= _BATCH:
            return self.outputs_of(self.schema.read(table), wanted)
        wanted = wanted or self._usual_output()
        found = compute_output(self.model, self.head, table, self.schema, _BATCH, wanted)
        return self._as_returned(found)

    def outputs_of(self, features: Any, wanted: str | None = None) -> np.ndarray:
        """Returns the same as `outputs` of features that the schema has read."""
        rows = len(keras.tree.flatten(features)[0])
        # To trace a function takes longer than to compute a batch without one.
        few = rows <= _BATCH
        logits = (
            call_eagerly(self.model, features)
            if few
            else predict_rows(self.model, features, _BATCH)
        )
        return self.read(logits, wanted)

    def read(self, logits: Any, wanted: str | None = None) -> np.ndarray:
        """Returns the same as `outputs` of rows of which the model gives these logits."""
        return self._as_returned(read_output(self.head, logits, wanted or self._usual_output()))

    def _usual_output(self):
        if isinstance(self.target, Classes):
            return "probabilities"
        return "quantiles" if self.target.levels else self.head.default_output

    def _as_returned(self, found):
        if isinstance(self.target, Classes):
            return found
        numbers = np.asarray(found, "float64")
        return numbers[:, 0] if self.target.flat and not self.target.levels else numbers

    def _columns_of(self, source):
        """Returns the columns of a source that the model may read."""
        keys = {feature.key for feature in self.schema.features}
        names = {*self.schema.columns, *keys}
        return [name for name in source.names if name in names] or source.names

    def export(
        self,
        path: str | os.PathLike,
        format: str,  # noqa: A002 (as in keras.Model.export)
        coverage: float | None = None,
        **options: Any,
    ) -> str:
        """Writes a SavedModel or another format; see `serving.onnx.export_as`.

        Args:
            path: Folder or file to write.
            format: `"saved_model"` or `"onnx"`.
            coverage: Share of rows that the outputs `lower` and `upper`, or `set`, hold, or `None`
                for no such outputs.
            **options: Further arguments of `serving.export_saved_model`.
        """
        options.setdefault("schema", self.schema)
        intervals = None if coverage is None else self.known_intervals()
        head = self.head
        if intervals is not None or self.decision is not None:
            head = Served(head, intervals, coverage, self.decision, format == "onnx")
        return export_as(format, self.model, head, path, **options)

    @property
    def asked(self) -> Asked:
        """What classes weigh in training, and what errors cost."""
        factors = None if self.choice is None else self.choice.factors
        costs = None if self.decision is None else self.decision.costs
        return Asked(self.target, None if factors is None else np.array(factors), costs)

    def known_search(self) -> AdaNet | None:
        """Returns the search, loaded if it is in a folder; `None` if there is none."""
        if self.search is None and self.find_search is not None:
            self.search, self.find_search = self.find_search(), None
        return self.search

    def interval(
        self, table: Any, coverage: float, by: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the lower and upper ends of intervals of predicted numbers.

        Args:
            table: Features.
            coverage: Share of rows that an interval holds.
            by: Name of a column in whose groups it is to hold. Defaults to `None`: in all rows.
        """
        widths = self._widths(table, coverage, by)
        return self.known_intervals().around(self.outputs(table), coverage, widths=widths)

    def class_sets(self, table: Any, coverage: float, by: Any = None) -> np.ndarray:
        """Returns whether each class is in a row's set, `[rows, classes]`; as `interval`."""
        widths = self._widths(table, coverage, by)
        return self.known_intervals().holds(self.outputs(table), coverage, widths=widths)

    def _widths(self, table, coverage, by):
        """Returns the scores of the rows' groups, or `None`; refuses before work."""
        intervals = self.known_intervals()
        intervals.widths(coverage)
        if by is None:
            return None
        if self.groups is None:
            raise ValueError(
                "by needs the scores of held-out rows, and this model was saved without them, by "
                f"an earlier version. Fit it again. Received: by={show(by)}."
            )
        by = self.groups.check(by)
        if isinstance(table, TableSource):
            if by not in table.names:
                texts_of(self.schema, pd.DataFrame(columns=table.names), by)
            parts = table.batches([by], rows=_SOURCE_ROWS)
            texts = np.concatenate(
                [texts_of(self.schema, as_frame(part.table), by) for part in parts]
            )
        else:
            texts = texts_of(self.schema, table, by)
        widths, few = self.groups.widths(intervals, coverage, by, texts)
        if few:
            warnings.warn(
                f"Too few rows of {by} = {some(few)} were held out for a coverage of {coverage:g} "
                "in such a group. Their intervals or sets are those of all rows.",
                stacklevel=4,
            )
        return widths

    def known_intervals(self) -> "Intervals | QuantileIntervals | ClassSets":
        """Returns the intervals, or the sets of classes.

        Raises:
            ValueError: There are none.
        """
        if self.intervals is None:
            raise ValueError(
                "There are no intervals or sets: they are measured on rows that are held out of "
                f"the training. Expected a fit on at least {LEAST_ROWS} rows or with "
                f"validation_data. Received: a model that was fitted without such rows "
                f"({self.stop_reason})."
            )
        return self.intervals

    def judge(
        self,
        held: Labelled,
        outputs: np.ndarray,
        metric: Metric,
        asked: Asked,
        unseen: Unseen | None = None,
    ) -> "Judged":
        """Learns from rows that were held out how sure predictions are, and what is predicted.

        Intervals of numbers, and sets of classes, are measured, also on training rows with
        predictions of networks that have not seen them. The probabilities of classes are scaled by
        a temperature, if the metric or the costs of errors read them; if the metric reads predicted
        classes, a threshold or factors are tuned.

        Args:
            held: The rows.
            outputs: What the model predicts for them.
            metric: What models are compared by.
            asked: Weights of classes and costs of errors.
            unseen: Such training rows. Defaults to `None`: there are none.
        """
        if isinstance(self.target, Numbers):
            every = Unseen(held, outputs).joined(unseen)
            self.intervals = self.target.intervals(every.rows.y, every.outputs, every.rows.w)
            self._keep_scores(every.rows, every.rows.y, every.outputs)
            return Judged(outputs)
        codes, rule, chosen = self.target.codes(held.y), asked.rule, None
        decided = asked.costs is not None
        self.temperature, outputs = calibrate(metric, codes, outputs, held.w, decided)
        self.model = self.calibrated(self.model)
        unseen = unseen and unseen.cooled(self.temperature)
        if not decided:
            rule, chosen = tune_by(metric, self.target, codes, outputs, held.w, rule, unseen)
        self.decision = rule
        every = Unseen(held, outputs).joined(unseen)
        codes = self.target.codes(every.rows.y)
        self.intervals = ClassSets.calibrate(codes, every.outputs, every.rows.w)
        self._keep_scores(every.rows, codes, every.outputs)
        return Judged(outputs, self.choose(outputs) if chosen is None else chosen)

    def calibrated(self, model: keras.Model) -> keras.Model:
        """Returns a model with its logits divided by the temperature, if there is one."""
        if self.temperature is None or self.temperature.value == 1:
            return model
        scaled = keras.layers.Rescaling(
            1.0 / self.temperature.value, name="temperature", dtype=whole_dtype()
        )
        return named_model(model.input, scaled(model.output), model.name)

    def _keep_scores(self, held, y, outputs):
        scores = self.intervals.row_scores(y, outputs)
        self.groups = GroupScores.learn(self.schema, held.x, scores, held.w)

    def choose(self, probabilities: np.ndarray) -> np.ndarray:
        """Returns the positions of the classes that are predicted.

        Args:
            probabilities: `[rows, classes]`.
        """
        if self.decision is None:
            return np.argmax(probabilities, axis=1)
        return self.decision.chosen(probabilities)


@dataclasses.dataclass(frozen=True)
class Judged:
    """What a model predicts for held-out rows, by what was learnt from other ones of them.

    Args:
        outputs: Probabilities, numbers or quantiles; `None` if no rows were held out.
        chosen: Positions of predicted classes. Defaults to `None`: there are none.
    """

    outputs: np.ndarray | None
    chosen: np.ndarray | None = None


class HoldsFitted:
    """An estimator that keeps a `Fitted`, and shows what is in it."""

    _fitted: Fitted

    def __sklearn_is_fitted__(self) -> bool:
        return "_fitted" in self.__dict__

    @property
    def schema_(self) -> Schema:
        """The `data.Schema` that tables are read by."""
        return self._known("schema_").schema

    @property
    def model_(self) -> Any:
        """The served `keras.Model`, from raw columns to logits or predicted numbers."""
        return self._known("model_").model

    @property
    def search_(self) -> AdaNet:
        """The `AdaNet` that found the model. A number as target has mean 0 and deviation 1."""
        fitted = self._known("search_")
        search = fitted.known_search()
        if search is None:
            raise AttributeError(
                "There is no search_: it was not kept in a model_dir, or there was none "
                f"({fitted.stop_reason})."
            )
        return search

    @property
    def stop_reason_(self) -> str:
        """Why the search ended, as `AdaNet.stop_reason`; or why there was none."""
        return self._known("stop_reason_").stop_reason

    def _known(self, name) -> Fitted:
        if "_fitted" not in self.__dict__:
            raise NotFittedError(f"{name} is known once fit has been called.")
        return self._fitted


def call_eagerly(model: keras.Model, features: Any) -> Any:
    """Returns a model's outputs as NumPy arrays, computed without a traced function.

    Args:
        model: The model.
        features: An array, or a dict of arrays.
    """
    tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, features)
    outputs = model(tensors, training=False)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)
