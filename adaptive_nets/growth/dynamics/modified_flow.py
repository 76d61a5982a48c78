"""The flow that two steps of gradient descent follow, and what its terms measure."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from adaptive_nets.growth.dynamics.derivatives import OnBatch, Values


def conflict(first: OnBatch, second: OnBatch, values: Values) -> list[np.ndarray]:
    """The conflict term H2 g1 - H1 g2 of two losses of the same variables.

    Args:
        first: The loss of the first step.
        second: The loss of the second.
        values: Where both are taken.
    """
    ahead = second.product(values, first.gradient(values))
    back = first.product(values, second.gradient(values))
    return [a - b for a, b in zip(to_numpy(ahead), to_numpy(back), strict=True)]


def modified_flow(
    first: OnBatch,
    second: OnBatch,
    first_rate: float,
    second_rate: float,
    regularizers: bool = True,
    conflicts: bool = True,
) -> Callable[[Values], list[np.ndarray]]:
    """The vector field that two steps of gradient descent, one on either loss, follow.

    Its flow over time 1 ends where the steps end, up to third order in the rates:

        -(h1 g1 + h2 g2) - grad[(h1^2/4)|g1|^2 + (h2^2/4)|g2|^2] + (h1 h2/2)(H2 g1 - H1 g2)

    Args:
        first: The loss of the first step.
        second: The loss of the second.
        first_rate: h1.
        second_rate: h2.
        regularizers: Whether the term in brackets is there; without it the order is two.
        conflicts: Whether the last term is there; without it the order is two.

    Returns:
        A function of the variables' values.
    """
    h1, h2 = first_rate, second_rate

    def field(values: Values) -> list[np.ndarray]:
        g1, g2 = first.gradient(values), second.gradient(values)
        moved = [-(h1 * a + h2 * b) for a, b in zip(to_numpy(g1), to_numpy(g2), strict=True)]
        if regularizers:
            h1g1, h2g2 = to_numpy(first.product(values, g1)), to_numpy(second.product(values, g2))
            for m, a, b in zip(moved, h1g1, h2g2, strict=True):
                m -= h1**2 / 2 * a + h2**2 / 2 * b
        if conflicts:
            for m, bracket in zip(moved, conflict(first, second, values), strict=True):
                m += h1 * h2 / 2 * bracket
        return moved

    return field


def measure(parts: Sequence[OnBatch], values: Values) -> dict[str, Any]:
    """The mean gradient, its noise, and the rate that a quadratic loss would like best."""
    gradients = [to_numpy(part.gradient(values)) for part in parts]
    count = len(parts)
    mean = [sum(each) / count for each in zip(*gradients, strict=True)]
    apart = [[g - m for g, m in zip(each, mean, strict=True)] for each in gradients]
    noise = sum(dot(each, each) for each in apart) / (count - 1)
    signal = max(dot(mean, mean) - noise / count, 0.0)
    bend = np.mean([dot(mean, to_numpy(part.product(values, mean))) for part in parts])
    # The noise's curvature, each batch's deviation measured on the batch after it.
    shaken = [
        dot(each, to_numpy(parts[(i + 1) % count].product(values, each)))
        for i, each in enumerate(apart)
    ]
    curved = float(bend + np.mean(shaken))
    return {
        "loss": float(np.mean([part.loss(values) for part in parts])),
        "mean": mean,
        "noise": noise,
        "signal": signal,
        "curvature": float(bend) / max(dot(mean, mean), np.finfo(float).tiny),
        "best_rate": signal / curved if curved > 0 else None,
    }


def to_numpy(values: Values) -> list[np.ndarray]:
    """Tensors as float64 arrays."""
    return [np.array(ops.convert_to_numpy(value), dtype="float64") for value in values]


def dot(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    """The inner product over all variables."""
    return float(sum(np.vdot(x, y) for x, y in zip(a, b, strict=True)))


def norm(a: list[np.ndarray]) -> float:
    """The length over all variables."""
    return float(np.sqrt(dot(a, a)))
