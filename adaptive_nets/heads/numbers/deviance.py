"""Deviances of counts, positive values and fractions, as functions of a link's logits."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets._dtypes import whole_dtype

# From here exp continues as its tangent, so that no logit makes a loss or a prediction infinite.
_TANGENT_FROM = 50.0


def exp(logits: Any) -> Any:
    """Returns exp, continued as its tangent beyond 50: convex, and finite for every logit."""
    return ops.exp(ops.minimum(logits, _TANGENT_FROM)) * (1.0 + ops.relu(logits - _TANGENT_FROM))


def tweedie(labels: Any, logits: Any, power: float) -> Any:
    """Returns half the unit deviance of targets whose variance is the mean's power.

    The mean is exp(f). With d = f - log y it is y^(2 - p) (E(2 - p) - E(1 - p)), where
    E(a) = (exp(a d) - 1) / a, and E(0) = d. Both terms are convex in f for 1 <= p <= 2.

    Args:
        labels: Targets y >= 0, or y > 0 for p = 2.
        logits: f, in the shape of the labels.
        power: p, from 1 (Poisson) to 2 (gamma).

    Returns:
        Tensor in the shape and dtype of the logits, 0 where exp(f) = y.
    """
    positive = labels > 0
    y = ops.where(positive, labels, ops.ones_like(labels))
    gap = logits - ops.log(y)
    above = ops.power(y, 2.0 - power) * (_growth(2.0 - power, gap) - _growth(1.0 - power, gap))
    if power == 2:
        return above
    return ops.where(positive, above, exp((2.0 - power) * logits) / (2.0 - power))


def negative_binomial(labels: Any, logits: Any, dispersion: float) -> Any:
    """Returns half the unit deviance of counts of mean m = exp(f) and variance m + a m².

    With d = f - log y and q = a y / (1 + a y) it is (y + 1 / a) log(1 + q (exp(d) - 1)) - y d.

    Args:
        labels: Counts y >= 0.
        logits: f, in the shape of the labels.
        dispersion: a > 0.

    Returns:
        Tensor in the shape and dtype of the logits, 0 where exp(f) = y.
    """
    positive = labels > 0
    y = ops.where(positive, labels, ops.ones_like(labels))
    gap = logits - ops.log(y)
    share = dispersion * y / (1.0 + dispersion * y)
    near = ops.log1p(share * ops.expm1(ops.minimum(gap, 1.0)))
    far = gap + ops.log(share) + ops.softplus(-ops.log(dispersion * y) - gap)
    above = (y + 1.0 / dispersion) * ops.where(gap < 1.0, near, far) - y * gap
    zero = ops.softplus(logits + math.log(dispersion)) / dispersion
    return ops.where(positive, above, zero)


def bernoulli(labels: Any, logits: Any) -> Any:
    """Returns half the unit deviance of fractions from 0 to 1 of mean sigmoid(f).

    Args:
        labels: Fractions, from 0 to 1.
        logits: f, in the shape of the labels.

    Returns:
        Tensor in the shape and dtype of the logits, 0 where sigmoid(f) = y.
    """
    entropy = _minus_y_log_y(labels) + _minus_y_log_y(1.0 - labels)
    return ops.binary_crossentropy(labels, logits, from_logits=True) - entropy


FAMILIES = {
    "tweedie": tweedie,
    "negative_binomial": negative_binomial,
    "bernoulli": lambda labels, logits, _: bernoulli(labels, logits),
}


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Deviance(keras.metrics.Mean):
    """Mean deviance of the predictions that a link's logits stand for.

    It is scikit-learn's `mean_tweedie_deviance` (`mean_poisson_deviance` for power 1,
    `mean_gamma_deviance` for power 2) of these predictions.

    Args:
        family: `"tweedie"`, `"negative_binomial"` or `"bernoulli"`.
        parameter: Power or dispersion of the family. Defaults to `1.0`.
        name: String. The metric's name. Defaults to `"deviance"`.
        dtype: Dtype of the sums. Defaults to `None`: float32, or float64 if that is Keras' float
            type.

    Example:

    ```python
    from adaptive_nets.heads.numbers.deviance import Deviance

    metric = Deviance("tweedie", 1.0)
    metric.update_state([[1.0], [0.0]], [[0.0], [0.0]])
    deviance = float(metric.result())  # (0 + 2 exp(0)) / 2 = 1.0
    ```
    """

    def __init__(
        self,
        family: str = "tweedie",
        parameter: float = 1.0,
        name: str = "deviance",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype or whole_dtype())
        self.family, self.parameter = family, float(parameter)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        logits = ops.cast(y_pred, self.dtype)
        labels = ops.reshape(ops.cast(y_true, self.dtype), ops.shape(logits))
        each = 2.0 * FAMILIES[self.family](labels, logits, self.parameter)
        super().update_state(ops.mean(each, axis=-1), sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "family": self.family, "parameter": self.parameter}


def _growth(rate, gap):
    """Returns (exp(rate gap) - 1) / rate, exact for small gaps; the gap itself for rate 0."""
    if rate == 0:
        return gap
    x = rate * gap
    beyond = math.exp(_TANGENT_FROM) * ops.relu(x - _TANGENT_FROM)
    return (ops.expm1(ops.minimum(x, _TANGENT_FROM)) + beyond) / rate


def _minus_y_log_y(y):
    return -y * ops.log(ops.maximum(y, float(np.finfo("float32").tiny)))
