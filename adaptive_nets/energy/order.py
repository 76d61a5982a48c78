"""How many hidden units take part: all, the first z of n, or the first z of infinitely many.

Côté and Larochelle, "An Infinite Restricted Boltzmann Machine", arXiv 1502.02476, sections 3 and 4.
"""

import dataclasses
import math
from typing import Any

from keras import ops

# Stands for minus infinity, whose differences are not numbers.
NEVER = -1e9


@dataclasses.dataclass(frozen=True)
class Parameters:
    """What an energy is computed with.

    Args:
        kernel: `(visible, capacity)`.
        hidden_bias: `(capacity,)`.
        visible_bias: `(visible,)`.
        units: How many of the capacity are trained, an integer scalar.
    """

    kernel: Any
    hidden_bias: Any
    visible_bias: Any
    units: Any

    def annealed(self, share: Any) -> "Parameters":
        """Between no interaction (0) and these (1); the visible bias stays."""
        return dataclasses.replace(
            self, kernel=share * self.kernel, hidden_bias=share * self.hidden_bias
        )

    def regrouped(self, order: Any) -> "Parameters":
        """The same units in another order."""
        return dataclasses.replace(
            self,
            kernel=ops.take(self.kernel, order, axis=1),
            hidden_bias=ops.take(self.hidden_bias, order, axis=0),
        )

    def outputs(self, hidden: Any) -> Any:
        """What the visible units receive of hidden states, and their bias."""
        return ops.matmul(hidden, ops.transpose(self.kernel)) + self.visible_bias

    def inputs(self, v: Any) -> Any:
        """What the hidden units receive, `(rows, capacity)`."""
        return ops.matmul(v, self.kernel) + self.hidden_bias


class Unordered:
    """All units take part: the ordinary restricted Boltzmann machine."""

    def log_sum(self, a: Any, p: Parameters) -> Any:
        """Logarithm of the sum of exp(-E) over hidden states, without the visible term."""
        return ops.sum(ops.softplus(a), axis=-1)

    def present(self, a: Any, p: Parameters) -> Any:
        """The probability that each unit takes part, `(rows, capacity)` or 1."""
        return 1.0

    def draw(self, a: Any, p: Parameters, uniform: Any) -> tuple[Any, Any]:
        """Which units take part in one state, and how many; uniform draws are `(rows,)`."""
        return 1.0, p.units

    def base(self, units: int) -> float:
        """Logarithm of the sum over hidden states where kernel and hidden biases are zero."""
        return units * math.log(2)


class Ordered:
    """The first z units take part; each pays `beta softplus(b)` for it.

    Args:
        beta: The price, > 1.
        endless: Whether infinitely many units of zero weights come behind the trained ones. Their
            share is a geometric series, of ratio `2 ** (1 - beta)`.
    """

    def __init__(self, beta: float, endless: bool) -> None:
        self.beta, self.endless = beta, endless
        self.log_ratio = (1 - beta) * math.log(2)
        # ln 1/(1 - r): the last trained unit stands for all behind it.
        self.tail = -math.log(-math.expm1(self.log_ratio)) if endless else 0.0

    def log_weights(self, a: Any, p: Parameters) -> Any:
        """Logarithm of P(z | v) but for a constant, `(rows, capacity)`; z = 1 comes first."""
        price = self.beta * ops.softplus(p.hidden_bias)
        numbers = ops.arange(1, a.shape[-1] + 1, dtype="int32")
        weights = ops.cumsum(ops.softplus(a) - price, axis=-1)
        if self.endless:
            weights = weights + self.tail * ops.cast(numbers == p.units, weights.dtype)
        return ops.where(numbers <= p.units, weights, NEVER)

    def log_sum(self, a: Any, p: Parameters) -> Any:
        """Logarithm of the sum of exp(-E) over hidden states, without the visible term."""
        return ops.logsumexp(self.log_weights(a, p), axis=-1)

    def present(self, a: Any, p: Parameters) -> Any:
        """P(z >= i | v), `(rows, capacity)`."""
        shares = ops.softmax(self.log_weights(a, p), axis=-1)
        return ops.flip(ops.cumsum(ops.flip(shares, axis=-1), axis=-1), axis=-1)

    def draw(self, a: Any, p: Parameters, uniform: Any) -> tuple[Any, Any]:
        """Which units take part in one state, and how many; uniform draws are `(rows,)`."""
        below = ops.cumsum(ops.softmax(self.log_weights(a, p), axis=-1), axis=-1)
        passed = ops.cast(below < ops.expand_dims(uniform, -1), "int32")
        z = ops.minimum(ops.sum(passed, axis=-1) + 1, p.units)
        numbers = ops.arange(a.shape[-1], dtype="int32")
        return ops.cast(numbers < ops.expand_dims(z, -1), a.dtype), z

    def base(self, units: int) -> float:
        """Logarithm of the sum over hidden states where kernel and hidden biases are zero."""
        r = self.log_ratio
        if self.endless:
            return r + self.tail
        return r + math.log(math.expm1(units * r) / math.expm1(r))
