"""What a curve costs, and how much compute growth saves."""

from typing import Any

import numpy as np


def compute(curve: dict[str, Any], before: float = 0.0) -> np.ndarray:
    """FLOPs spent at each point of a curve, `before` included."""
    return before + np.asarray(curve["steps"], float) * curve["flops_per_step"]


def best_so_far(losses: Any) -> np.ndarray:
    """The lowest loss up to each point: noise between evaluations goes both ways otherwise."""
    return np.minimum.accumulate(np.asarray(losses, float))


def compute_to_reach(loss: float, spent: np.ndarray, losses: np.ndarray) -> float | None:
    """At which compute a curve first is as low as `loss`, between points by interpolation.

    Args:
        loss: To reach.
        spent: Compute at each point, rising.
        losses: At each point.

    Returns:
        The compute, or None if the curve never gets there.
    """
    low = best_so_far(losses)
    reached = np.flatnonzero(low <= loss)
    if not len(reached):
        return None
    at = reached[0]
    if at == 0:
        return float(spent[0])
    share = (low[at - 1] - loss) / (low[at - 1] - low[at])
    return float(spent[at - 1] + share * (spent[at] - spent[at - 1]))


def saved(
    spent: np.ndarray, losses: np.ndarray, other_spent: np.ndarray, other_losses: np.ndarray
) -> list[float | None]:
    """The share of compute that a curve saves against another, at each of its points.

    Args:
        spent: Compute of the grown arm at each point, its sources' included.
        losses: Of the grown arm.
        other_spent: Compute of the arm from scratch.
        other_losses: Of the arm from scratch.

    Returns:
        One number a point; None where the other never gets as low.
    """
    found = []
    for cost, loss in zip(spent, best_so_far(losses), strict=True):
        needed = compute_to_reach(loss, other_spent, other_losses)
        found.append(1 - cost / needed if needed else None)
    return found


def last_known(values: list[float | None]) -> tuple[int, float] | None:
    """The last point that has a value, and the value."""
    known = [(i, value) for i, value in enumerate(values) if value is not None]
    return known[-1] if known else None


def mean_and_error(values: Any) -> tuple[float, float]:
    """The mean over seeds and its standard error."""
    values = np.asarray(values, float)
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
