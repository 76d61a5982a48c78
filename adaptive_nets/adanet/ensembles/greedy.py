"""`GreedyEnsembler`: members are added one by one, with replacement."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import check_config, check_integer
from adaptive_nets.adanet.ensembles.probability import ProbabilityEnsembler
from adaptive_nets.serialization import describe_object, restore_object


@keras.saving.register_keras_serializable(package="adaptive_nets")
class GreedyEnsembler(ProbabilityEnsembler):
    """The mean of members that are chosen one after another, each as often as it helps.

    In every step the member joins whose weight, raised by one, gives the lowest loss of the mean
    plus `Σ Γ_j w_j`; among equals one that is in already. What is kept are the weights of the best
    step (Caruana and others: Ensemble selection from libraries of models, 2004).
    `adanet.ProbabilityEnsembler` finds the minimum that this approaches.

    Args:
        gamma: As for `adanet.ProbabilityEnsembler`. Defaults to `None`: no penalty.
        steps: Number of steps. Defaults to 40.

    Example:

    ```python
    import adaptive_nets as an

    search = an.AdaNet(
        an.heads.MultiClass(), training="independent", ensemble_strategies="all",
        mixture_weights=an.adanet.GreedyEnsembler(), mixture_data="validation",
    )
    ```
    """

    def __init__(self, gamma: Callable[[float], float] | None = None, steps: int = 40):
        super().__init__(gamma, shrinkage=0.0)
        self.steps = check_integer("steps", steps, 1)

    def _weights(self, solver, columns, starts, given, shrinkage):
        loss = solver.loss_of(**given)

        def value(w):
            return loss(w) / self._unit + columns.gamma @ w

        size = len(columns.gamma)
        counts, best, found = np.zeros(size), np.inf, None
        for step in range(1, self.steps + 1):
            values = np.array([value((counts + one) / step) for one in np.eye(size)])
            equal = values <= values.min() + 1e-12 * max(1.0, abs(values.min()))
            chosen = np.argmax(equal * (1 + (counts > 0)))
            counts[chosen] += 1
            if values[chosen] < best:
                best, found = values[chosen], counts / step
        return found

    def get_config(self) -> dict[str, Any]:
        return {"gamma": describe_object(self.gamma), "steps": self.steps}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "GreedyEnsembler":
        config = check_config(cls, config)
        gamma = restore_object(config["gamma"], "mixture_weights", "penalty")
        return cls(**{**config, "gamma": gamma})
