"""`MixtureProblem`: what is solved to weigh an ensemble."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class MixtureProblem:
    """The convex problem of an ensemble's mixture weights.

    Attributes:
        joined: Outputs of the members whose weights are free, as their `MixtureKind` joins them.
        start: The free weights to start from, stacked.
        gamma: Γ of each of them, in their shape.
        base: `[n, units]` logits of the members whose weights are fixed, or `None`.
        bias: `[units]` bias to start from, or `None` where there is none.
        fixed: Weights that stay as they are, one array a member.
        free: The free weights to start from, one array a member.
        gammas: Γ of each member, those with fixed weights first.
    """

    joined: np.ndarray
    start: np.ndarray
    gamma: np.ndarray
    base: np.ndarray | None
    bias: np.ndarray | None
    fixed: tuple[np.ndarray, ...]
    free: tuple[np.ndarray, ...]
    gammas: tuple[float, ...]
