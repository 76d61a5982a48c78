"""The linear baseline as a subnetwork: what it has learnt, networks need not learn again."""

from typing import Any

from adaptive_nets.adanet import Builder, Ensemble, Subnetwork
from adaptive_nets.automl.baselines.linear import LinearModel


class LinearBuilder(Builder):
    """Builds a fitted linear model, which is not trained further.

    Args:
        linear: The `LinearModel`.
    """

    name = "linear_baseline"

    def __init__(self, linear: LinearModel):
        self.linear = linear

    def build(self, inputs: Any, units: int, previous: Ensemble | None = None) -> Subnetwork:
        return Subnetwork(self.linear.logits(inputs, trainable=False), depth=0)
