"""Checks the arguments of `ConvexAdaNet`."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, check_consistent_length

from adaptive_nets._checks import check_bool, check_choice, check_integer, check_number, show
from adaptive_nets.adanet.convex.units import ACTIVATIONS, SURROGATES

COMPLEXITIES = ("rademacher", "sqrt_depth")


def check_parameters(estimator: BaseEstimator) -> None:
    """Checks the constructor arguments of a `ConvexAdaNet`.

    Raises:
        ValueError: An argument is out of range.
    """
    given = estimator.get_params(deep=False)
    for name, names in (("surrogate", tuple(SURROGATES)), ("activation", tuple(ACTIVATIONS))):
        check_choice(name, given[name], names)
    complexity = given["complexity"]
    if not callable(complexity) and not (
        isinstance(complexity, str) and complexity in COMPLEXITIES
    ):
        raise ValueError(
            "complexity must be 'rademacher', 'sqrt_depth' or a function of the depth. "
            f"Received: complexity={show(complexity)}."
        )
    check_number("p", given["p"], 1, 2)
    if isinstance(given["adanet_lambda"], str):
        check_choice("adanet_lambda", given["adanet_lambda"], ("auto",))
    else:
        check_number("adanet_lambda", given["adanet_lambda"], 0)
    for name in ("adanet_beta", "tolerance"):
        check_number(name, given[name], 0)
    for name, least in (("max_iterations", 1), ("max_depth", 1), ("corrective_passes", 0)):
        check_integer(name, given[name], least)
    check_bool("fit_intercept", given["fit_intercept"])
    bound = given["norm_bound"]
    several = isinstance(bound, list | tuple) or (isinstance(bound, np.ndarray) and bound.ndim > 0)
    bounds = bound if several else [bound]
    for k, bound in enumerate(bounds):
        check_number(f"norm_bound[{k}]" if several else "norm_bound", bound, 0, inclusive=False)
    if several and len(bounds) < given["max_depth"]:
        raise ValueError(
            f"norm_bound must be one number, or one for each of {given['max_depth']} layers. "
            f"Received: norm_bound={show(given['norm_bound'])}."
        )


def read_weights(sample_weight: Any, features: np.ndarray) -> np.ndarray:
    """Returns row weights as an array.

    Args:
        sample_weight: `[rows]` numbers >= 0, or `None` for ones.
        features: `[rows, features]`.

    Returns:
        float64 `[rows]`, not all zero.

    Raises:
        ValueError: The weights are not such numbers.
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
