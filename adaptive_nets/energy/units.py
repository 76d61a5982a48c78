"""Kinds of visible units: binary, or real with variance one."""

import math
from typing import Any

import numpy as np
from keras import ops


class Binary:
    """Units that are 0 or 1; values in between count as probabilities."""

    uniform = True

    def bias(self, mean: np.ndarray) -> np.ndarray:
        """Returns the bias at which units have this mean without hidden units."""
        inside = np.clip(mean, 0.001, 0.999)
        return np.log(inside / (1 - inside))

    def energy(self, v: Any, bias: Any) -> Any:
        """Returns the visible term of the free energy, `(rows,)`."""
        return -ops.matmul(v, bias)

    def mean(self, received: Any) -> Any:
        """Returns the mean of the units given their total input, bias included."""
        return ops.sigmoid(received)

    def sample(self, received: Any, draws: Any) -> Any:
        """Returns a state, from uniform draws of the same shape."""
        return ops.cast(draws < ops.sigmoid(received), received.dtype)

    def log_volume(self, received: Any, bias: Any) -> Any:
        """Returns the log of the sum over states of exp(v · received), `(rows,)`."""
        return ops.sum(ops.softplus(received), axis=-1)


class Gaussian:
    """Real units with variance one around their mean."""

    uniform = False

    def bias(self, mean: np.ndarray) -> np.ndarray:
        """Returns the bias at which units have this mean without hidden units."""
        return mean

    def energy(self, v: Any, bias: Any) -> Any:
        """Returns the visible term of the free energy, `(rows,)`."""
        return 0.5 * ops.sum((v - bias) ** 2, axis=-1)

    def mean(self, received: Any) -> Any:
        """Returns the mean of the units given their total input, bias included."""
        return received

    def sample(self, received: Any, draws: Any) -> Any:
        """Returns a state, from normal draws of the same shape."""
        return received + draws

    def log_volume(self, received: Any, bias: Any) -> Any:
        """Returns ln of the integral over states of exp(-|v - bias|²/2 + v · (received - bias))."""
        return 0.5 * ops.sum(received**2 - bias**2 + math.log(2 * math.pi), axis=-1)


VISIBLE = {"binary": Binary, "gaussian": Gaussian}
