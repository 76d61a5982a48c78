"""Checks of what `ConvexAdaNet` is given."""

import math
import numbers
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, check_consistent_length

from adaptive_nets.adanet.convex.units import ACTIVATIONS, SURROGATES

COMPLEXITIES = ("rademacher", "sqrt_depth")


def check_parameters(estimator: BaseEstimator) -> None:
    """Refuses constructor arguments of a `ConvexAdaNet` that are out of range.

    Raises:
        ValueError: One is.
    """
    given = estimator.get_params(deep=False)

    def refuse(name, expected):
        raise ValueError(f"{name} must be {expected}. Received: {name}={given[name]!r}.")

    for name, names in (("surrogate", tuple(SURROGATES)), ("activation", tuple(ACTIVATIONS))):
        if given[name] not in names:
            refuse(name, f"one of {', '.join(map(repr, names))}")
    if not callable(given["complexity"]) and given["complexity"] not in COMPLEXITIES:
        refuse("complexity", "'rademacher', 'sqrt_depth' or a function of the depth")
    if not is_number(given["p"], 1.0, 2.0):
        refuse("p", "a number from 1 to 2")
    for name in ("adanet_lambda", "adanet_beta", "tolerance"):
        if not is_number(given[name], 0.0):
            refuse(name, "a finite number >= 0")
    for name, least in (("max_iterations", 1), ("max_depth", 1), ("corrective_passes", 0)):
        if not isinstance(given[name], numbers.Integral) or not is_number(given[name], least):
            refuse(name, f"an integer >= {least}")
    if not isinstance(given["fit_intercept"], bool | np.bool_):
        refuse("fit_intercept", "True or False")
    several = isinstance(given["norm_bound"], list | tuple | np.ndarray)
    bounds = given["norm_bound"] if several else [given["norm_bound"]]
    if not all(is_number(bound, 0.0) and bound > 0 for bound in bounds):
        refuse("norm_bound", "a finite number > 0, or a sequence of them")
    if several and len(bounds) < given["max_depth"]:
        refuse("norm_bound", f"one number, or one for each of {given['max_depth']} layers")


def is_number(value: Any, least: float, most: float = math.inf) -> bool:
    """Whether it is a finite real number in `[least, most]`."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return real and math.isfinite(value) and least <= value <= most


def read_weights(sample_weight: Any, features: np.ndarray) -> np.ndarray:
    """Row weights as an array.

    Args:
        sample_weight: `[rows]` numbers >= 0, or `None` for ones.
        features: `[rows, features]`.

    Returns:
        float64 `[rows]`, not all zero.

    Raises:
        ValueError: They are not such numbers.
    """
    if sample_weight is None:
        return np.ones(len(features))
    weights = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weights.ndim != 1:
        raise ValueError(f"sample_weight must have one dimension. Received: shape {weights.shape}.")
    check_consistent_length(weights, features)
    if (weights < 0).any():
        raise ValueError(f"sample_weight must be >= 0. Received: {weights.min()} among them.")
    if not (weights > 0).any():
        raise ValueError("sample_weight must not be zero in every row. Received: only zeros.")
    return weights
