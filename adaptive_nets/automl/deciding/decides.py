"""`Decides`: what `AutoClassifier` predicts, and how that is changed."""

import dataclasses
import os
from typing import Any, Self

import pandas as pd
from sklearn.utils.validation import check_is_fitted

from adaptive_nets._checks import check_number
from adaptive_nets.automl.deciding.asked import Asked
from adaptive_nets.automl.deciding.class_weights import class_factors
from adaptive_nets.automl.deciding.costs import read_costs
from adaptive_nets.automl.deciding.decision import Decision


class Decides:
    """An estimator of classes that predicts by a threshold, by factors or by costs."""

    class_weight: Any
    costs: Any

    def _asked(self, target, rows) -> Asked:
        factors = costs = None
        if self.class_weight is not None:
            factors = class_factors(target, self.class_weight, rows)
        if self.costs is not None:
            costs = read_costs(target, self.costs)
        return Asked(target, factors, costs)

    @property
    def decision_(self) -> Decision | None:
        """The rule by which `predict` chooses a class; `None` for the most probable one.

        `print` says what it is. Its attributes are `origin` (`"tuned"`, `"costs"`,
        `"class_weight"` or `"set"`), `threshold` of two classes, `factors` of more, `costs`, and
        of a tuned rule `metric`, `before` and `after`: the metric of the rule that it replaces,
        and its own on rows that it was not tuned on. With `folds`, these are training rows, by
        networks that have not seen them.
        """
        return self._known("decision_").decision

    @property
    def threshold_(self) -> float:
        """The probability from which on the second of two classes is predicted."""
        self._two_classes("threshold_", AttributeError)
        decision = self.decision_
        return 0.5 if decision is None else float(decision.threshold)

    def set_threshold(self, threshold: float) -> Self:
        """Sets the probability from which on the second of two classes is predicted.

        It holds for `predict`, for what is saved and for what is exported, until the next `fit`.
        Probabilities stay what they are.

        Args:
            threshold: Number from 0 to 1.

        Returns:
            The estimator.

        Raises:
            ValueError: It is out of range, or there are more than two classes.

        Example:

        ```python
        from sklearn.datasets import load_breast_cancer
        import adaptive_nets as an

        x, y = load_breast_cancer(return_X_y=True)
        model = an.AutoClassifier(time_limit=0.1, seed=0, verbose=0).fit(x, y)
        model.set_threshold(0.3).predict(x[:2])
        ```
        """
        check_is_fitted(self)
        threshold = check_number("threshold", threshold, 0, 1)
        labels = self._two_classes("set_threshold", ValueError)
        known = self.decision_ or Decision(tuple(labels), "set")
        rule = dataclasses.replace(
            known, origin="set", threshold=threshold, metric=None, rows=0, before=None, after=None
        )
        # Not in place: a shallow copy of the estimator stays what it is.
        self._fitted = dataclasses.replace(self._fitted, decision=rule)
        return self

    def predict_set(self, X: Any, coverage: float = 0.9, by: str | None = None) -> pd.DataFrame:
        """Returns sets of classes that hold the true one with a given probability.

        How large they have to be is measured on the rows that were held out of the training
        (split conformal prediction). Sets have the most probable classes and are never empty; the
        surer the model, the smaller they are. They hold the true class at least so often on
        further rows that are like these; more often, if already the most probable class is right
        more often.

        Args:
            X: Features, as for `fit`.
            coverage: Share of the rows, between 0 and 1. Defaults to `0.9`.
            by: Name of a column of at most 50 different values: sets then hold so often for the
                rows of each value by themselves. Those of values with too few held-out rows are as
                large as without it, with a warning. Defaults to `None`: on average over all rows.

        Returns:
            `pandas.DataFrame` of booleans with a column for each of `classes_`: whether it is in
            the set.

        Raises:
            ValueError: No rows were held out, or too few for this coverage, or there is no such
                column.

        Example:

        ```python
        from sklearn.datasets import load_iris
        import adaptive_nets as an

        x, y = load_iris(return_X_y=True)
        model = an.AutoClassifier(time_limit=0.1, seed=0, verbose=0).fit(x, y)
        model.predict_set(x[:2], coverage=0.9)
        ```
        """
        check_is_fitted(self)
        found = self._fitted.class_sets(self._table(X), coverage, by)
        return pd.DataFrame(found, columns=self._fitted.target.labels.tolist())

    def export(
        self, path: str | os.PathLike, *, coverage: float | None = None, **options: Any
    ) -> str:
        """Writes a SavedModel whose inputs are the raw columns by name.

        Args:
            path: Folder to write. An existing SavedModel folder is replaced.
            coverage: Share of rows whose class is in the output `set`, `[rows, classes]` booleans
                as those of `predict_set`. Defaults to `None`: there is no such output.
            **options: `format`, `receiver`, `warmup`, `assets_extra`, `check_values`, as for
                `serving.export_saved_model`.

        Returns:
            The path as a string.
        """
        return super().export(path, coverage=coverage, **options)

    def _two_classes(self, name, kind):
        labels = self._known(name).target.labels.tolist()
        if len(labels) != 2:
            raise kind(
                f"{name} is for two classes. Of more, pass costs to AutoClassifier, or a metric "
                f"that factors are tuned for. Received: a model of {len(labels)} classes."
            )
        return labels
