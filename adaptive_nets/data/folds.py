"""Folds of rows, for cross-validation."""

from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import show
from adaptive_nets._seeds import derive_seed


def repeated_fold_numbers(
    strata: np.ndarray | None,
    rows: int,
    folds: int,
    repeats: int,
    seed: int,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Divides rows into folds several times, each time in another way.

    Args:
        strata: `[rows]` class of each row, or `None` for rows without classes.
        rows: Number of rows.
        folds: Number of folds, at most that of rows or groups.
        repeats: Number of divisions.
        seed: Seed of the first one, from which the others follow.
        groups: `[rows]` number of each row's group, from 0. Defaults to `None`: there are none.

    Returns:
        int32 array `[rows, repeats]` of the numbers of each row's folds: those of the first
        division from 0, those of the second one from `folds`, and so on.
    """
    found = []
    for repeat in range(repeats):
        own = seed if repeat == 0 else derive_seed(seed, "repeat", repeat)
        if groups is None:
            numbers = fold_numbers(strata, rows, folds, own)
        else:
            numbers = group_fold_numbers(strata, groups, folds, own)
        found.append(numbers + repeat * folds)
    return np.stack(found, axis=1).astype("int32")


def read_groups(given: Any, rows: int) -> np.ndarray:
    """Returns `[rows]` numbers of the rows' groups, from 0.

    Args:
        given: One value per row: array, list, tensor or pandas object.
        rows: Number of rows.

    Raises:
        ValueError: It has another number of values, or one is missing.
        TypeError: The values cannot be compared, such as lists.
    """
    import pandas as pd

    values = keras.ops.convert_to_numpy(given) if keras.ops.is_tensor(given) else given
    try:
        values = pd.Series(values).to_numpy() if isinstance(values, list | tuple) else values
        values = np.asarray(values)
        shape = values.shape[:1] if values.shape[1:] == (1,) else values.shape
        if shape == (rows,) and values.dtype.names is None:
            codes = pd.factorize(values.reshape(-1))[0]
        else:
            codes = None
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"groups must be numbers, text or dates, one per row. Received: groups={show(given)}."
        ) from error
    if codes is None:
        raise ValueError(
            f"groups must have one value for each of the {rows} rows. "
            f"Received: groups={show(given)}."
        )
    if (codes < 0).any():
        raise ValueError(
            "Every row must have a group. Fill in or leave out rows without one. Received: groups "
            f"with {(codes < 0).sum()} missing values, first in row {int(np.argmax(codes < 0))}."
        )
    return codes


def group_fold_numbers(
    strata: np.ndarray | None, groups: np.ndarray, folds: int, seed: int
) -> np.ndarray:
    """Assigns groups of rows to folds: about as many rows to each, and of every class its share.

    The largest groups come first, each into the fold that leaves the classes spread most evenly;
    the seed decides between groups of one size, and between folds.

    Args:
        strata: `[rows]` class of each row, or `None` for rows without classes.
        groups: `[rows]` number of each row's group, from 0.
        folds: Number of folds, at most that of groups.
        seed: Seed of the order.

    Returns:
        int32 array of the number of each row's fold, from 0.
    """
    _, groups = np.unique(groups, return_inverse=True)
    kinds = np.zeros(len(groups), int)
    if strata is not None:
        _, kinds = np.unique(strata, return_inverse=True)
    count = groups.max() + 1
    sizes = np.zeros((count, kinds.max() + 1))
    np.add.at(sizes, (groups, kinds), 1.0)
    share = sizes / sizes.sum(axis=0)
    random = np.random.default_rng(seed)
    order = random.permutation(count)
    order = order[np.argsort(-sizes[order].sum(axis=1), kind="stable")]
    filled, number = np.zeros((folds, sizes.shape[1])), np.empty(count, "int32")
    for place, group in enumerate(order):
        # What the squares of all folds' shares rise by, if the group joins one of them.
        cost = (2 * filled * share[group]).sum(axis=1)
        # No fold stays empty, whatever the classes say.
        empty = ~filled.any(axis=1)
        if count - place <= empty.sum():
            cost[~empty] = np.inf
        least = np.flatnonzero(cost <= cost.min() + 1e-12)
        number[group] = chosen = random.choice(least)
        filled[chosen] += share[group]
    return number[groups]


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
