"""The closed forms of AdaNet.CVX: surrogate losses, a layer's best unit, one weight's optimum.

Plain NumPy in float64. A unit computes `h(x) = u·φ(h_{k-1}(x))` with `||u||_p <= Λ`.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from scipy.special import expit

Function = Callable[[np.ndarray], np.ndarray]

# The line search stops when the derivative is this share of the sum of its terms' magnitudes, or
# when these have fallen from Φ' = 1 to the second number.
PRECISION = 1e-13

VANISHED = 1e-15

# exp(500) times any number of rows is finite, so a trial step never overflows.
LARGEST_EXPONENT = 500.0

# 1-Lipschitz and 0 at 0, as the paper's bound on the complexity requires.
ACTIVATIONS: dict[str, Function] = {
    "relu": lambda h: np.maximum(h, 0.0),
    "tanh": np.tanh,
    "linear": lambda h: h,
}


@dataclasses.dataclass(frozen=True)
class Surrogate:
    """A convex, increasing loss Φ of `z = 1 - y f(x)` (AdaNet, section 4.1).

    Args:
        value: Φ.
        slope: Φ'.
        curvature: Φ''.
        log_odds: Function from f to `log P(y=1|x) / P(y=-1|x)`, for an f that minimises the
            expected loss at x: the log of `Φ'(1 + f) / Φ'(1 - f)`.
    """

    value: Function
    slope: Function
    curvature: Function
    log_odds: Function


def _exp(z):
    return np.exp(np.minimum(z, LARGEST_EXPONENT))


def _logistic_curvature(z):
    slope = expit(z)
    return slope * (1.0 - slope)


SURROGATES = {
    "logistic": Surrogate(
        value=lambda z: np.logaddexp(0.0, z),
        slope=expit,
        curvature=_logistic_curvature,
        log_odds=lambda f: np.logaddexp(0.0, f - 1.0) - np.logaddexp(0.0, -f - 1.0),
    ),
    "exponential": Surrogate(
        value=_exp,
        slope=_exp,
        curvature=_exp,
        log_odds=lambda f: 2.0 * f,
    ),
}


def best_direction(epsilon: np.ndarray, p: float, norm_bound: float) -> tuple[np.ndarray, float]:
    """Returns the unit with the largest edge, which maximises `u·ε` over `||u||_p <= Λ`.

        u_j = Λ |ε_j|^{q-1} sgn(ε_j) / ||ε||_q^{q/p},   u·ε = Λ ||ε||_q,   1/p + 1/q = 1

    For p = 1 it is the limit: Λ on the first of the largest `|ε_j|`, with its sign.

    Args:
        epsilon: `[inputs]` correlations of the inputs with the labels, on any positive scale:
            u does not depend on it.
        p: Norm, in `[1, 2]`.
        norm_bound: Λ > 0.

    Returns:
        A tuple of u, `[inputs]`, and the value `Λ ||ε||_q`; zeros if ε is zero.

    Example:

    ```python
    import numpy as np
    from adaptive_nets.adanet.convex.units import best_direction

    u, value = best_direction(np.array([3.0, -4.0]), p=2.0, norm_bound=1.0)  # [0.6, -0.8], 5.0
    ```
    """
    magnitude = np.abs(epsilon)
    largest = magnitude.max(initial=0.0)
    if largest == 0.0:
        return np.zeros_like(epsilon), 0.0
    if p == 1:
        u = np.zeros_like(epsilon)
        first = magnitude.argmax()
        u[first] = norm_bound * np.sign(epsilon[first])
        return u, float(norm_bound * largest)
    q = p / (p - 1.0)
    # q grows without bound as p nears 1: of shares the powers stay in [0, 1].
    share = magnitude / largest
    total = np.sum(share**q)
    u = norm_bound * share ** (q - 1.0) * np.sign(epsilon) / total ** (1.0 / p)
    return u, float(norm_bound * largest * total ** (1.0 / q))


def best_weight(
    surrogate: Surrogate,
    z: np.ndarray,
    signed: np.ndarray,
    shares: np.ndarray,
    weight: float,
    gamma: float,
) -> float:
    """Finds one unit's weight by exact line search, with all others fixed.

        argmin over v of  Σ_i c_i Φ(z_i - (v - w) y_i h(x_i)) + Γ|v|

    The derivative at v = 0 shows whether the penalty's kink is the minimum. If not, it gives the
    sign of v, and on that side the function is smooth: Newton's method runs inside a bracket,
    which is halved whenever a step would leave it. If the loss has no minimum (a unit that
    separates the classes, with Γ = 0), v ends where the derivative has vanished in float64.

    Args:
        surrogate: Φ.
        z: `[rows]` values of `1 - y f(x)`, with the unit at its current weight.
        signed: `[rows]` values of `y h(x)`.
        shares: `[rows]` weights c of the rows, summing to 1.
        weight: The current weight w.
        gamma: Γ >= 0.

    Returns:
        The best v.
    """
    first, second = shares * signed, shares * signed**2

    magnitudes = np.abs(first)

    def margins(v):
        return z - (v - weight) * signed

    at_zero = -(first @ surrogate.slope(margins(0.0)))
    if abs(at_zero) <= gamma:
        return 0.0
    sign = -np.sign(at_zero)
    longest = 4.0 / np.abs(signed).max()
    low, high, at = 0.0, np.inf, max(0.0, sign * weight)
    for _ in range(200):
        there = margins(sign * at)
        slopes = surrogate.slope(there)
        slope = gamma - sign * (first @ slopes)
        if abs(slope) <= PRECISION * (magnitudes @ slopes) + VANISHED * magnitudes.sum():
            break
        if slope < 0:
            low = at
        else:
            high = at
        curvature = second @ surrogate.curvature(there)
        step = -slope / max(curvature, np.finfo(np.float64).tiny)
        following = min(at + step, max(4.0 * at, at + longest))
        if following != at and not low < following < high:
            following = 0.5 * (low + high)
        if following in (low, high):
            break
        at = following
    return float(sign * at)
