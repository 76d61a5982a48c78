"""The `Ensembler` that a search's settings ask for."""

from adaptive_nets.adanet.ensembles.ensembler import Ensembler, MixtureEnsembler, UniformEnsembler


def make_ensembler(
    mixture_weights: str | Ensembler,
    adanet_lambda: float,
    adanet_beta: float,
    mixture_bias: bool,
    refit: str,
) -> Ensembler:
    """An `Ensembler` from a name, or the one that was given."""
    if isinstance(mixture_weights, Ensembler):
        return mixture_weights
    lam, beta = float(adanet_lambda), float(adanet_beta)

    def gamma(r):
        return lam * r + beta

    if mixture_weights == "uniform":
        return UniformEnsembler(gamma)
    return MixtureEnsembler(mixture_weights, gamma, mixture_bias, refit)
