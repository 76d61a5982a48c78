"""`Decides`: what `AutoClassifier` predicts, and how that is changed."""

import dataclasses
from typing import Any, Self

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
        and its own on held-out rows that it was not tuned on.
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
        self._fitted.decision = dataclasses.replace(
            known, origin="set", threshold=threshold, metric=None, rows=0, before=None, after=None
        )
        return self

    def _two_classes(self, name, kind):
        labels = self._known(name).target.labels.tolist()
        if len(labels) != 2:
            raise kind(
                f"{name} is for two classes. Of more, pass costs to AutoClassifier, or a metric "
                f"that factors are tuned for. Received: a model of {len(labels)} classes."
            )
        return labels
