"""Heads of positive numbers: `Gamma` and `Tweedie`."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from adaptive_nets._arguments import takes
from adaptive_nets._checks import check_number, show
from adaptive_nets.heads.compat.arguments import LINKED
from adaptive_nets.heads.numbers.link import Link


@takes(LINKED)
@keras.saving.register_keras_serializable(package="adaptive_nets")
class Gamma(Link):
    """Regression of numbers above 0 by their relative error: the logit is log of the mean.

    The loss is half the gamma deviance, log(m / y) + y / m - 1 for m = exp(logit), averaged over
    the targets. It is convex in the logit, and the same in every unit of the target.

    Predictions: `"predictions"`, the means, and `"logits"`, both `[n, dim]`.

    Args:
        dim: Integer >= 1. Number of targets. Defaults to `None`: learned by `adapt`.
        name: String. The head's name in errors and reports. Defaults to `"gamma"`.
        weight_column: Name of the feature with the weights of the rows, which is not an input of
            the model. Defaults to `None`: rows weigh the same, or as `sample_weight` says.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    head = an.heads.Gamma().adapt([0.5, 3.0, 1.0])
    loss = head.loss(head.encode([2.0]), keras.ops.zeros((1, 1)))  # 1 - log 2 = 0.306853
    ```
    """

    _noun, _rule = "positive numbers", "they must be above 0 in float32"
    _instead = "For targets with zeros use Tweedie or Poisson."

    def __init__(
        self, dim: int | None = None, name: str = "gamma", weight_column: str | None = None
    ) -> None:
        super().__init__(dim, name, weight_column)

    def _allowed(self, targets: np.ndarray) -> np.ndarray:
        # Smaller ones are 0 where a processor flushes them.
        return targets >= np.finfo("float32").tiny

    def _parameter(self) -> float:
        return 2.0


@takes(LINKED)
@keras.saving.register_keras_serializable(package="adaptive_nets")
class Tweedie(Link):
    """Regression of amounts >= 0 with many zeros, such as claims: variance in proportion to m^p.

    The logit is the logarithm of the mean m, and the loss half the deviance of a Tweedie
    distribution, a sum of a Poisson number of gamma amounts. It is convex in the logit.

    Predictions: `"predictions"`, the means, and `"logits"`, both `[n, dim]`.

    Args:
        power: p, above 1 and below 2. Defaults to `1.5`. Power 1 is `Poisson`, power 2 `Gamma`;
            beyond these the loss is not convex in the logit.
        dim: Integer >= 1. Number of targets. Defaults to `None`: learned by `adapt`.
        name: String. The head's name in errors and reports. Defaults to `"tweedie"`.
        weight_column: Name of the feature with the weights of the rows, which is not an input of
            the model. Defaults to `None`: rows weigh the same, or as `sample_weight` says.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    head = an.heads.Tweedie(1.5).adapt([0.0, 3.0, 1.0])
    loss = head.loss(head.encode([0.0]), keras.ops.zeros((1, 1)))  # 1 / (2 - 1.5) = 2.0
    ```
    """

    _noun, _instead = "amounts", "For other numbers use Regression."

    def __init__(
        self,
        power: float = 1.5,
        dim: int | None = None,
        name: str = "tweedie",
        weight_column: str | None = None,
    ) -> None:
        super().__init__(dim, name, weight_column)
        self.power = check_number("power", power)
        if not 1 < self.power < 2:
            instead = {0.0: "Regression", 1.0: "Poisson", 2.0: "Gamma"}.get(self.power)
            raise ValueError(
                f"Cannot make head '{name}': power must be above 1 and below 2, where the loss is "
                f"convex and zeros are possible. "
                f"{f'Use {instead} for power {self.power:g}. ' if instead else ''}"
                f"Received: power={show(power)}."
            )

    def _parameter(self) -> float:
        return self.power

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "power": self.power}
