"""`RelativeLoss`: a loss in units of its own size, of logits in units of their deviations."""

import dataclasses
import functools
from typing import Any

import numpy as np
from keras import ops

from adaptive_nets.adanet.ensembles.mixtures.proximal import Loss
from adaptive_nets.heads.loss_scale import LossScale


@dataclasses.dataclass(frozen=True)
class RelativeLoss:
    """What a mixture is weighed by where a task's loss has a unit.

    Args:
        scale: The head's `LossScale`.
        loss: The head's loss, in the targets' units. Defaults to `None`: not known yet.
    """

    scale: LossScale
    loss: Loss | None = None

    def of(self, loss: Loss) -> "RelativeLoss":
        """Returns the same for a loss."""
        return dataclasses.replace(self, loss=loss)

    def __call__(self, labels: Any, logits: Any) -> Any:
        unit = ops.cast(self.deviation, logits.dtype)
        return self.loss(labels, logits * unit) / self.overall

    @property
    def overall(self) -> float:
        return self.scale.overall

    @functools.cached_property
    def deviation(self) -> np.ndarray:
        """`[units]` deviations of the targets."""
        return np.asarray(self.scale.deviation, "float64")

    def price(self, of_each_logit: bool, has_unit: bool) -> np.ndarray | float:
        """Returns what a mixture weight of 1 costs, by which Γ is multiplied.

        Args:
            of_each_logit: Whether there is a weight for each logit. If so, each is charged in
                proportion to the loss of its own target, so that targets of very different scales
                do not affect each other; one weight for all is charged by the mean.
            has_unit: Whether weights have the unit of the targets.
        """
        price = np.asarray(self.scale.each) if of_each_logit else self.overall
        return price / self.deviation if has_unit else price
