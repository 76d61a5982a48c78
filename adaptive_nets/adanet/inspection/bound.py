"""The bound of theorem 1 for the ensemble of a search."""

from typing import Any, Protocol

import numpy as np

from adaptive_nets._checks import check_bool, show
from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.adanet.ensembles.output_cache import OutputCache
from adaptive_nets.adanet.fit_data import labelled_rows
from adaptive_nets.adanet.objective.bound import GeneralizationBound, check_levels, theorem_1
from adaptive_nets.adanet.objective.complexity import Complexity, Rademacher
from adaptive_nets.data.rows import Rows
from adaptive_nets.heads import BinaryClass, Head


class FittedSearch(Protocol):
    """The attributes of a fitted `AdaNet` that the bound reads."""

    head: Head
    complexity: Complexity
    ensemble: Ensemble
    context: SearchContext
    results: Any


def generalization_bound(
    search: FittedSearch,
    delta: float = 0.05,
    rho: float = 0.1,
    x: Any = None,
    y: Any = None,
    *,
    sample_weight: Any = None,
    enforced: bool = False,
) -> GeneralizationBound:
    """Computes theorem 1's bound on the error of a search's ensemble (see `theorem_1`).

    Members of the same depth count as one layer with their largest complexity. The largest output
    of the members is measured on the rows; if it exceeds 1, all outputs are divided by it.

    Args:
        search: A search that was fitted with a `BinaryClass` head and `complexity="rademacher"`.
        delta: Probability with which the bound may fail, in (0, 1). Defaults to 0.05.
        rho: The margin, in (0, 1], chosen before the margins were seen. Defaults to 0.1.
        x: Features of the training rows, as for `fit`, since a search does not keep its data.
        y: Their labels. Omit for a dataset.
        sample_weight: One weight >= 0 per row, for the margin loss. Defaults to `None`.
        enforced: Whether the members' weights kept the norm bounds. It is only reported. Defaults
            to `False`.

    Returns:
        A `GeneralizationBound`.

    Raises:
        ValueError: The search does not meet these conditions, or an argument is invalid.
    """
    check_levels(delta, rho)
    enforced = check_bool("enforced", enforced)
    if not hasattr(search, "ensemble"):
        raise TypeError(f"search must be a fitted AdaNet. Received: search={show(search)}.")
    ensemble = search.ensemble
    _check_search(search)
    if x is None:
        raise ValueError(
            "generalization_bound requires the training rows, which a search does not keep. Pass "
            "x=... and y=.... Received: x=None."
        )
    rows = labelled_rows(
        x, y, search.head, "generalization_bound", sample_weight, schema=search.schema
    )
    logits = search.results.logits(rows.x)
    margins = (2.0 * rows.y.reshape(-1) - 1.0) * np.asarray(logits, "float64").reshape(-1)
    # Logits are one layer above the last hidden one, which a matrix of weights reads.
    above = 0 if search.context.settings.ensembler.reads_last_layer else 1
    layers = [max(member.depth + above, 1) for member in ensemble.members]
    norms, complexities = np.zeros(max(layers)), np.zeros(max(layers))
    for layer, norm, member in zip(layers, ensemble.mixture.norms(), ensemble.members, strict=True):
        norms[layer - 1] += norm
        complexities[layer - 1] = max(complexities[layer - 1], member.complexity)
    return theorem_1(
        margins, norms, complexities, max(layers), len(rows), delta, rho, weights=rows.w,
        largest_output=max(1.0, _largest_output(search, rows)), enforced=enforced,
    )  # fmt: skip


def _check_search(search):
    if not isinstance(search.head, BinaryClass):
        raise ValueError(
            "Theorem 1 applies to two classes: expected a search with head heads.BinaryClass. "
            f"Received: head '{search.head.name}' ({type(search.head).__name__})."
        )
    if not isinstance(search.complexity, Rademacher):
        raise ValueError(
            "Theorem 1 requires Rademacher complexities: search with complexity='rademacher'. "
            f"Received: complexity={show(search.complexity)}."
        )
    if search.context.settings.ensembler.averages_predictions:
        raise ValueError(
            "Theorem 1 applies to weighed sums of outputs: search with mixture_weights='scalar', "
            "'vector' or 'matrix'. Received: "
            f"mixture_weights={show(search.context.settings.mixture_weights)}."
        )
    if search.ensemble.mixture.bias is not None:
        raise ValueError(
            "Theorem 1 applies to mixtures without a bias: search with mixture_bias=False. "
            f"Received: a bias of {search.ensemble.mixture.bias.tolist()}."
        )


def _largest_output(search: FittedSearch, rows: Rows) -> float:
    last = search.context.settings.ensembler.reads_last_layer
    view = OutputCache(search.context.preprocessor(rows), last)
    key = "last_layer" if last else "logits"
    outputs = view.outputs(search.ensemble.members)
    return max(float(np.abs(output[key]).max()) for output in outputs)
