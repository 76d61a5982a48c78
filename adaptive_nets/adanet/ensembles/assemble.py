"""Assembles an ensemble into one plain Functional Keras model."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets._dtypes import whole
from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.adanet.ensembles.ensembler import Ensembler
from adaptive_nets.adanet.ensembles.greedy import GreedyEnsembler
from adaptive_nets.adanet.ensembles.member import Member, lineage, run_all
from adaptive_nets.adanet.ensembles.mixture_ensembler import MixtureEnsembler
from adaptive_nets.adanet.ensembles.probability import ProbabilityEnsembler
from adaptive_nets.data.specs import Spec, make_inputs
from adaptive_nets.graphs.loadable import separated
from adaptive_nets.graphs.unique_names import named_model
from adaptive_nets.keras_internals import seeded


@seeded(0)
def assemble(
    ensemble: Ensemble,
    ensembler: Ensembler,
    spec: Spec,
    preprocessing: keras.Model | None = None,
    name: str = "ensemble",
) -> keras.Model:
    """Builds a model from raw features to logits, of stock layers and the members' models.

    Members of weight 0 are left out. Layers that members, or the preprocessing, have in common are
    copied, since Keras could not load the saved model otherwise.

    Args:
        ensemble: The `Ensemble`.
        ensembler: The `Ensembler` that weighed it.
        spec: Feature spec of the raw features.
        preprocessing: Model that is applied to the features first, or `None`.
        name: Name of the model. Defaults to `"ensemble"`.

    Returns:
        A `keras.Model` whose output is `(batch, units)` logits.
    """
    ensemble = without_idle(ensemble, ensembler)
    inputs, known = _run(ensemble.members, spec, preprocessing)
    outputs = [
        {key: known[f"{member.name}.{key}"] for key in ("logits", "last_layer")}
        for member in ensemble.members
    ]
    return named_model(inputs, ensembler.build(ensemble.mixture, outputs), name)


@seeded(0)
def assemble_single(
    member: Member, spec: Spec, preprocessing: keras.Model | None = None, name: str = "single"
) -> keras.Model:
    """Builds a model from raw features to the logits of one subnetwork."""
    inputs, known = _run([member], spec, preprocessing)
    return named_model(inputs, whole(known[f"{member.name}.logits"]), name)


@seeded(0)
def assemble_members(
    ensemble: Ensemble,
    spec: Spec,
    preprocessing: keras.Model | None = None,
    outputs: Sequence[str] = ("logits",),
    name: str = "subnetworks",
) -> keras.Model:
    """Builds a model from raw features to a dict `"subnetwork_<output>/<member>"` of outputs.

    Args:
        ensemble: The `Ensemble`.
        spec: Feature spec of the raw features.
        preprocessing: Model that is applied to the features first, or `None`.
        outputs: `"logits"`, `"last_layer"` or both.
        name: Name of the model.
    """
    inputs, known = _run(ensemble.members, spec, preprocessing)
    found = {
        f"subnetwork_{output}/{member.name}": known[f"{member.name}.{output}"]
        for output in outputs
        for member in ensemble.members
    }
    return named_model(inputs, found, name)


def without_idle(ensemble: Ensemble, ensembler: Ensembler) -> Ensemble:
    """Returns an ensemble that computes the same, without the members whose weights are all 0.

    One is kept where all are. What members only read is not among the ensemble's members.

    Args:
        ensemble: The `Ensemble`.
        ensembler: The `Ensembler` that weighed it. Of an own kind, it alone knows what 0 means.
    """
    ensembler = ensembler.of(ensemble.mixture)
    if type(ensembler) not in (MixtureEnsembler, ProbabilityEnsembler, GreedyEnsembler):
        return ensemble
    pairs = list(zip(ensemble.members, ensemble.mixture.weights, strict=True))
    used = [(member, weight) for member, weight in pairs if np.any(np.asarray(weight) != 0)]
    used = used or [min(pairs, key=lambda pair: pair[0].parameters)]
    members, weights = zip(*used, strict=True)
    mixture = dataclasses.replace(ensemble.mixture, weights=weights)
    return dataclasses.replace(ensemble, members=members, mixture=mixture)


def _run(members: Sequence[Member], spec: Spec, preprocessing: keras.Model | None) -> Any:
    """Returns symbolic raw features, and all outputs of members and what they read."""
    inputs, taken = make_inputs(spec), set()
    features = inputs if preprocessing is None else separated(preprocessing, taken)(inputs)
    apart = [
        dataclasses.replace(member, model=separated(member.model, taken))
        for member in lineage(members)
    ]
    return inputs, run_all(apart, features, {})
