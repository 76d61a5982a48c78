"""`MixtureProblem`: the convex problem of an ensemble's mixture weights."""

import dataclasses

import numpy as np

from adaptive_nets._pieces import RowWise


@dataclasses.dataclass(frozen=True)
class MixtureProblem:
    """The convex problem of an ensemble's mixture weights.

    Args:
        joined: Outputs of the members whose weights are free, joined by their `MixtureKind` where
            they are read.
        start: Initial values of the free weights, stacked.
        gamma: Γ of each free weight, in the same shape.
        base: `[n, units]` logits of the members whose weights are fixed, or `None`.
        bias: Initial bias `[units]`, or `None` for no bias.
        fixed: Weights that are not changed, one array per member.
        free: Initial values of the free weights, one array per member.
        gammas: Γ of each member, those with fixed weights first.
    """

    joined: RowWise
    start: np.ndarray
    gamma: np.ndarray
    base: RowWise | None
    bias: np.ndarray | None
    fixed: tuple[np.ndarray, ...]
    free: tuple[np.ndarray, ...]
    gammas: tuple[float, ...]
