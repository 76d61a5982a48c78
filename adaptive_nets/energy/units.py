"""What the visible units are: binary, or real with a variance of one."""

import math
from typing import Any

import numpy as np
from keras import ops


class Binary:
    """Zeros and ones; values between are taken as probabilities."""

    uniform = True

    def bias(self, mean: np.ndarray) -> np.ndarray:
        """The bias at which units without others have this mean."""
        inside = np.clip(mean, 0.001, 0.999)
        return np.log(inside / (1 - inside))

    def energy(self, v: Any, bias: Any) -> Any:
        """The visible term of the free energy, `(rows,)`."""
        return -ops.matmul(v, bias)

    def mean(self, received: Any) -> Any:
        """The mean of the units, given what they receive of the hidden ones and their bias."""
        return ops.sigmoid(received)

    def sample(self, received: Any, draws: Any) -> Any:
        """A state, of uniform draws of the same shape."""
        return ops.cast(draws < ops.sigmoid(received), received.dtype)

    def log_volume(self, received: Any, bias: Any) -> Any:
        """Logarithm of the sum over states of exp(v · received), `(rows,)`."""
        return ops.sum(ops.softplus(received), axis=-1)


class Gaussian:
    """Real values with a variance of one around their mean."""

    uniform = False

    def bias(self, mean: np.ndarray) -> np.ndarray:
        """The bias at which units without others have this mean."""
        return mean

    def energy(self, v: Any, bias: Any) -> Any:
        """The visible term of the free energy, `(rows,)`."""
        return 0.5 * ops.sum((v - bias) ** 2, axis=-1)

    def mean(self, received: Any) -> Any:
        """The mean of the units, given what they receive of the hidden ones and their bias."""
        return received

    def sample(self, received: Any, draws: Any) -> Any:
        """A state, of normal draws of the same shape."""
        return received + draws

    def log_volume(self, received: Any, bias: Any) -> Any:
        """Logarithm of the integral over states of exp(-|v - bias|²/2 + v · (received - bias))."""
        return 0.5 * ops.sum(received**2 - bias**2 + math.log(2 * math.pi), axis=-1)


VISIBLE = {"binary": Binary, "gaussian": Gaussian}
