"""`Ensembler`: weighs the members of an ensemble."""

import abc
from collections.abc import Iterable, Sequence

import keras
import numpy as np

from adaptive_nets.adanet.ensembles.ensemble import Mixture
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.ensembles.mixtures.proximal import Loss
from adaptive_nets.configurable import Configurable
from adaptive_nets.heads import Head
from adaptive_nets.heads.loss_scale import LossScale

Outputs = list[dict[str, np.ndarray]]


class Ensembler(Configurable, abc.ABC):
    """Weighs members: fits the weights, applies them to arrays, and builds them as layers.

    `apply` and `build` must compute the same function.

    Attributes:
        reads_last_layer: Whether members' `last_layer` is needed as well as their `logits`.
            Defaults to `False`.
        averages_predictions: Whether each member has to predict on its own, so that it cannot be
            trained to add what others lack (`training="residual"`). Defaults to `False`.
    """

    reads_last_layer = False
    averages_predictions = False

    def gamma(self, complexity: float) -> float:
        """Returns the penalty Γ per unit of a member's mixture weight. Defaults to 0."""
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
        """Fits the mixture to data.

        Args:
            outputs: One dict per member with float32 `logits` `[n, units]` (and `last_layer`).
            labels: Encoded labels of `n` rows.
            weights: `[n]` row weights with mean 1, or `None`.
            members: The `Member`s, in the order of `outputs`.
            start: `Mixture` of the first members (the previous ensemble's), or `None`.
            loss: The head's loss.

        Returns:
            The `Mixture`.
        """

    @abc.abstractmethod
    def apply(self, mixture: Mixture, outputs: Outputs) -> np.ndarray:
        """Computes the ensemble's logits, float64 `[n, units]`."""

    @abc.abstractmethod
    def build(
        self, mixture: Mixture, outputs: list[dict[str, keras.KerasTensor]]
    ) -> keras.KerasTensor:
        """Returns a KerasTensor of the ensemble's logits, built with stock layers."""

    def of(self, mixture: Mixture) -> "Ensembler":
        """Returns the ensembler that has fitted a mixture. Defaults to the ensembler itself."""
        return self

    def choices(self) -> list["Ensembler"]:
        """Returns the ensemblers of which each weighs a candidate ensemble. Defaults to itself."""
        return [self]

    def for_head(self, head: Head) -> "Ensembler":
        """Returns an ensembler of a task's members. Defaults to the ensembler itself.

        Args:
            head: The head, adapted to the labels.
        """
        return self

    def relative_to(self, scale: LossScale) -> "Ensembler":
        """Returns an ensembler whose penalty is relative to the size of the loss.

        It is asked where the head has a `LossScale`. Defaults to the ensembler itself, whose
        penalty is then in the unit of the loss.

        Args:
            scale: The head's `LossScale` on the training labels.
        """
        return self

    def priced(self, mixture: Mixture, members: Sequence[Member]) -> Mixture:
        """Returns a mixture with the penalty that this ensembler puts on it.

        It is asked where a search goes on with another λ or β. Defaults to the mixture itself.

        Args:
            mixture: The mixture.
            members: Its members.
        """
        return mixture

    def scales(self, members: int) -> tuple[float, float]:
        """Returns factors of the old logits and of a member's own when it joins `members`."""
        return 1.0, 1.0

    def fit_stream(
        self,
        chunks: Iterable[tuple[Outputs, np.ndarray, np.ndarray | None]],
        *,
        members: Sequence[Member],
        start: Mixture | None,
        loss: Loss,
    ) -> Mixture:
        """Fits the mixture step by step to `(outputs, labels, weights)` chunks of a stream."""
        outputs, labels, weights = next(iter(chunks))
        return self.fit(outputs, labels, weights, members=members, start=start, loss=loss)
