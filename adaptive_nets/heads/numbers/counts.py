"""Heads of counts and fractions: `Poisson`, `NegativeBinomial`, `Logistic`."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets._arguments import takes
from adaptive_nets._checks import check_number
from adaptive_nets.heads.base import Head
from adaptive_nets.heads.compat.arguments import LINKED
from adaptive_nets.heads.numbers.link import Link

# Smaller ones are not told from none in float32; larger ones tell counts above 0 not apart.
_DISPERSIONS = 1e-6, 1e6
# An estimate that is smaller, or negative, says that there is hardly any.
_LEAST_ESTIMATE = 1e-3


@takes(LINKED)
@keras.saving.register_keras_serializable(package="adaptive_nets")
class Poisson(Link):
    """Regression of counts, or of rates >= 0: the logit is the logarithm of the mean.

    The loss is half the Poisson deviance, y log(y / m) - y + m for m = exp(logit), averaged over
    the targets. It is convex in the logit. Beyond 50, exp continues as its tangent.

    Predictions: `"predictions"`, the means, and `"logits"`, both `[n, dim]`.

    Args:
        dim: Integer >= 1. Number of targets. Defaults to `None`: learned by `adapt`.
        name: String. The head's name in errors and reports. Defaults to `"poisson"`.
        weight_column: Name of the feature with the weights of the rows, which is not an input of
            the model. Defaults to `None`: rows weigh the same, or as `sample_weight` says.

    Arguments of tf.estimator's head are taken too (the migration page lists them).

    Example:

    ```python
    import keras
    import adaptive_nets as an

    head = an.heads.Poisson().adapt([0, 3, 1])
    loss = head.loss(head.encode([0]), keras.ops.zeros((1, 1)))  # exp(0) = 1.0
    ```
    """

    _noun, _instead = "counts", "For other numbers use Regression."

    def __init__(
        self, dim: int | None = None, name: str = "poisson", weight_column: str | None = None
    ) -> None:
        super().__init__(dim, name, weight_column)


@takes(LINKED)
@keras.saving.register_keras_serializable(package="adaptive_nets")
class NegativeBinomial(Link):
    """Regression of counts that vary more than Poisson's: variance m + a m² for mean m.

    The logit is the logarithm of the mean m, and the loss half the deviance of a negative binomial
    distribution, which is convex in the logit. The dispersion a is a constant: it says how much
    large counts weigh against small ones.

    Predictions: `"predictions"`, the means, and `"logits"`, both `[n, dim]`.

    Args:
        dim: Integer >= 1. Number of targets. Defaults to `None`: learned by `adapt`.
        dispersion: a, from 1e-6 to 1e6. Defaults to `None`: `adapt` estimates it by
            the moments of the training labels, (variance - mean) / mean², averaged over the
            targets, and at least 0.001.
        name: String. The head's name in errors and reports. Defaults to `"negative_binomial"`.
        weight_column: Name of the feature with the weights of the rows, which is not an input of
            the model. Defaults to `None`: rows weigh the same, or as `sample_weight` says.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    head = an.heads.NegativeBinomial(dispersion=1.0).adapt([0, 3, 1])
    loss = head.loss(head.encode([0]), keras.ops.zeros((1, 1)))  # log(1 + exp(0)) = 0.693147
    ```
    """

    _family, _noun = "negative_binomial", "counts"
    _instead = "For other numbers use Regression."

    def __init__(
        self,
        dim: int | None = None,
        dispersion: float | None = None,
        name: str = "negative_binomial",
        weight_column: str | None = None,
    ) -> None:
        super().__init__(dim, name, weight_column)
        if dispersion is not None:
            dispersion = check_number("dispersion", dispersion, *_DISPERSIONS)
        self.dispersion = dispersion

    def adapt(self, y: Any) -> Head:
        super().adapt(y)
        if self.dispersion is None:
            counts = self.encode(y).astype("float64")
            mean = counts.mean(axis=0)
            found = float(np.mean((counts.var(axis=0) - mean) / mean**2))
            self.dispersion = min(max(found, _LEAST_ESTIMATE), _DISPERSIONS[1])
        return self

    def _parameter(self) -> float:
        if self.dispersion is None:
            raise ValueError(
                f"The dispersion of head '{self.name}' is not known yet. Call `adapt` with the "
                "training labels, or pass dispersion. Received: dispersion=None."
            )
        return self.dispersion

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dispersion": self.dispersion}


@takes(LINKED)
@keras.saving.register_keras_serializable(package="adaptive_nets")
class Logistic(Link):
    """Regression of fractions from 0 to 1: the prediction is the sigmoid of the logit.

    The loss is half the Bernoulli deviance: the cross-entropy, less its least value for that
    target. For two classes use `BinaryClass`.

    Predictions: `"predictions"`, the means, and `"logits"`, both `[n, dim]`.

    Args:
        dim: Integer >= 1. Number of targets. Defaults to `None`: learned by `adapt`.
        name: String. The head's name in errors and reports. Defaults to `"logistic"`.
        weight_column: Name of the feature with the weights of the rows, which is not an input of
            the model. Defaults to `None`: rows weigh the same, or as `sample_weight` says.

    Arguments of tf.estimator's head are taken too (the migration page lists them).

    Example:

    ```python
    import keras
    import adaptive_nets as an

    head = an.heads.Logistic().adapt([0.0, 0.25, 1.0])
    loss = head.loss(head.encode([1.0]), keras.ops.zeros((1, 1)))  # log 2 = 0.693147
    ```
    """

    _family, _noun, _rule = "bernoulli", "fractions", "they must be from 0 to 1"
    _instead = "Divide them by the largest possible value, or use Regression."

    def __init__(
        self, dim: int | None = None, name: str = "logistic", weight_column: str | None = None
    ) -> None:
        super().__init__(dim, name, weight_column)

    def _allowed(self, targets: np.ndarray) -> np.ndarray:
        return (targets >= 0) & (targets <= 1)

    def _constant(self, targets: np.ndarray) -> float | None:
        if (targets == 1).all(axis=0).any():
            return 1.0
        return super()._constant(targets)

    def _mean(self, logits: Any) -> Any:
        return ops.sigmoid(logits)

    def _logits(self, means: np.ndarray) -> np.ndarray:
        return np.log(means) - np.log1p(-means)
