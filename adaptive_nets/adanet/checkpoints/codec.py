"""Converts the values of a search to JSON values and back."""

import math
from typing import Any

import numpy as np

from adaptive_nets.adanet.ensembles.ensemble import Ensemble, Mixture
from adaptive_nets.adanet.ensembles.member import Member

_NOT_FINITE = "not finite: "


def member_to_json(member: Member) -> dict:
    """Returns a member as JSON values, without its model, which has its own file."""
    fields = ("name", "iteration", "depth", "complexity", "attributes")
    parents = [p.name for p in member.parents]
    return {**{field: getattr(member, field) for field in fields}, "parents": parents}


def ensemble_to_json(ensemble: Ensemble) -> dict:
    """Returns an ensemble as JSON values, with its members by name."""
    mixture = ensemble.mixture
    return {
        "name": ensemble.name,
        "iteration": ensemble.iteration,
        "members": [m.name for m in ensemble.members],
        "weights": [np.asarray(w).tolist() for w in mixture.weights],
        "bias": None if mixture.bias is None else mixture.bias.tolist(),
        "penalty": mixture.penalty,
        "objective": ensemble.objective,
        # Only where there are several.
        **({"ensembler": mixture.ensembler} if mixture.ensembler else {}),
    }


def ensemble_from_json(state: dict, members: dict[str, Member]) -> Ensemble:
    """Restores an ensemble from the output of `ensemble_to_json`."""
    bias = state["bias"]
    mixture = Mixture(
        tuple(np.array(w, "float64") for w in state["weights"]),
        None if bias is None else np.array(bias, "float64"),
        state["penalty"],
        state.get("ensembler", 0),
    )
    chosen = tuple(members[name] for name in state["members"])
    return Ensemble(state["name"], state["iteration"], chosen, mixture, state["objective"])


def encode_nonfinite(value: Any) -> Any:
    """Encodes NaN and infinity, which JSON does not support, as strings."""
    if isinstance(value, dict):
        return {k: encode_nonfinite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [encode_nonfinite(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return f"{_NOT_FINITE}{value}"
    return value


def decode_nonfinite(value: Any) -> Any:
    """Reverses `encode_nonfinite`."""
    if isinstance(value, dict):
        return {k: decode_nonfinite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [decode_nonfinite(v) for v in value]
    if isinstance(value, str) and value.startswith(_NOT_FINITE):
        return float(value.removeprefix(_NOT_FINITE))
    return value
