"""`FitsSources`: the estimators' fit on tables that do not fit into memory."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from adaptive_nets.automl.clusters.shares import Shares
from adaptive_nets.automl.clusters.together import Together
from adaptive_nets.automl.deciding.asked import Asked
from adaptive_nets.automl.inputs import (
    feature_table,
    reader_for,
    training_table,
    warn_of_like_classes,
)
from adaptive_nets.automl.judging.division import Division
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.settings import Settings
from adaptive_nets.automl.streaming.fit import check_source, fit_source
from adaptive_nets.automl.streaming.target import check_column, learn_target
from adaptive_nets.automl.targets import Classes, Target
from adaptive_nets.data.tables.files import is_paths
from adaptive_nets.data.tables.parquet_file import kind_of
from adaptive_nets.data.tables.source import TableSource, as_frame

# Rows by which the columns are checked before work.
_CHECKED_ROWS = 100


class FitsSources:
    """An estimator that fits tables that do not fit into memory."""

    _target: type[Target]
    folds: int | str
    _learn: Callable[..., Target]
    _asked: Callable[..., Asked]
    _labelled: Callable[..., Labelled]

    def _fit_source(
        self,
        source: TableSource,
        y: Any,
        weights: Any,
        validation_data: Any,
        division: Division,
        settings: Settings,
        callbacks: list[Any],
        began: float,
        together: Together,
    ) -> Any:
        """Returns the `Fitted` of a table that does not fit into memory."""
        if isinstance(self.folds, str):  # "auto"
            settings = dataclasses.replace(settings, folds=None)
        check_column(source, y)
        check_source(source, y, division, weights, settings)
        shares = Shares(source, together)
        target = learn_target(shares, y, self._learn, settings.seed, self._target is Classes)
        warn_of_like_classes(getattr(target, "labels", np.array([])), y)
        head = next(shares.batches(rows=_CHECKED_ROWS)).table.drop_columns([y])
        feature_table(self, as_frame(head), learn=True)
        valid = None
        if validation_data is not None:
            text = [f.name for f in source.schema if kind_of(f.type) == "text" and f.name != y]
            read = reader_for(target, source.names, text)
            valid = together.in_step(lambda: self._held_out(validation_data, target, read))
        return fit_source(
            shares, target, settings, valid,
            lambda sample: self._asked(target, sample),
            began, callbacks, division,
        )  # fmt: skip

    def _held_out(self, given, target, read):
        if isinstance(given, tuple | list) and not _is_table(given):
            if len(given) not in (2, 3):
                raise ValueError(
                    "validation_data must be (X, y), (X, y, sample_weight), or a table with the "
                    f"target among its columns. Received: {len(given)} parts."
                )
            x, y, *weights = given
        else:
            x, y, *weights = given, target.name
        table, labels, _ = training_table(x, y, read)
        if isinstance(table, TableSource):
            raise ValueError(
                "validation_data must fit into memory. Pass fewer rows. "
                f"Received: {len(table):,} rows of {table.name}."
            )
        rows = self._labelled(table, labels, *(weights or [None]), learn=False, read=read)
        return rows.with_labels(target.plain(rows.y))


def _is_table(given):
    """Returns whether a list holds a table: rows as dicts or named tuples, or paths of files."""
    if not isinstance(given, list) or not given:
        return False
    if is_paths(given):
        return all(map(os.path.exists, given))
    return all(isinstance(row, Mapping) or hasattr(row, "_fields") for row in given)
