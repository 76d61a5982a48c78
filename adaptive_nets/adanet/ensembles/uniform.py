"""`UniformEnsembler`: the plain average."""

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import check_config, check_function
from adaptive_nets._dtypes import whole, whole_dtype
from adaptive_nets.adanet.ensembles.ensemble import Mixture
from adaptive_nets.adanet.ensembles.ensembler import Ensembler, Outputs
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.ensembles.mixtures.penalty import Penalty
from adaptive_nets.adanet.ensembles.mixtures.proximal import Loss
from adaptive_nets.heads.loss_scale import LossScale
from adaptive_nets.serialization import describe_object, restore_object


@keras.saving.register_keras_serializable(package="adaptive_nets")
class UniformEnsembler(Ensembler):
    """The plain average of the members' logits.

    Args:
        gamma: Function from a member's complexity r to its Γ, such as `adanet.Penalty`. To be
            rebuilt from a configuration, it must be registered with
            `keras.saving.register_keras_serializable`. Defaults to `None`: no penalty.
    """

    compared = ("gamma",)

    def __init__(self, gamma: Callable[[float], float] | None = None):
        self.gamma = Penalty() if gamma is None else check_function("gamma", gamma)
        self._loss_scale = 1.0

    def relative_to(self, scale: LossScale) -> "UniformEnsembler":
        relative = copy.copy(self)
        relative._loss_scale = scale.overall
        return relative

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
        share = 1.0 / len(members)
        return self.priced(Mixture((np.float64(share),) * len(members)), members)

    def priced(self, mixture: Mixture, members: Sequence[Member]) -> Mixture:
        share = 1.0 / len(members)
        penalty = self._loss_scale * sum(self.gamma(m.complexity) * share for m in members)
        return dataclasses.replace(mixture, penalty=penalty)

    def apply(self, mixture: Mixture, outputs: Outputs) -> np.ndarray:
        return np.mean([np.asarray(o["logits"], "float64") for o in outputs], axis=0)

    def build(
        self, mixture: Mixture, outputs: list[dict[str, keras.KerasTensor]]
    ) -> keras.KerasTensor:
        if len(outputs) == 1:
            return whole(outputs[0]["logits"], "mixture")
        return keras.layers.Average(dtype=whole_dtype(), name="mixture")(
            [o["logits"] for o in outputs]
        )

    def scales(self, members: int) -> tuple[float, float]:
        return members / (members + 1), 1 / (members + 1)

    def get_config(self) -> dict[str, Any]:
        return {"gamma": describe_object(self.gamma)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "UniformEnsembler":
        given = check_config(cls, config).get("gamma")
        return cls(None if given is None else restore_object(given, "mixture_weights", "penalty"))
