"""Means over several predictors, in logits: of their outputs, or of their probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

Mean = Callable[[Any], Any]


def plain_mean(outputs: Any) -> Any:
    """Returns the mean over the second axis of `[n, k, c]`."""
    return ops.mean(outputs, axis=1)


def log_mean_exp(logarithms: Any, mean: Mean | None = None) -> Any:
    """Returns the logarithm of a mean of positive numbers that are given as logarithms.

    Args:
        logarithms: Tensor `[n, k, c]`.
        mean: Function from `[n, k, c]` to `[n, c]`. Defaults to `None`: the plain mean.

    Returns:
        Tensor `[n, c]`, finite also where a weight of the mean is 0 and all that have one are
        too small for the dtype.
    """
    largest = ops.max(logarithms, axis=1, keepdims=True)
    found = (mean or plain_mean)(ops.exp(logarithms - largest))
    least = float(np.finfo(_dtype(logarithms)).tiny)
    return ops.log(ops.maximum(found, least)) + ops.squeeze(largest, axis=1)


def mean_of_classes(outputs: Any, mean: Mean | None = None) -> Any:
    """Returns logits whose softmax is the mean of the softmax of `[n, k, units]`."""
    return log_mean_exp(ops.log_softmax(outputs, axis=-1), mean)


def mean_of_labels(outputs: Any, mean: Mean | None = None) -> Any:
    """Returns logits whose sigmoid is the mean of the sigmoid of `[n, k, units]`."""
    # 1 - sigmoid(z) would round to 0 where sigmoid(-z) does not.
    positive = log_mean_exp(ops.log_sigmoid(outputs), mean)
    return positive - log_mean_exp(ops.log_sigmoid(-outputs), mean)


def _dtype(tensor):
    dtype = str(getattr(tensor.dtype, "name", tensor.dtype))
    return dtype if dtype in ("float16", "float64") else "float32"
