"""`Asked`: what an estimator is told about its classes: how much each weighs, what errors cost."""

import dataclasses

import keras
import numpy as np

from adaptive_nets._dtypes import whole_dtype
from adaptive_nets.automl.deciding.decision import Decision, threshold_of
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.targets import Classes, Target
from adaptive_nets.graphs.unique_names import named_model


@dataclasses.dataclass(frozen=True, eq=False)
class Asked:
    """Weights of classes, which training rows have, and costs of errors.

    A model of weighted rows gives the probabilities that classes would have if they were as
    frequent as they weigh. Those of the rows as they are come from dividing by the weights (Elkan,
    2001); the class is predicted whose probability times its weight is largest, as before.

    Args:
        target: The target.
        factors: `[classes]` weights, or `None`.
        costs: `[classes, classes]` costs, by true and predicted class, or `None`.
    """

    target: Target
    factors: np.ndarray | None = None
    costs: np.ndarray | None = None

    @property
    def rule(self) -> Decision | None:
        """What is predicted, before anything is tuned; `None` for the most probable class."""
        if not isinstance(self.target, Classes) or (self.factors is None and self.costs is None):
            return None
        classes = tuple(self.target.labels.tolist())
        costs, threshold = self.costs, None
        if costs is not None:
            if len(classes) == 2:
                threshold = threshold_of(costs)
            return Decision(classes, "costs", threshold, costs=costs)
        if len(classes) == 2:
            threshold = float(self.factors[0] / self.factors.sum())
            return Decision(classes, "class_weight", threshold)
        return Decision(classes, "class_weight", factors=self.factors)

    @property
    def stored(self) -> tuple[float, ...] | None:
        """The weights of classes as plain numbers, or `None`."""
        return None if self.factors is None else tuple(map(float, self.factors))

    def weigh(self, rows: Labelled) -> Labelled:
        """Returns rows as models are trained on them."""
        if self.factors is None:
            return rows
        return rows.weighted(self.factors[self.target.codes(rows.y)])

    def as_they_are(self, probabilities: np.ndarray | None) -> np.ndarray | None:
        """Returns the probabilities of rows as they are, from those of weighted rows."""
        return self._scaled(probabilities, -1)

    def as_weighted(self, probabilities: np.ndarray) -> np.ndarray:
        """Returns the probabilities of weighted rows, from those of rows as they are."""
        return self._scaled(probabilities, 1)

    def _scaled(self, probabilities, sign):
        if self.factors is None or probabilities is None:
            return probabilities
        found = np.asarray(probabilities, "float64") * self.factors**sign
        return found / found.sum(axis=1, keepdims=True)

    def correct(self, model: keras.Model) -> keras.Model:
        """Returns a model of rows as they are, from one of weighted rows.

        Args:
            model: From features to the logits of the target's head.
        """
        if self.factors is None:
            return model
        offset = -np.log(self.factors)
        if len(offset) == 2:  # One logit, of the second class against the first one.
            offset = offset[1:] - offset[:1]
        layer = keras.layers.Rescaling(
            1.0, offset.tolist(), name="shares_of_the_classes", dtype=whole_dtype()
        )
        return named_model(model.input, layer(model.output), model.name)
