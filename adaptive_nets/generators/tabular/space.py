"""The space of settings of RealMLP for `generators.Tuned`."""

from collections.abc import Mapping
from typing import Any

from adaptive_nets.generators.tabular.builder import TabularBuilder
from adaptive_nets.generators.tabular.recipe import EMBEDDINGS, USUAL, Recipe
from adaptive_nets.generators.tabular.statistics import TableStatistics


def realmlp_space(distributions: Any) -> dict[str, Any]:
    """Returns the space: Optuna distributions by name.

    Args:
        distributions: `optuna.distributions`.
    """
    real, one_of = distributions.FloatDistribution, distributions.CategoricalDistribution
    return {
        "layers": distributions.IntDistribution(2, 4),
        "width": one_of([128, 256, 384]),
        "embedding": one_of(list(EMBEDDINGS)),
        "codes": one_of([False, True]),
        "dropout": real(0.0, 0.5),
        "learning_rate": real(0.004, 0.06, log=True),
        "weight_decay": real(0.001, 0.05, log=True),
    }


def realmlp_usual() -> dict[str, Any]:
    """Returns the point of the space that `generators.Tabular` tries: the first to try here."""
    usual = Recipe("realmlp", **USUAL["realmlp"])
    names = ("embedding", "codes", "dropout", "learning_rate", "weight_decay")
    return {
        "layers": len(usual.widths), "width": usual.widths[0],
        **{name: getattr(usual, name) for name in names},
    }  # fmt: skip


def realmlp_builder(settings: Mapping[str, Any], known: TableStatistics) -> TabularBuilder:
    """Returns the builder of a point of the space.

    Args:
        settings: Values by the names of `realmlp_space`.
        known: What was learnt from the training rows.
    """
    usual = {**USUAL["realmlp"], "widths": (settings["width"],) * settings["layers"]}
    usual |= {name: settings[name] for name in ("embedding", "dropout", "learning_rate")}
    usual["weight_decay"] = settings["weight_decay"]
    codes = bool(settings["codes"]) and known.codes is not None
    return TabularBuilder(Recipe("realmlp", codes=codes, **usual), known)
