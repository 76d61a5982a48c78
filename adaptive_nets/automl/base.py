"""`AutoEstimator`: what the classifier and the regressor share."""

import os
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from adaptive_nets.automl.arguments import describe_arguments
from adaptive_nets.automl.clusters.fits_together import FitsTogether
from adaptive_nets.automl.clusters.on_ray import FitsOnRay
from adaptive_nets.automl.clusters.together import Together
from adaptive_nets.automl.deciding.asked import Asked
from adaptive_nets.automl.distilling.distils import Distils
from adaptive_nets.automl.explaining.explains import Explains
from adaptive_nets.automl.files import write
from adaptive_nets.automl.fitted import Fitted, HoldsFitted
from adaptive_nets.automl.fitting import Fitting
from adaptive_nets.automl.following.followed import followed
from adaptive_nets.automl.inputs import (
    as_labels,
    check_weights,
    feature_table,
    reader_for,
    training_table,
    warn_of_like_classes,
)
from adaptive_nets.automl.judging.board import Board
from adaptive_nets.automl.judging.division import Division
from adaptive_nets.automl.judging.scoring import make_metric, metric_for
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.refitting.refits import Refits
from adaptive_nets.automl.reporting.reports import Reports
from adaptive_nets.automl.streaming.estimators import FitsSources
from adaptive_nets.automl.targets import Target
from adaptive_nets.data.columns.alignment import check_aligned
from adaptive_nets.data.encoding.unseen import check_seen
from adaptive_nets.data.tables.source import TableSource
from adaptive_nets.data.tables.table import read_table

if TYPE_CHECKING:
    import tensorflow as tf

    from adaptive_nets.adanet import Generator
    from adaptive_nets.data import Schema
    from adaptive_nets.distribute import Ray


class AutoEstimator(
    FitsTogether,
    FitsOnRay,
    FitsSources,
    Explains,
    Refits,
    Distils,
    HoldsFitted,
    Reports,
    BaseEstimator,
):
    """Finds a model for a table; see `AutoClassifier` and `AutoRegressor`."""

    _target: type[Target]
    # What metric="auto" is.
    _own_metric: str

    def __init__(
        self, *, time_limit: float | None = None, preset: str = "good", metric: str = "auto",
        schema: "Schema | None" = None, folds: int | str = "auto", repeats: int = 1,
        generator: "Generator | None" = None, model_dir: str | os.PathLike | None = None,
        seed: int | None = None, verbose: str | int = "auto",
        distribute: "str | tf.distribute.Strategy | None" = None,
        placement: "str | Ray" = "replicated",
    ):  # fmt: skip
        self.time_limit = time_limit
        self.preset = preset
        self.metric = metric
        self.schema = schema
        self.folds = folds
        self.repeats = repeats
        self.generator = generator
        self.model_dir = model_dir
        self.seed = seed
        self.verbose = verbose
        self.distribute = distribute
        self.placement = placement

    @followed
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        validation_data: Any = None,
        *,
        groups: Any = None,
        time: Any = None,
        gap: Any = None,
        callbacks: Any = None,
    ) -> Self:
        """Finds a model for a table.

        Args:
            X: DataFrame of pandas or polars, Arrow table, dict of columns, array
                `[rows, features]`, or the path of a CSV or Parquet file; several such files, as a
                list, a pattern such as `"part-*.parquet"` or their folder; a `tf.data.Dataset` of
                dicts of columns, or a `ray.data.Dataset`. Files and datasets of more than about
                1 GiB are streamed.
            y: `[rows]` labels, or the name of the column of `X` that holds them.
            sample_weight: `[rows]` weights >= 0; rows of weight 0 are left out. Defaults to
                `None`: all rows count alike.
            validation_data: `(X, y)` or `(X, y, sample_weight)` to hold out, or a table with the
                target among its columns. Defaults to `None`: a part of the rows, drawn at random.
            groups: Name of a column, or `[rows]` values: rows of one group are held out together
                or not at all. The column is not used as a feature unless the `schema` has it.
                Defaults to `None`.
            time: Name of a column of dates or numbers, or `[rows]` of them: the last rows are held
                out. Defaults to `None`.
            gap: Time between the rows to train on and those held out, such as `"7 days"`, or a
                number where time is numbers; rows between are left out. Defaults to `None`.
            callbacks: Callbacks of the search, as for `AdaNet.fit`. Defaults to `None`.

        Returns:
            The estimator.

        Raises:
            ValueError: The data or an argument is invalid. The message is one line.
        """
        cluster = self._cluster()
        if cluster is not None:
            held = (sample_weight, validation_data, groups, time, gap)
            return self._fit_on_ray(cluster, X, y, *held, callbacks)
        began, together = monotonic(), Together.of(self.distribute)
        division = Division(groups, time, gap)
        settings, given = self._begun(X, y, validation_data, division, together)
        if isinstance(given, TableSource):
            self._fitted = self._fit_source(
                given, y, sample_weight, validation_data, division, settings, callbacks, began,
                together,
            )  # fmt: skip
            return self._kept_in(settings.model_dir, together)
        table, labels, name = training_table(given, y)
        rows = self._labelled(table, labels, sample_weight, learn=True, division=division)
        if len(rows.y) < 2:
            raise ValueError(
                f"There is {len(rows.y)} sample with a weight above 0, which nothing can be learnt "
                "from. Expected at least 2 rows."
            )
        target = self._learn(rows.y, name)
        warn_of_like_classes(getattr(target, "labels", np.array([])), name)
        rows = rows.with_labels(target.plain(rows.y))
        asked, column = self._asked(target, rows), name if isinstance(y, str) else None
        fitting = Fitting(settings, target, column, division, callbacks, asked, together, began)
        valid = None
        if validation_data is not None:
            text = [name for name in rows.x if rows.x[name].dtype == object]
            read = reader_for(target, list(rows.x), text)
            valid = self._held_out(validation_data, target, read)
        self._fitted = fitting.run(rows, valid)
        return self._kept_in(settings.model_dir, together)

    def _learn(self, y, name) -> Target:
        """Returns the target as training labels show it."""
        return self._target.learn(y, name)

    def _asked(self, target, rows) -> Asked:
        """Returns what classes weigh and errors cost, before work."""
        return Asked(target)

    def _labelled(self, given, labels, weights, learn, read=read_table, division=None):
        check_aligned(given, labels, weights)
        table = feature_table(self, given, learn, read)
        labels = as_labels(labels)
        check_consistent_length(table, labels)
        weights = check_weights(weights, len(table))
        by = None if division is None else division.read(table, given)
        rows = Labelled(table, labels, weights, by)
        if weights is not None and not weights.all() and not isinstance(table, TableSource):
            rows = rows.take(np.flatnonzero(weights))
        return rows

    def _outputs(self, X):
        check_is_fitted(self)
        return self._fitted.outputs(self._table(X))

    def _table(self, X):
        """Returns features to predict, with the text columns of a file as text."""
        table = feature_table(self, X, learn=False, read=self._reader())
        return check_seen(self._fitted.model, table)

    def _with_target(self, X, y):
        """Returns features, labels, and the target's name."""
        check_is_fitted(self)
        y = self._fitted.target.name if y is None else y
        return training_table(X, y, self._reader())

    def _judged(self, X, y, weights):
        """Returns labelled rows to judge the model by."""
        rows = self._labelled(*self._with_target(X, y)[:2], weights, False, self._reader())
        check_seen(self._fitted.model, rows.x)
        return rows.with_labels(self._fitted.target.plain(rows.y))

    def _reader(self):
        schema = self.schema_
        text = [name for f in schema.features if f.dtype == "string" for name in (f.name, f.key)]
        names = [*schema.columns, *(f.key for f in schema.features)]
        return reader_for(self._fitted.target, names, text)

    def evaluate(self, X: Any, y: Any = None, sample_weight: Any = None) -> dict[str, float]:
        """Returns metrics on labelled rows.

        Args:
            X: Features as for `fit`, or a table with the target among its columns.
            y: `[rows]` labels, or the name of their column. Defaults to `None`: the column that
                `fit` took.
            sample_weight: `[rows]` weights. Defaults to `None`.

        Returns:
            Dict of metrics by name, the estimator's own first: `log_loss`, `accuracy` and
            for two classes `roc_auc`; or `rmse`, `mae` and `r2`.
        """
        rows, fitted = self._judged(X, y, sample_weight), self._fitted
        classes = getattr(fitted.target, "labels", None)
        metric = metric_for(make_metric(self.metric, self._own_metric), classes, rows.y)
        board = Board(metric, fitted.target, None, fitted.decision)
        return board.measure(rows.y, fitted.outputs(rows.x), rows.w)

    def leaderboard(self) -> pd.DataFrame:
        """Returns baselines, candidate ensembles and the served model as a `pandas.DataFrame`.

        Columns: `model`, `kind` (`"baseline"`, `"ensemble"` or `"served"`), metrics on the rows
        that were held out, `seconds` and `note`.
        """
        check_is_fitted(self)
        return self._fitted.board.copy()

    def export(
        self,
        path: str | os.PathLike,
        *,
        format: str = "saved_model",  # noqa: A002 - as in keras.Model.export
        **options: Any,
    ) -> str:
        """Writes a SavedModel, or an ONNX file, whose inputs are the raw columns by name.

        Args:
            path: Folder to write, or file. What an earlier export has written is replaced.
            format: `"saved_model"`, or `"onnx"` as by `serving.export_onnx`, for tables of numbers.
                Defaults to `"saved_model"`.
            **options: `receiver`, `warmup`, `assets_extra`, `check_values`, as for
                `serving.export_saved_model`.

        Returns:
            The path as a string.
        """
        check_is_fitted(self)
        return self._fitted.export(path, format, **options)

    def save(self, path: str | os.PathLike) -> str:
        """Writes the fitted estimator to a folder, from which `automl.load` makes an equal one.

        All arguments are kept, with a warning if one cannot be, such as a generator whose class is
        not registered. The search itself is not part of it; it is kept in the `model_dir`.

        Args:
            path: The folder. One that was saved before is replaced.

        Returns:
            The path as a string.
        """
        check_is_fitted(self)
        about = {
            "kind": type(self).__name__,
            "arguments": describe_arguments(self),
            "features": [self.n_features_in_, list(getattr(self, "feature_names_in_", ()))],
        }
        return write(path, self._fitted, about)

    def adopt(self, fitted: Fitted, features: list[Any]) -> Self:
        """Takes over a model that was saved, for `automl.load`.

        Args:
            fitted: The model.
            features: Number of columns, and their names, if they have names.
        """
        self._fitted = fitted
        self.n_features_in_, names = features
        if names:
            self.feature_names_in_ = np.array(names, dtype=object)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.non_deterministic = self.seed is None
        tags.target_tags.required = True
        return tags
