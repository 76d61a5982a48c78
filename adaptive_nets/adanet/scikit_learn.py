"""What scikit-learn asks of an estimator, for `AdaNet`."""

import copy
import inspect
from typing import Any, Self

import numpy as np

from adaptive_nets.adanet.ensembles.metrics import evaluate_logits
from adaptive_nets.adanet.fit_data import labelled_rows
from adaptive_nets.adanet.inspection.predictions import predict_rows, read_output
from adaptive_nets.adanet.results import SearchResults
from adaptive_nets.heads import MultiLabel

# AdaNet's own error replaces that of a property; this is its second half.
_NEEDS = {
    "classes_": "a fitted search whose head predicts classes",
    "predict_proba": "a head that predicts classes",
}


def why_absent(name: str) -> str:
    """Returns what a search lacks that does not have this attribute of a classifier, as text."""
    return f": it needs {_NEEDS[name]}" if name in _NEEDS else ""


class ScikitLearnFace:
    """Lets a search stand where scikit-learn expects an estimator, as in `cross_val_score`.

    A search whose head predicts classes is a classifier, one whose head predicts numbers a
    regressor. `sklearn.base.clone` makes an unfitted search without a `model_dir`, which two
    searches cannot share.
    """

    results: SearchResults

    @property
    def classes_(self) -> np.ndarray:
        """The classes, in the order of `predict_proba`. Only for a fitted classifier."""
        context = self.results.context
        if context is None:
            raise AttributeError("classes_ is known once the search is fitted.")
        head = context.head
        if isinstance(head, MultiLabel):
            return np.array(head.class_names or range(head.units))
        if head.class_labels is None:
            raise AttributeError(f"Head '{head.name}' has no classes.")
        return np.array(head.class_labels)

    @property
    def predict_proba(self) -> Any:
        """`predict_proba(x)` returns probabilities `[rows, classes]`. Only for a classifier."""
        if not self._classifies:
            raise AttributeError("The head predicts no classes.")
        return self._predict_proba

    def _predict_proba(self, x: Any) -> np.ndarray:
        """Returns the probabilities `[rows, classes]` of `classes_`.

        Args:
            x: Features, as for `predict`.
        """
        return self.predict(x, output="probabilities")

    def score(self, x: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Returns how well the ensemble predicts, higher being better.

        Args:
            x: Features, as for `evaluate`.
            y: Labels. Omit for a dataset.
            sample_weight: One weight >= 0 per row. Defaults to `None`.

        Returns:
            Accuracy for a classifier (with several labels per row, the share of rows whose labels
            are all right), R² for a regression; for other heads the main metric, or its negative
            if lower is better.
        """
        if self.results.context is None:
            self.results.evaluate(x, y)  # It says that there is no ensemble.
        head, schema = self.results.context.head, self.results.schema
        rows = labelled_rows(x, y, head, "score", sample_weight, schema=schema)
        logits = predict_rows(self.results.model, rows.x, 1024)
        if isinstance(head, MultiLabel):
            right = (read_output(head, logits, "classes") == rows.y).all(axis=1)
            return float(np.average(right, weights=rows.w))
        measured = evaluate_logits(head, logits, rows)
        for name in ("accuracy", "r2"):
            if name in measured:
                return measured[name]
        name, direction = head.main_metric
        return measured[name] if direction == "max" else -measured[name]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Returns the constructor's arguments by name, as scikit-learn asks for them.

        Args:
            deep: Accepted for scikit-learn; the arguments have no parameters of their own.
        """
        return self.settings.as_arguments()

    def set_params(self, **params: Any) -> Self:
        """Changes constructor arguments, as scikit-learn does.

        Args:
            **params: New values by name. After `fit` only those that can change then.

        Returns:
            The search.

        Raises:
            ValueError: A name is unknown or a value invalid. Nothing is changed then.
        """
        known = self.get_params()
        unknown = [name for name in params if name not in known]
        if unknown:
            raise ValueError(
                f"set_params takes the constructor's arguments {', '.join(known)}. "
                f"Received: {', '.join(unknown)}."
            )
        if self.results.context is None:
            self.__init__(**{**known, **params})
            return self
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __sklearn_clone__(self) -> Self:
        given = {**self.get_params(), "model_dir": None}
        for name in ("head", "generator", "ensemble_strategies", "mixture_weights"):
            given[name] = copy.deepcopy(given[name])
        accepted = inspect.signature(type(self)).parameters
        return type(self)(**{name: value for name, value in given.items() if name in accepted})

    def __sklearn_is_fitted__(self) -> bool:
        return self.results.context is not None and self.results.state.current.ensemble is not None

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags

        several = isinstance(self.head, MultiLabel)
        regresses = self.head.default_output == "predictions"
        kind = "classifier" if self._classifies else "regressor" if regresses else None
        return Tags(
            estimator_type=kind,
            target_tags=TargetTags(
                required=True, multi_output=several or kind != "classifier", single_output=True
            ),
            classifier_tags=ClassifierTags(multi_label=several) if self._classifies else None,
            regressor_tags=RegressorTags() if regresses else None,
            input_tags=InputTags(three_d_array=True, string=True),
            non_deterministic=self.settings.seed is None,
        )

    @property
    def _classifies(self):
        return self.head.default_output == "classes"
