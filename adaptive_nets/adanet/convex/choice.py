"""Chooses λ by rows that the network has not seen."""

from collections.abc import Callable, Iterator

import numpy as np
from absl import logging

# From simple to rich networks; steps of a half decade.
LAMBDAS = (0.1, 0.03, 0.01, 0.003, 0.001)

# For data too small to hold rows out.
FALLBACK = 0.03

_FOLDS, _LEAST_ROWS, _MANY_ROWS = 3, 10, 20_000

# A deeper network is taken if it has this many fewer errors, in standard errors of their number.
_MARGIN = 0.25

Decide = Callable[[np.ndarray, np.ndarray, np.ndarray, float, int, np.ndarray], np.ndarray]


def choose_lambda(
    decide: Decide, features: np.ndarray, signs: np.ndarray, weights: np.ndarray, max_depth: int
) -> tuple[float, int]:
    """Returns the λ and the number of layers of the fewest errors on held-out rows.

    Of equals it takes the largest λ; and fewer layers unless more are clearly better. Each third
    of the rows is held out once; of more than 20,000 rows, one third only. Equal rows stay
    together, so that the choice is the same for a row of weight k and for k equal rows, and for
    rows in any order.

    Args:
        decide: Function from training features, signs and weights, a λ, a number of layers, and
            other features to the values f of these.
        features: `[rows, features]`.
        signs: `[rows]` labels, -1.0 or 1.0.
        weights: `[rows]` weights > 0.
        max_depth: Largest number of layers.

    Returns:
        One of `LAMBDAS` and a number of layers; `FALLBACK` and `max_depth` if a class has less
        than 10 different rows.
    """
    folds = _folds(features, signs)
    if folds is None:
        logging.warning(
            "A class has less than %d different rows, too few to choose λ on held-out ones: it is "
            "%g.", _LEAST_ROWS, FALLBACK,
        )  # fmt: skip
        return FALLBACK, max_depth
    errors = np.zeros((max_depth, len(LAMBDAS)))
    for train, held in _splits(folds):
        for depth, k in np.ndindex(errors.shape):
            found = decide(
                features[train], signs[train], weights[train], LAMBDAS[k], depth + 1, features[held]
            )
            errors[depth, k] += weights[held] @ (np.where(found > 0, 1.0, -1.0) != signs[held])
    # Sums of the same weights in another order may differ in the last digits.
    slack = 1e-9 * weights.sum()
    least = errors.min()
    enough = errors.min(axis=1) <= least + _MARGIN * np.sqrt(least) + slack
    depth = int(np.argmax(enough))
    k = int(np.argmax(errors[depth] <= errors[depth].min() + slack))
    return LAMBDAS[k], depth + 1


def _splits(folds: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    count = 1 if len(folds) > _MANY_ROWS else _FOLDS
    return ((folds != fold, folds == fold) for fold in range(count))


def _folds(features, signs):
    """Returns the fold of each row, by class and content; `None` if there are too few rows."""
    folds = np.empty(len(signs), int)
    rng = np.random.default_rng(0)
    for sign in (-1.0, 1.0):
        rows = signs == sign
        different, place = np.unique(features[rows], axis=0, return_inverse=True)
        if len(different) < _LEAST_ROWS:
            return None
        folds[rows] = rng.permutation(len(different))[np.ravel(place)] % _FOLDS
    return folds
