"""What each class counts, as `class_weight` says."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from adaptive_nets._checks import show
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.targets import Classes
from adaptive_nets.heads.class_weights import read_class_weight


def class_factors(target: Classes, given: Any, rows: Labelled) -> np.ndarray:
    """Returns `[classes]` factors for the weights of rows, in the order of the classes.

    Args:
        target: The target.
        given: What was passed for `class_weight`, but not `None`.
        rows: The training rows, which `"balanced"` counts with their weights.

    Raises:
        ValueError: It is none of the forms, names an unknown class, or a weight is 0 or less.
    """
    if hasattr(given, "to_dict"):
        given = given.to_dict()  # The index of a pandas Series names the classes.
    if isinstance(given, Mapping):
        given = {_name(target, label, given): weight for label, weight in given.items()}
    found = read_class_weight(target.head(), given, target.codes(rows.y), rows.w) or {}
    factors = np.ones(len(target.labels))
    factors[list(found)] = list(found.values())
    if not factors.all():
        label = target.labels[int(np.argmin(factors))]
        raise ValueError(
            "class_weight must be greater than 0 for every class. Leave out the rows of a class "
            f"that does not count. Received: 0 for {show(label)}."
        )
    return factors


def _name(target, label, given):
    """Returns the name of a class, as the head has it."""
    try:
        return target.encode(np.array([label], dtype=object))[0]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"class_weight must name classes of the target, {show(target.labels.tolist())}. "
            f"Received: class_weight={show(given)}."
        ) from error
