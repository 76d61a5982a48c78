"""Which hidden units are active: all, the first z of n, or the first z of infinitely many.

Côté and Larochelle, "An Infinite Restricted Boltzmann Machine", arXiv 1502.02476, sections 3 and 4.
"""

import dataclasses
import math
from typing import Any

from keras import ops

# Stands for minus infinity, whose differences would be NaN.
NEVER = -1e9


@dataclasses.dataclass(frozen=True)
class Parameters:
    """Parameters that energies are computed with.

    Args:
        kernel: `(visible, capacity)`.
        hidden_bias: `(capacity,)`.
        visible_bias: `(visible,)`.
        units: Number of trained units among the capacity, an integer scalar.
    """

    kernel: Any
    hidden_bias: Any
    visible_bias: Any
    units: Any

    def annealed(self, share: Any) -> "Parameters":
        """Interpolates from no interaction (0) to these (1); the visible bias stays."""
        return dataclasses.replace(
            self, kernel=share * self.kernel, hidden_bias=share * self.hidden_bias
        )

    def regrouped(self, order: Any) -> "Parameters":
        """Returns the same units in another order."""
        return dataclasses.replace(
            self,
            kernel=ops.take(self.kernel, order, axis=1),
            hidden_bias=ops.take(self.hidden_bias, order, axis=0),
        )

    def outputs(self, hidden: Any) -> Any:
        """Returns the input of the visible units from hidden states, with their bias."""
        return ops.matmul(hidden, ops.transpose(self.kernel)) + self.visible_bias

    def inputs(self, v: Any) -> Any:
        """Returns the input of the hidden units, `(rows, capacity)`."""
        return ops.matmul(v, self.kernel) + self.hidden_bias


class Unordered:
    """All units are active: the ordinary restricted Boltzmann machine."""

    def log_sum(self, a: Any, p: Parameters) -> Any:
        """Returns the log of the sum of exp(-E) over hidden states, without the visible term."""
        return ops.sum(ops.softplus(a), axis=-1)

    def present(self, a: Any, p: Parameters) -> Any:
        """Returns the probability that each unit is active, `(rows, capacity)` or 1."""
        return 1.0

    def draw(self, a: Any, p: Parameters, uniform: Any) -> tuple[Any, Any]:
        """Draws which units are active and how many, from uniform draws `(rows,)`."""
        return 1.0, p.units

    def base(self, units: int) -> float:
        """Returns the log of the sum over hidden states with zero kernel and hidden biases."""
        return units * math.log(2)


class Ordered:
    """The first z units are active; each pays the price `beta softplus(b)`.

    Args:
        beta: Factor of the price of a unit, > 1.
        endless: Whether infinitely many units with zero weights follow the trained ones. Their
            contribution is a geometric series with ratio `2 ** (1 - beta)`.
    """

    def __init__(self, beta: float, endless: bool) -> None:
        self.beta, self.endless = beta, endless
        self.log_ratio = (1 - beta) * math.log(2)
        # ln 1/(1 - r): the last trained unit stands for all that follow it.
        self.tail = -math.log(-math.expm1(self.log_ratio)) if endless else 0.0

    def log_weights(self, a: Any, p: Parameters) -> Any:
        """Returns ln P(z | v) up to a constant, `(rows, capacity)`; z = 1 comes first."""
        price = self.beta * ops.softplus(p.hidden_bias)
        numbers = ops.arange(1, a.shape[-1] + 1, dtype="int32")
        weights = ops.cumsum(ops.softplus(a) - price, axis=-1)
        if self.endless:
            weights = weights + self.tail * ops.cast(numbers == p.units, weights.dtype)
        return ops.where(numbers <= p.units, weights, NEVER)

    def log_sum(self, a: Any, p: Parameters) -> Any:
        """Returns the log of the sum of exp(-E) over hidden states, without the visible term."""
        return ops.logsumexp(self.log_weights(a, p), axis=-1)

    def present(self, a: Any, p: Parameters) -> Any:
        """Returns P(z >= i | v), `(rows, capacity)`."""
        shares = ops.softmax(self.log_weights(a, p), axis=-1)
        return ops.flip(ops.cumsum(ops.flip(shares, axis=-1), axis=-1), axis=-1)

    def draw(self, a: Any, p: Parameters, uniform: Any) -> tuple[Any, Any]:
        """Draws which units are active and how many, from uniform draws `(rows,)`."""
        below = ops.cumsum(ops.softmax(self.log_weights(a, p), axis=-1), axis=-1)
        passed = ops.cast(below < ops.expand_dims(uniform, -1), "int32")
        z = ops.minimum(ops.sum(passed, axis=-1) + 1, p.units)
        numbers = ops.arange(a.shape[-1], dtype="int32")
        return ops.cast(numbers < ops.expand_dims(z, -1), a.dtype), z

    def base(self, units: int) -> float:
        """Returns the log of the sum over hidden states with zero kernel and hidden biases."""
        r = self.log_ratio
        if self.endless:
            return r + self.tail
        return r + math.log(math.expm1(units * r) / math.expm1(r))
