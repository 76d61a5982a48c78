"""Creates the `Ensembler` for a search's settings, which may be several."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import check_config, check_list
from adaptive_nets.adanet.ensembles.ensemble import Mixture
from adaptive_nets.adanet.ensembles.ensembler import Ensembler, Outputs
from adaptive_nets.adanet.ensembles.mixture_ensembler import MixtureEnsembler
from adaptive_nets.adanet.ensembles.mixtures.kinds import MIXTURE_KINDS
from adaptive_nets.adanet.ensembles.mixtures.penalty import Penalty
from adaptive_nets.adanet.ensembles.probability import ProbabilityEnsembler
from adaptive_nets.adanet.ensembles.uniform import UniformEnsembler
from adaptive_nets.heads import Head
from adaptive_nets.heads.loss_scale import LossScale
from adaptive_nets.serialization import describe_object, restore_object

# The choices of `AdaNet(mixture_weights=...)`.
CHOICES = (*MIXTURE_KINDS, "uniform", "probability")


def make_ensembler(
    mixture_weights: str | Ensembler,
    adanet_lambda: float,
    adanet_beta: float,
    mixture_bias: bool,
    refit: str,
) -> Ensembler:
    """Creates an `Ensembler` from a name, or returns the one that was passed.

    Raises:
        ValueError: The name of the mixture weights is unknown, or they have no bias.
    """
    if isinstance(mixture_weights, Ensembler):
        return mixture_weights
    gamma = Penalty(adanet_lambda, adanet_beta)
    if mixture_weights == "uniform":
        return UniformEnsembler(gamma)
    if mixture_weights == "probability":
        if mixture_bias:
            raise ValueError(
                "mixture_bias has no meaning for mixture_weights='probability', a mean of "
                "predictions. Received: mixture_bias=True."
            )
        return ProbabilityEnsembler(gamma, refit)
    return MixtureEnsembler(mixture_weights, gamma, mixture_bias, refit)


@keras.saving.register_keras_serializable(package="adaptive_nets")
class SeveralEnsemblers(Ensembler):
    """Several ensemblers: each weighs each candidate ensemble, and the best of all is selected.

    An objective has the penalty of the ensembler that weighed. While a round trains, the first
    ensembler's penalty and scales hold.

    Args:
        ensemblers: The `Ensembler`s, at least two.

    Example:

    ```python
    import adaptive_nets as an

    both = an.adanet.SeveralEnsemblers(
        [
            an.adanet.MixtureEnsembler("scalar", an.adanet.Penalty(0.01)),
            an.adanet.UniformEnsembler(),
        ]
    )
    ```
    """

    compared = ("ensemblers",)

    def __init__(self, ensemblers: Sequence[Ensembler]):
        words = "a list of at least two adanet.Ensemblers"
        self.ensemblers = check_list("ensemblers", ensemblers, Ensembler, words, 2)
        self.gamma: Callable[[float], float] = self.ensemblers[0].gamma
        self.reads_last_layer = any(each.reads_last_layer for each in self.ensemblers)
        self.averages_predictions = any(each.averages_predictions for each in self.ensemblers)

    def of(self, mixture: Mixture) -> Ensembler:
        return self.ensemblers[mixture.ensembler]

    def choices(self) -> list[Ensembler]:
        return list(self.ensemblers)

    def for_head(self, head: Head) -> "SeveralEnsemblers":
        return SeveralEnsemblers([each.for_head(head) for each in self.ensemblers])

    def relative_to(self, scale: LossScale) -> "SeveralEnsemblers":
        return SeveralEnsemblers([each.relative_to(scale) for each in self.ensemblers])

    def fit(self, *arguments: Any, **named: Any) -> Mixture:
        """Fits the mixture by the first ensembler."""
        return self.ensemblers[0].fit(*arguments, **named)

    def apply(self, mixture: Mixture, outputs: Outputs) -> np.ndarray:
        return self.of(mixture).apply(mixture, outputs)

    def build(
        self, mixture: Mixture, outputs: list[dict[str, keras.KerasTensor]]
    ) -> keras.KerasTensor:
        return self.of(mixture).build(mixture, outputs)

    def scales(self, members: int) -> tuple[float, float]:
        return self.ensemblers[0].scales(members)

    def get_config(self) -> dict[str, Any]:
        return {"ensemblers": [describe_object(each) for each in self.ensemblers]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SeveralEnsemblers":
        given = check_config(cls, config)["ensemblers"]
        return cls([restore_object(each, "mixture_weights") for each in given])
