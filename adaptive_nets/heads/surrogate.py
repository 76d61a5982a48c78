"""Losses of a binary label: cross-entropy and the surrogates of AdaNet's objective."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from adaptive_nets._checks import show

# The exponential continues as its tangent from here, so that no logit makes it infinite.
_TANGENT_FROM = 50.0


def _exponential(margin: Any) -> Any:
    return ops.exp(ops.minimum(margin, _TANGENT_FROM)) * (1.0 + ops.relu(margin - _TANGENT_FROM))


_PHI = {"logistic": ops.softplus, "exponential": _exponential}

SURROGATES = ("cross_entropy", *_PHI)


def check_surrogate(surrogate: str, head: str) -> str:
    """Returns the name of a surrogate, or raises `ValueError`."""
    if not isinstance(surrogate, str) or surrogate not in SURROGATES:
        raise ValueError(
            f"Cannot make head '{head}': `surrogate` must be one of "
            f"{', '.join(map(repr, SURROGATES))}. Received: surrogate={show(surrogate)}."
        )
    return surrogate


def binary_loss(
    labels: Any, logits: Any, label_smoothing: float = 0.0, surrogate: str = "cross_entropy"
) -> Any:
    """Returns the mean over the last axis of the expected loss of y = ±1 at a logit f.

    The loss is log(1 + exp(-y f)) for the cross-entropy and Φ(1 - y f) for a surrogate Φ
    (AdaNet, equation 4).

    Args:
        labels: Probabilities of the positive class `[n, k]`, in `[0, 1]`.
        logits: f, `[n, k]`.
        label_smoothing: s in `[0, 1)`: a label p counts as `p (1 - s) + s / 2`. Defaults to `0.0`.
        surrogate: One of `SURROGATES`. Defaults to `"cross_entropy"`.

    Returns:
        Tensor `[n]` in the dtype of the logits.
    """
    logits = ops.convert_to_tensor(logits)
    labels = ops.cast(labels, logits.dtype)
    if label_smoothing:
        labels = labels * (1.0 - label_smoothing) + 0.5 * label_smoothing
    if surrogate == "cross_entropy":
        each = ops.binary_crossentropy(labels, logits, from_logits=True)
    else:
        phi = _PHI[surrogate]
        each = labels * phi(1.0 - logits) + (1.0 - labels) * phi(1.0 + logits)
    return ops.mean(each, axis=-1)


def log_odds(surrogate: str, logits: Any) -> Any:
    """Returns the log-odds of the positive class that a logit stands for.

    A logit f stands for the probability p at which it minimizes the expected loss
    p Φ(1 - f) + (1 - p) Φ(1 + f):

        p / (1 - p) = Φ'(1 + f) / Φ'(1 - f)

    That is f itself for the cross-entropy, 2 f for the exponential, and for the logistic
    surrogate log(1 + exp(f - 1)) - log(1 + exp(-f - 1)). All are odd and increasing in f, so
    decisions and rankings are those of f.

    Args:
        surrogate: One of `SURROGATES`.
        logits: f, of any shape.

    Returns:
        Tensor in the shape and dtype of the logits.
    """
    if surrogate == "exponential":
        return 2.0 * logits
    if surrogate == "logistic":
        return ops.softplus(logits - 1.0) - ops.softplus(-logits - 1.0)
    return logits


@keras.saving.register_keras_serializable(package="adaptive_nets")
class SurrogateLogLoss(keras.metrics.BinaryCrossentropy):
    """Log loss of the probabilities that a surrogate's logits stand for.

    Args:
        surrogate: One of `SURROGATES`.
        name: String. The metric's name. Defaults to `"log_loss"`.
        dtype: Dtype of the sums. Defaults to `None`: Keras' float type.

    Example:

    ```python
    from adaptive_nets.heads.surrogate import SurrogateLogLoss

    metric = SurrogateLogLoss("exponential")
    metric.update_state([[1.0], [0.0]], [[0.0], [0.0]])
    log_loss = float(metric.result())  # log 2 = 0.693147
    ```
    """

    def __init__(self, surrogate: str, name: str = "log_loss", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype, from_logits=True)
        self.surrogate = surrogate

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        odds = log_odds(self.surrogate, ops.convert_to_tensor(y_pred))
        super().update_state(y_true, odds, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {"surrogate": self.surrogate, "name": self.name, "dtype": self.dtype}
