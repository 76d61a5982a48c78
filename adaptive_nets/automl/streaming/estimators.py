"""`FitsSources`: the estimators' fit on tables that do not fit into memory."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from adaptive_nets.automl.inputs import feature_table, reader_for, warn_of_like_classes
from adaptive_nets.automl.judging.division import Division
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.settings import Settings
from adaptive_nets.automl.streaming.fit import check_source, fit_source
from adaptive_nets.automl.streaming.target import check_column, learn_target
from adaptive_nets.automl.targets import Classes, Target
from adaptive_nets.data.tables.parquet_file import kind_of
from adaptive_nets.data.tables.source import TableSource


class FitsSources:
    """An estimator that fits tables that do not fit into memory."""

    _target: type[Target]
    folds: int | str
    _learn: Callable[..., Target]
    _class_weights: Callable[..., Callable[[Labelled], Labelled]]
    _held_out: Callable[..., Labelled]

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
    ) -> Any:
        """Returns the `Fitted` of a table that does not fit into memory."""
        if isinstance(self.folds, str):  # "auto"
            settings = dataclasses.replace(settings, folds=None)
        check_source(source, division, weights, settings)
        check_column(source, y)
        target = learn_target(source, y, self._learn, settings.seed, self._target is Classes)
        warn_of_like_classes(getattr(target, "labels", np.array([])), y)
        valid = None
        if validation_data is not None:
            text = [f.name for f in source.schema if kind_of(f.type) == "text" and f.name != y]
            read = reader_for(target, source.names, text)
            valid = self._held_out(validation_data, target, read)
        return fit_source(
            source, target, settings, valid,
            lambda sample: self._class_weights(target, sample),
            lambda table: feature_table(self, table, learn=True),
            began, callbacks,
        )  # fmt: skip
