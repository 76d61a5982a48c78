"""`Ensemble`, and the `Mixture` of its members' outputs."""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from adaptive_nets.adanet.ensembles.member import Member, lineage


@dataclasses.dataclass(frozen=True)
class Mixture:
    """The mixture weights of an ensemble.

    Args:
        weights: One float64 array per member: `[]` (scalar), `[units]` (vector) or
            `[features, units]` (matrix).
        bias: float64 `[units]`. Defaults to `None`: no bias.
        penalty: `Σ Γ_j |w_j|` at these weights. Defaults to 0.
        ensembler: Which of several ensemblers has fitted them. Defaults to 0, the first.
    """

    weights: tuple
    bias: np.ndarray | None = None
    penalty: float = 0.0
    ensembler: int = 0

    def only(self, places: Sequence[int]) -> "Mixture":
        """Returns the weights of some of the members."""
        return dataclasses.replace(self, weights=tuple(self.weights[k] for k in places))

    def norms(self) -> list[float]:
        """Returns `||w_j||_1` of each member."""
        return [float(np.abs(w).sum()) for w in self.weights]


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """A selected ensemble.

    Args:
        name: Name of the candidate ensemble that won its round.
        iteration: That round, from 1.
        members: `Member`s, oldest first.
        mixture: Their `Mixture`.
        objective: The value by which it was selected; lower is better.
        hidden: For builders: one tuple per member of KerasTensors that stand for the outputs of
            its hidden layers, first to last. Empty elsewhere.
    """

    name: str
    iteration: int
    members: tuple[Member, ...]
    mixture: Mixture
    objective: float
    hidden: tuple[tuple[keras.KerasTensor, ...], ...] = dataclasses.field(
        default=(), repr=False, compare=False
    )

    @property
    def depth(self) -> int:
        """Depth of the deepest member."""
        return max(m.depth for m in self.members)

    @property
    def parameters(self) -> int:
        """Number of parameters of the members and of the subnetworks that they read."""
        return sum(m.parameters for m in lineage(self.members))
