"""`Explains`: what the estimators say about how their predictions come about."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from sklearn.utils.validation import check_is_fitted

from adaptive_nets._checks import check_integer, check_number
from adaptive_nets.automl.explaining.clusters import groups_of
from adaptive_nets.automl.explaining.contributions import contributions
from adaptive_nets.automl.explaining.dependence import depend
from adaptive_nets.automl.explaining.measure import Measure
from adaptive_nets.automl.explaining.permuting import permute
from adaptive_nets.automl.explaining.targets import explained
from adaptive_nets.automl.judging.scoring import make_metric, metric_for


class Explains:
    """An estimator that tells which columns its predictions depend on, and how."""

    def importances(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        repeats: int = 5,
        time_limit: float | None = None,
        coverage: float = 0.95,
        group_correlated: "bool | float | Mapping | Sequence" = False,
        metric: str | None = None,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Returns what the model loses when the values of a column are those of other rows.

        Permutation importance, as `sklearn.inspection.permutation_importance` computes it with the
        same seed: the metric on these rows, less the metric once a column is permuted. Pass rows
        that the model was not trained on. Intervals allow for the choice of the rows as well as
        for the permutations.

        Args:
            X: Features as for `fit`, or a table with the target among its columns.
            y: `[rows]` labels, or the name of their column. Defaults to `None`: the column that
                `fit` took.
            sample_weight: `[rows]` weights. Defaults to `None`.
            repeats: How often each column is permuted. Defaults to `5`.
            time_limit: Seconds after which no more columns are permuted, with a warning. Defaults
                to `None`: no limit.
            coverage: Probability that an interval holds the importance that a column has with any
                number of rows. Defaults to `0.95`.
            group_correlated: Which columns are permuted together: `True` for those whose
                correlation is about .8 or more, another correlation, lists of columns, or a dict
                from a name to a list of columns. Other columns are permuted one by one. Defaults
                to `False`.
            metric: The name of a scorer of scikit-learn, or `"auto"`. Defaults to `None`: the
                estimator's own.
            seed: Seed of the permutations. Defaults to `0`.

        Returns:
            `pandas.DataFrame` with the columns `feature`, `importance`, `lower`, `upper` and
            `repeats`, the most important first. Errors such as log loss count as losses: higher
            is more important for every metric.

        Raises:
            ValueError: An argument or the data are invalid.
        """
        check_is_fitted(self)
        repeats = check_integer("repeats", repeats, 1)
        seconds = math.inf
        if time_limit is not None:
            seconds = check_number("time_limit", time_limit, 0, inclusive=False)
        coverage = check_number("coverage", coverage, 0, 1, inclusive=False)
        seed = check_integer("seed", seed, 0)
        if seed >= 2**32:
            raise ValueError(f"seed must be less than 2**32, as NumPy's. Received: seed={seed}.")
        named = make_metric(self.metric if metric is None else metric, self._own_metric)
        if named.name == "log_loss":
            # The scorer's rounding of probabilities near 1 is part of scikit-learn's importances.
            named = make_metric("neg_log_loss", self._own_metric)
        rows = self._judged(X, y, sample_weight)
        if len(rows.y) < 2:
            raise ValueError(
                "Importances need at least 2 rows whose values can be exchanged. "
                f"Received: {len(rows.y)} with a weight above 0."
            )
        fitted = self._fitted
        named = metric_for(named, getattr(fitted.target, "labels", None), rows.y)
        groups = groups_of(fitted.schema, rows.x, group_correlated)
        measure = Measure(named, fitted.target, rows, fitted.choose, seed)
        return permute(
            fitted.outputs, rows.x, groups, measure,
            repeats=repeats, seconds=seconds, coverage=coverage, seed=seed,
        )  # fmt: skip

    def partial_dependence(
        self,
        X: Any,
        column: str,
        *,
        kind: str = "average",
        points: int = 50,
        rows: int | None = 1000,
        target: Any = None,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Returns what is predicted if a column has one and the same value in all rows.

        Args:
            X: Features as for `fit`, without labels.
            column: Name of the column: numbers, dates, categories, booleans or text.
            kind: `"average"` for the mean over rows, `"individual"` for a curve for each row, or
                `"both"`. Defaults to `"average"`.
            points: Most values that are tried. Of more numbers or dates, quantiles from 5 to 95 %
                are taken; of more categories, the most frequent. Defaults to `50`.
            rows: Most rows that are used, drawn at random; `None` for all. Defaults to `1000`.
            target: The class whose probability is returned. Defaults to `None`: the second of two
                classes, and all of more.
            seed: Seed of the draw. Defaults to `0`.

        Returns:
            `pandas.DataFrame` with the columns `value` and `mean`; or with `kind="individual"`
            `value`, `row` (the number of the row in `X`) and `prediction`; or with `"both"` all of
            them, where lines of means have no `row`. With several classes or targets, the column
            `target` comes first.

        Raises:
            ValueError: The model does not use the column, or another argument is invalid.
        """
        check_is_fitted(self)
        seed = check_integer("seed", seed, 0)
        fitted = self._fitted
        return depend(
            fitted.outputs, fitted.schema, fitted.target, self._table(X), column,
            kind=kind, points=points, rows=rows, target=target, seed=seed,
        )  # fmt: skip

    def explain(
        self,
        X: Any,
        background: Any = None,
        *,
        target: Any = None,
        draws: int = 100,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Returns what each column contributes to the prediction for each row.

        Contributions are Shapley values: a column's values are known or not, and where they are
        not, they are those of rows of the background. They are in the unit of what is predicted, a
        probability or the target's own unit, and those of a row add up to its prediction less
        the mean prediction for the background. Up to six columns, all subsets are tried; of more,
        orders of the columns are drawn.

        Args:
            X: Rows to explain, without labels.
            background: Rows to compare with, without labels, of which as many as `draws` are drawn.
                Defaults to `None`: training rows, which are known in the process of `fit`.
            target: The class whose probability is explained. Defaults to `None`: the second of two
                classes, and all of more.
            draws: Rows of the background, and orders of the columns, that are drawn for each row:
                each takes about two predictions for each column. Defaults to `100`.
            seed: Seed of the draws. Defaults to `0`.

        Returns:
            `pandas.DataFrame` with the columns `row` (the number of the row in `X`), `output` (the
            class, or the target's name), `feature`, `value`, `contribution`, `standard_error`
            (what other rows of the background and other orders would change), `prediction` and
            `mean` (that of the background). Columns that the model does not read have no line.

        Raises:
            ValueError: There is no such class, no background is known, or another argument is
                invalid. The message is one line.
        """
        check_is_fitted(self)
        fitted = self._fitted
        draws, seed = check_integer("draws", draws, 1), check_integer("seed", seed, 0)
        wanted = explained(fitted.target, target)
        table = self._table(X)
        if background is not None:
            try:
                background = self._table(background)
            except (TypeError, ValueError) as error:
                raise ValueError(
                    "background must be rows as for fit, without labels: "
                    f"{' '.join(str(error).split())}"
                ) from error
        elif fitted.rows is not None:
            background = fitted.rows.trained.x
        else:
            raise ValueError(
                "explain needs rows to compare with: those of fit are not saved with an estimator. "
                "Pass background, rows without labels such as those of fit. "
                "Received: background=None."
            )
        return contributions(fitted, table, background, wanted, draws, seed)
