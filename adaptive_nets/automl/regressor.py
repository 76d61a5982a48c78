"""`AutoRegressor`."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from adaptive_nets._checks import check_choice
from adaptive_nets.automl.base import AutoEstimator
from adaptive_nets.automl.inputs import as_labels
from adaptive_nets.automl.losses.distribution import Distributions
from adaptive_nets.automl.losses.positive import FAMILIES, Positive
from adaptive_nets.automl.losses.quantiles import LEVELS, Quantiles
from adaptive_nets.automl.targets import Numbers

if TYPE_CHECKING:
    import tensorflow as tf

    from adaptive_nets.adanet import Generator
    from adaptive_nets.data import Schema
    from adaptive_nets.distribute import Ray

LOSSES = ("squared_error", *FAMILIES)
OWN_LOSSES = {"quantiles": "the pinball loss", "distribution": "the likelihood"}
OUTPUTS = ("mean", "quantiles", "distribution")


class AutoRegressor(RegressorMixin, AutoEstimator):
    """Predicts numbers from a table: strings, numbers, dates and missing values as they are.

    It works as `AutoClassifier` does, with the same arguments; `metric="auto"` is the root mean
    squared error, or the mean deviance of the loss.

    Args:
        loss: `"squared_error"`; or, for a target of counts, amounts or other numbers that are not
            negative and whose predictions are not either, `"poisson"` (counts), `"gamma"` (numbers
            above 0, by relative error) or `"tweedie"` (many zeros among positive amounts; power
            1.5). Defaults to `"squared_error"`.
        output: `"mean"`, or `"quantiles"`: the model gives quantiles of the target, of which
            `predict` returns the median; or `"distribution"`: the model gives a normal distribution
            for each row, of which `predict` returns the mean. The intervals of both have the width
            that each row asks for. `"distribution"` needs tensorflow-probability (`pip install
            'adaptive-nets[probability]'`). Defaults to `"mean"`.
        time_limit: Seconds for all of `fit`. Defaults to `None`: it ends by itself.
        preset: `"fast"` (10 seconds), `"good"`, or `"best"` (folds). Defaults to `"good"`.
        metric: What the choice is made by: `"auto"` or the name of a scorer of scikit-learn.
            Defaults to `"auto"`.
        schema: A `data.Schema` to read tables by. Defaults to `None`: it is inferred.
        folds: Number of networks per candidate, each trained without a fold of the rows, by which
            it is stopped and weighed; `None` for one, which the rows held out stop and weigh.
            `"auto"` is 8 with `preset="best"`, else `None`.
        repeats: How often the rows are divided into folds, each time in another way and with
            networks of their own. For few rows: what networks say of rows that they have not seen
            is averaged over the repeats. Defaults to 1.
        generator: An `adanet.Generator` of candidates. Defaults to `None`.
        model_dir: Folder to keep the search and the model in; `fit` continues a search that it
            finds there. Defaults to `None`.
        seed: Integer seed. Defaults to `None`: a random one, or 0 with a `model_dir`.
        verbose: `"auto"`, 0 (silent), 1 (live display) or 2 (one line per round).
        distribute: What `distribute.make_strategy` takes, such as `"multi_worker"`: the processes
            of `TF_CONFIG` fit together, and each reads its share of Parquet files. Defaults to
            `None`: one device of this process.
        placement: `"replicated"`, or `"ray"` or a `distribute.Ray`: processes of a Ray cluster fit
            together, each with its share of a `ray.data.Dataset` or of Parquet files. Defaults to
            `"replicated"`.

    Attributes:
        schema_: The `data.Schema`.
        search_: The `AdaNet`, to which the target has mean 0 and deviation 1, or mean 1 with
            another loss than squared errors.
        model_: The served `keras.Model`.
        stop_reason_: Why the search ended.
        n_features_in_: Number of columns.
        feature_names_in_: Names of the columns, if they have names.

    Example:

    ```python
    from sklearn.datasets import load_diabetes
    import adaptive_nets as an

    table = load_diabetes(as_frame=True).frame
    model = an.AutoRegressor(time_limit=1, seed=0, verbose=0).fit(table, "target")
    model.evaluate(table)  # its RMSE, MAE and R²
    ```
    """

    _target = Numbers

    def __init__(
        self,
        *,
        loss: str = "squared_error",
        output: str = "mean",
        time_limit: float | None = None,
        preset: str = "good",
        metric: str = "auto",
        schema: "Schema | None" = None,
        folds: int | str = "auto",
        repeats: int = 1,
        generator: "Generator | None" = None,
        model_dir: str | os.PathLike | None = None,
        seed: int | None = None,
        verbose: str | int = "auto",
        distribute: "str | tf.distribute.Strategy | None" = None,
        placement: "str | Ray" = "replicated",
    ):
        super().__init__(
            time_limit=time_limit, preset=preset, metric=metric, schema=schema, folds=folds,
            repeats=repeats, generator=generator, model_dir=model_dir, seed=seed, verbose=verbose,
            distribute=distribute, placement=placement,
        )  # fmt: skip
        self.loss = loss
        self.output = output

    @property
    def _own_metric(self):
        loss = check_choice("loss", self.loss, LOSSES)
        if check_choice("output", self.output, OUTPUTS) != "mean":
            if loss != LOSSES[0]:
                raise ValueError(
                    f"output={self.output!r} has a loss of its own, {OWN_LOSSES[self.output]}. "
                    f"Leave loss out, or pass output='mean'. Received: loss={loss!r}."
                )
            return "mean_pinball_loss"
        return "rmse" if loss == LOSSES[0] else f"mean_{loss}_deviance"

    def _learn(self, y, name):
        numbers = super()._learn(y, name)
        if self.output != "mean":
            kind = Quantiles if self.output == "quantiles" else Distributions
            target = kind.of(numbers)
            # What it needs is missing before work, or not at all.
            target.head()
            return target
        return numbers if self.loss == LOSSES[0] else Positive.of(numbers, y, self.loss)

    def predict(self, X: Any) -> np.ndarray:
        """Returns predictions `[rows]`, or `[rows, targets]` for several targets.

        With `output="quantiles"` they are medians, with `"distribution"` means.

        Args:
            X: Features, as for `fit`.
        """
        return self._fitted_target().point(self._outputs(X))

    def predict_quantiles(self, X: Any) -> pd.DataFrame:
        """Returns predicted quantiles, a `pandas.DataFrame` with a column for each level.

        They rise with the level, and are those of the model: `predict_interval` widens or narrows
        them by what held-out rows say.

        Args:
            X: Features, as for `fit`.

        Raises:
            ValueError: The model was fitted with `output="mean"`.
        """
        levels = self._fitted_target().levels
        if levels is None:
            raise ValueError(
                "Quantiles are predicted by a model that was fitted with output='quantiles' or "
                "'distribution'; predict_interval works for all. Received: a model of means."
            )
        return pd.DataFrame(self._outputs(X), columns=list(levels))

    def predict_distribution(self, X: Any) -> pd.DataFrame:
        """Returns the mean, the deviation and quantiles of each row's normal distribution.

        They are those of the model: `predict_interval` corrects them by what held-out rows say.

        Args:
            X: Features, as for `fit`.

        Returns:
            `pandas.DataFrame` with the columns `mean` and `deviation`, and one for each level.

        Raises:
            ValueError: The model was not fitted with `output="distribution"`.
        """
        if not isinstance(self._fitted_target(), Distributions):
            raise ValueError(
                "Distributions are predicted by a model that was fitted with "
                "output='distribution'; predict_interval works for all. "
                f"Received: output={self.output!r}."
            )
        logits = self._fitted.outputs(self._table(X), "logits")
        found = self._fitted.head.predictions(logits)
        moments = {name: np.asarray(found[name])[:, 0] for name in ("mean", "deviation")}
        quantiles = dict(zip(LEVELS, np.asarray(found["quantiles"]).T, strict=True))
        return pd.DataFrame({**moments, **quantiles})

    def _fitted_target(self):
        check_is_fitted(self)
        return self._fitted.target

    def predict_interval(self, X: Any, coverage: float = 0.9, by: str | None = None) -> np.ndarray:
        """Returns intervals that hold the true value with a given probability: `[rows, 2]`.

        Their width is measured on the rows that were held out of the training (split conformal
        prediction; of quantiles with `output="quantiles"`, in proportion to each row's deviation
        with `"distribution"`), so that they hold where further rows are like these. Without folds
        the model was also chosen by these rows, so intervals are a little too narrow; with
        `folds`, training rows are counted too, by networks that have not seen them. With several
        targets, `[rows, targets, 2]`, each target is covered so often by itself.

        Args:
            X: Features, as for `fit`.
            coverage: Share of the rows, between 0 and 1. Defaults to `0.9`.
            by: Name of a column of at most 50 different values: intervals then hold so often for
                the rows of each value by themselves. Those of values with too few held-out rows
                are as wide as without it, with a warning. Defaults to `None`: on average over all
                rows.

        Raises:
            ValueError: No rows were held out, or too few for this coverage, or there is no such
                column.
        """
        check_is_fitted(self)
        return np.stack(self._fitted.interval(self._table(X), coverage, by), axis=-1)

    def export(
        self, path: str | os.PathLike, *, coverage: float | None = None, **options: Any
    ) -> str:
        """Writes a SavedModel whose inputs are the raw columns by name.

        Args:
            path: Folder to write. An existing SavedModel folder is replaced.
            coverage: Share of rows that the outputs `lower` and `upper` hold, as those of
                `predict_interval` do. Defaults to `None`: there are no such outputs.
            **options: `receiver`, `warmup`, `assets_extra`, `check_values`, as for
                `serving.export_saved_model`.

        Returns:
            The path as a string.
        """
        return super().export(path, coverage=coverage, **options)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Returns R² of the predictions.

        Args:
            X: Features as for `fit`, or a table with the target among its columns.
            y: `[rows]` numbers, or the name of their column. Defaults to `None`: the column that
                `fit` took.
            sample_weight: `[rows]` weights. Defaults to `None`.
        """
        table, labels, _ = self._with_target(X, y)
        return super().score(table, self._fitted.target.plain(as_labels(labels)), sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
