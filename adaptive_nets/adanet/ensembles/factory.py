"""Creates the `Ensembler` for a search's settings."""

from adaptive_nets.adanet.ensembles.ensembler import Ensembler
from adaptive_nets.adanet.ensembles.mixture_ensembler import MixtureEnsembler
from adaptive_nets.adanet.ensembles.mixtures.kinds import MIXTURE_KINDS
from adaptive_nets.adanet.ensembles.mixtures.penalty import Penalty
from adaptive_nets.adanet.ensembles.probability import ProbabilityEnsembler
from adaptive_nets.adanet.ensembles.uniform import UniformEnsembler

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
