"""Folds of rows, for cross-validation."""

import numpy as np


def fold_numbers(strata: np.ndarray | None, rows: int, folds: int, seed: int) -> np.ndarray:
    """Assigns rows to folds at random, with a seed: as many to each, and of every class its share.

    Args:
        strata: `[rows]` class of each row, or `None` for rows without classes.
        rows: Number of rows.
        folds: Number of folds, at most that of rows.
        seed: Seed of the order.

    Returns:
        int32 array of the number of each row's fold, from 0.
    """
    order = np.random.default_rng(seed).permutation(rows)
    if strata is not None:
        # One class after the other, so that dealing them out deals out each class.
        order = order[np.argsort(np.asarray(strata)[order], kind="stable")]
    found = np.empty(rows, "int32")
    found[order] = np.arange(rows) % folds
    return found
