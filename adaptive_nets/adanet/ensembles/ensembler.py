"""`Ensembler`: what weighs an ensemble's members."""

import abc
from collections.abc import Iterable, Sequence

import keras
import numpy as np

from adaptive_nets.adanet.ensembles.ensemble import Mixture
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.ensembles.mixtures.proximal import Loss
from adaptive_nets.configurable import Configurable

Outputs = list[dict[str, np.ndarray]]


class Ensembler(Configurable, abc.ABC):
    """Weighs members: fits the weights, applies them to arrays, and builds them as layers.

    `apply` and `build` must compute the same function.

    Attributes:
        reads_last_layer: Whether members' `last_layer` is needed beside their `logits`.
            Defaults to `False`.
    """

    reads_last_layer = False

    def gamma(self, complexity: float) -> float:
        """The penalty Γ per unit of a member's mixture weight. Defaults to 0."""
        return 0.0

    @abc.abstractmethod
    def fit(
        self,
        outputs: Outputs,
        labels: np.ndarray,
        weights: np.ndarray | None,
        *,
        members: Sequence[Member],
        start: Mixture | None,
        loss: Loss,
    ) -> Mixture:
        """Finds the mixture on data.

        Args:
            outputs: One dict a member with float32 `logits` `[n, units]` (and `last_layer`).
            labels: Encoded labels of `n` rows.
            weights: `[n]` of mean 1, or `None`.
            members: The `Member`s, in the order of `outputs`.
            start: `Mixture` of the first members (the previous ensemble's), or `None`.
            loss: The head's loss.
        """

    @abc.abstractmethod
    def apply(self, mixture: Mixture, outputs: Outputs) -> np.ndarray:
        """Logits `[n, units]`, float64, of the ensemble."""

    @abc.abstractmethod
    def build(
        self, mixture: Mixture, outputs: list[dict[str, keras.KerasTensor]]
    ) -> keras.KerasTensor:
        """KerasTensor of the ensemble's logits from members' KerasTensors, by stock layers."""

    def scales(self, members: int) -> tuple[float, float]:
        """Factors of the old logits and of a new member's own when it joins `members` others."""
        return 1.0, 1.0

    def fit_stream(
        self,
        chunks: Iterable[tuple[Outputs, np.ndarray, np.ndarray | None]],
        *,
        members: Sequence[Member],
        start: Mixture | None,
        loss: Loss,
    ) -> Mixture:
        """Finds the mixture by steps over `(outputs, labels, weights)` chunks of a stream."""
        outputs, labels, weights = next(iter(chunks))
        return self.fit(outputs, labels, weights, members=members, start=start, loss=loss)
