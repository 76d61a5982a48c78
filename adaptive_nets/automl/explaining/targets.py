"""The numbers of a model's outputs that are explained."""

from typing import Any

import numpy as np

from adaptive_nets._checks import show
from adaptive_nets.automl.targets import Classes, Target


def explained(target: Target, asked: Any) -> list[tuple[Any, int]]:
    """Returns classes or targets with their columns among the outputs.

    Args:
        target: The target.
        asked: A class, or `None` for the second of two classes and for all of more.

    Raises:
        ValueError: There is no such class, or numbers are predicted.
    """
    if not isinstance(target, Classes):
        if asked is not None:
            raise ValueError(
                f"target names a class, and this model predicts numbers. Expected target=None. "
                f"Received: target={show(asked)}."
            )
        count = len(target.mean)
        return [(None if count == 1 else k, k) for k in range(count)]
    labels = target.labels.tolist()
    if asked is None:
        return (
            [(labels[1], 1)] if len(labels) == 2 else [(label, k) for k, label in enumerate(labels)]
        )
    same = [k for k, label in enumerate(labels) if _equal(label, asked)]
    if not same:
        raise ValueError(
            f"target must be one of the classes {show(labels)}, or None. "
            f"Received: target={show(asked)}."
        )
    return [(labels[same[0]], same[0])]


def columns_of(target: Target, outputs: np.ndarray) -> np.ndarray:
    """Returns outputs as `[rows, columns]` numbers: probabilities, or predictions."""
    if isinstance(target, Classes):
        return np.asarray(outputs, "float64")
    found = np.asarray(target.point(outputs), "float64")
    return found.reshape(len(found), -1)


def _equal(label, asked):
    plain = asked.item() if isinstance(asked, np.generic) else asked
    return type(plain) in (str, int, float, bool) and label == plain
