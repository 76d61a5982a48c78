"""Splits and samples of rows in which every class keeps its share."""

import numpy as np


def split_indices(
    strata: np.ndarray | None, rows: int, held: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Splits rows at random, with a seed, such that both sides have rows of every class.

    Each class gives its share of the rows held out, but at least one and not all of its rows. A
    class of one row stays among the rows that are kept; if all classes have one row, their rows
    are split as if there were no classes.

    Args:
        strata: `[rows]` class of each row, or `None` for rows without classes.
        rows: Number of rows.
        held: Number of rows to hold out.
        seed: Seed of the order.

    Returns:
        Ascending row numbers of the rows kept and of those held out.
    """
    order = np.random.default_rng(seed).permutation(rows)
    chosen = order[:held] if strata is None else _by_class(strata, order, held, keep=1)
    mask = np.zeros(rows, bool)
    mask[chosen] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def draw_rows(strata: np.ndarray | None, rows: int, count: int, seed: int) -> np.ndarray:
    """Draws rows without repetition, some of every class if there are enough.

    Args:
        strata: `[rows]` class of each row, or `None` for rows without classes.
        rows: Number of rows.
        count: Number of rows to draw.
        seed: Seed of the order.

    Returns:
        Their ascending row numbers.
    """
    order = np.random.default_rng(seed).permutation(rows)
    return np.sort(order[:count] if strata is None else _by_class(strata, order, count, keep=0))


def missing_classes(strata: np.ndarray, kept: np.ndarray, held: np.ndarray) -> list[int]:
    """Returns the classes that one side of a split lacks."""
    return np.setxor1d(strata[kept], strata[held]).tolist()


def _by_class(strata, order, count, keep):
    _, codes, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    quotas = _quotas(sizes, count, keep)
    if quotas is None:
        return order[:count]
    shuffled = np.ravel(codes)[order]
    by_class = np.argsort(shuffled, kind="stable")
    place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return order[by_class[place < np.repeat(quotas, sizes)]]


def _quotas(sizes, count, keep):
    """Returns how many rows each class gives: largest remainders, within its least and most."""
    most = sizes - np.minimum(keep, sizes)
    if most.sum() < count:
        return None
    wanted = sizes * (count / sizes.sum())
    least = np.minimum(1, most)
    if least.sum() > count:
        # More classes than rows: the largest classes come first.
        least = np.zeros_like(sizes)
    found = np.clip(np.floor(wanted).astype(int), least, most)
    while found.sum() != count:
        step = 1 if found.sum() < count else -1
        free = found < most if step > 0 else found > least
        gap = np.where(free, step * (wanted - found), -np.inf)
        found[np.argmax(gap)] += step
    return found
