"""What builders and generators see of the previous ensemble."""

import dataclasses
from typing import Any

import numpy as np

from adaptive_nets.adanet import Ensemble, Member

# Attributes of a subnetwork that hold what later ones read.
SHARED, PERSISTED = "shared", "persisted_tensors"


@dataclasses.dataclass(frozen=True)
class FrozenSubnetwork:
    """A member of the previous ensemble.

    Args:
        complexity: Its complexity.
        persisted_tensors: Its `persisted_tensors`: KerasTensors and constants by name. Tensors
            are given to builders only.
        shared: Its `shared`.
    """

    complexity: float
    persisted_tensors: dict[str, Any]
    shared: Any


@dataclasses.dataclass(frozen=True)
class WeightedSubnetwork:
    """A member of the previous ensemble with its mixture weight.

    Args:
        name: The builder's name.
        iteration_number: Its round, from 0.
        weight: Its mixture weight.
        subnetwork: A `FrozenSubnetwork`.
    """

    name: str
    iteration_number: int
    weight: np.ndarray
    subnetwork: FrozenSubnetwork


@dataclasses.dataclass(frozen=True)
class PreviousEnsemble:
    """The previous ensemble.

    Args:
        name: Its name.
        weighted_subnetworks: Its members, oldest first.
        bias: Bias of the mixture, or `None`.
        core: The `adaptive_nets.adanet.Ensemble`, which `adaptive_nets.adanet.connect` reads.
    """

    name: str
    weighted_subnetworks: list[WeightedSubnetwork]
    bias: np.ndarray | None
    core: Ensemble

    @property
    def subnetworks(self) -> list[FrozenSubnetwork]:
        """The members without their weights."""
        return [each.subnetwork for each in self.weighted_subnetworks]


def seen(previous: Ensemble | None) -> PreviousEnsemble | None:
    """Returns an ensemble as adanet's builders and generators know it."""
    if previous is None:
        return None
    hidden = previous.hidden or ((),) * len(previous.members)
    weighted = [
        WeightedSubnetwork(member.builder, member.iteration - 1, weight, _frozen(member, tensors))
        for member, weight, tensors in zip(
            previous.members, previous.mixture.weights, hidden, strict=True
        )
    ]
    return PreviousEnsemble(previous.name, weighted, previous.mixture.bias, previous)


def _frozen(member: Member, tensors):
    shared, persisted = (_read(member.attributes.get(key), tensors) for key in (SHARED, PERSISTED))
    return FrozenSubnetwork(member.complexity, persisted or {}, shared)


def _read(kept, tensors):
    """Returns what a subnetwork has left to later ones, with the tensors where there are any."""
    if kept is None or "constants" in kept:
        return kept and kept["constants"]
    return {
        name: place["constant"] if isinstance(place, dict) else tensors[place]
        for name, place in kept["tensors"].items()
        if isinstance(place, dict) or place < len(tensors)
    }
