"""`adanet.ensemble`: strategies, and how the members of an ensemble are weighed."""

from typing import Any

from adaptive_nets._arguments import Ignored, takes
from adaptive_nets._checks import check_choice, check_path, check_text, or_none
from adaptive_nets.adanet import (
    All,
    Candidate,
    Ensemble,
    Ensembler,
    Grow,
    Mixture,
    MixtureEnsembler,
    Penalty,
    Solo,
    Strategy,
    UniformEnsembler,
)
from adaptive_nets.adanet.ensembles.mixtures.kinds import MIXTURE_KINDS

AllStrategy, GrowStrategy, SoloStrategy = All, Grow, Solo

_SOLVED = "mixture weights are solved, not trained"
_WEIGHTED = {
    "optimizer": Ignored(_SOLVED),
    "mixture_weight_initializer": Ignored(_SOLVED),
    "warm_start_mixture_weights": Ignored(_SOLVED, (None, False)),
}
_MEAN = {
    "add_mean_last_layer_predictions": Ignored(
        "export_subnetwork_last_layer exports the last layers", (None, False)
    )
}

__all__ = [
    "AllStrategy",
    "Candidate",
    "ComplexityRegularizedEnsembler",
    "Ensemble",
    "Ensembler",
    "GrowStrategy",
    "MeanEnsembler",
    "Mixture",
    "MixtureWeightType",
    "SoloStrategy",
    "Strategy",
]


class MixtureWeightType:
    """Kinds of mixture weights, by adanet's names."""

    SCALAR = "scalar"
    VECTOR = "vector"
    MATRIX = "matrix"


@takes(_WEIGHTED)
def ComplexityRegularizedEnsembler(  # noqa: N802 (adanet's name)
    optimizer: Any = None,
    mixture_weight_type: str = MixtureWeightType.SCALAR,
    mixture_weight_initializer: Any = None,
    warm_start_mixture_weights: bool = False,
    model_dir: Any = None,
    adanet_lambda: float = 0.0,
    adanet_beta: float = 0.0,
    use_bias: bool = False,
    name: str | None = None,
) -> MixtureEnsembler:
    """Returns an `adanet.MixtureEnsembler`.

    Args:
        optimizer: Ignored: mixture weights are solved. Defaults to `None`.
        mixture_weight_type: `"scalar"`, `"vector"` or `"matrix"`. Defaults to `"scalar"`.
        mixture_weight_initializer: Ignored. Defaults to `None`.
        warm_start_mixture_weights: Ignored. Defaults to `False`.
        model_dir: The folder of the search, which it has anyway. Defaults to `None`.
        adanet_lambda: λ of the objective. Defaults to `0.0`.
        adanet_beta: β of the objective. Defaults to `0.0`.
        use_bias: Whether the mixture has a bias. Defaults to `False`.
        name: A name, which nothing uses. Defaults to `None`.
    """
    kind = check_choice("mixture_weight_type", mixture_weight_type, tuple(MIXTURE_KINDS))
    or_none(check_path, "model_dir", model_dir)
    or_none(check_text, "name", name)
    return MixtureEnsembler(kind, Penalty(adanet_lambda, adanet_beta), use_bias)


@takes(_MEAN)
def MeanEnsembler(  # noqa: N802
    name: str | None = None, add_mean_last_layer_predictions: bool = False
) -> UniformEnsembler:
    """Returns an `adanet.UniformEnsembler`.

    Args:
        name: A name, which nothing uses. Defaults to `None`.
        add_mean_last_layer_predictions: Ignored. Defaults to `False`.
    """
    or_none(check_text, "name", name)
    return UniformEnsembler()
