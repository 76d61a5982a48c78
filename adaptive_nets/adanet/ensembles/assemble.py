"""Assembles an ensemble into one plain Functional Keras model."""

from collections.abc import Sequence

import keras

from adaptive_nets._dtypes import whole
from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.adanet.ensembles.ensembler import Ensembler
from adaptive_nets.adanet.ensembles.member import Member, lineage, run_all
from adaptive_nets.data.specs import Spec, make_inputs


def assemble(
    ensemble: Ensemble,
    ensembler: Ensembler,
    spec: Spec,
    preprocessing: keras.Model | None = None,
    name: str = "ensemble",
) -> keras.Model:
    """Builds a model from raw features to logits, of stock layers and the members' models.

    Args:
        ensemble: The `Ensemble`.
        ensembler: The `Ensembler` that weighed it.
        spec: Feature spec of the raw features.
        preprocessing: Model that is applied to the features first, or `None`.
        name: Name of the model. Defaults to `"ensemble"`.

    Returns:
        A `keras.Model` whose output is `(batch, units)` logits.
    """
    inputs = make_inputs(spec)
    features = inputs if preprocessing is None else preprocessing(inputs)
    known = run_all(lineage(ensemble.members), features, {})
    outputs = [
        {key: known[f"{member.name}.{key}"] for key in ("logits", "last_layer")}
        for member in ensemble.members
    ]
    return keras.Model(inputs, ensembler.build(ensemble.mixture, outputs), name=name)


def assemble_single(
    member: Member, spec: Spec, preprocessing: keras.Model | None = None, name: str = "single"
) -> keras.Model:
    """Builds a model from raw features to the logits of one subnetwork."""
    inputs = make_inputs(spec)
    features = inputs if preprocessing is None else preprocessing(inputs)
    known = run_all(lineage([member]), features, {})
    return keras.Model(inputs, whole(known[f"{member.name}.logits"]), name=name)


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
    inputs = make_inputs(spec)
    features = inputs if preprocessing is None else preprocessing(inputs)
    known = run_all(lineage(ensemble.members), features, {})
    found = {
        f"subnetwork_{output}/{member.name}": known[f"{member.name}.{output}"]
        for output in outputs
        for member in ensemble.members
    }
    return keras.Model(inputs, found, name=name)
