"""Which rows are held out."""

from typing import Any

import numpy as np

from adaptive_nets.data.rows import split_indices

# Fewer rows are not divided.
LEAST_ROWS = 10
_FEW = 5000
# So often groups are drawn, of which the best draw is taken; of many rows less often.
_DRAWS, _DRAWN_ROWS = 64, 10_000_000


def held_out_fraction(rows: int) -> float:
    """Returns the share of the rows that is held out: a tenth to a fifth of few, fewer of many.

    Args:
        rows: Number of rows.
    """
    if rows < _FEW:
        return max(0.1, min(0.2, 500 / rows))
    return float(np.clip(2500 / rows, 0.01, 0.1))


def split(rows: int, strata: np.ndarray | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the row numbers to train on and those to hold out.

    Args:
        rows: Number of rows, at least `LEAST_ROWS`.
        strata: `[rows]` class of each row, or `None` if there are no classes.
        seed: Seed of the split.
    """
    held = max(1, round(rows * held_out_fraction(rows)))
    return split_indices(strata, rows, held, seed)


def split_groups(
    groups: np.ndarray,
    strata: np.ndarray | None,
    seed: int,
    labels: np.ndarray | None,
    counts: np.ndarray | None = None,
    share: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the row numbers to train on and those to hold out, with each group on one side.

    Of several random draws of groups the one is taken that comes nearest to the usual number of
    rows, of each class. Some rows of every class stay in training.

    Args:
        groups: `[rows]` number of each row's group.
        strata: `[rows]` class of each row, or `None` if there are no classes.
        seed: Seed of the draws.
        labels: The classes, or `None`.
        counts: `[rows]` how many rows each of them stands for. Defaults to `None`: for one.
        share: Share of the rows to hold out. Defaults to `None`: `held_out_fraction`.

    Raises:
        ValueError: There is one group, or a class in each group that is in no other.
    """
    _, groups = np.unique(groups, return_inverse=True)
    counts = np.ones(len(groups), "int64") if counts is None else counts
    sizes = np.bincount(groups, counts)
    if len(sizes) < 2:
        raise ValueError(
            "groups must be at least 2, so that one can be held out. Received: 1 group in "
            f"{counts.sum()} rows."
        )
    classes = np.zeros(len(groups), "int64") if strata is None else strata
    free = np.ones(len(sizes), bool)
    pairs = np.unique(np.stack([classes, groups]), axis=1)
    found, first, count = np.unique(pairs[0], return_index=True, return_counts=True)
    free[pairs[1][first[count == 1]]] = False
    if not free.any():
        raise ValueError(
            "Each group has a class that is in no other group, so that none can be held out: "
            "training would never see the class. Pass larger groups, or validation_data. "
            f"Received: class {labels.tolist()[found[count == 1][0]]!r} in one group alone."
        )
    share = held_out_fraction(int(counts.sum())) if share is None else share
    drawn = _drawn(groups, classes, counts, np.flatnonzero(free), seed, share)
    return _sides(np.isin(groups, drawn))


def _drawn(groups, classes, counts, free, seed, share):
    """Returns the groups to hold out."""
    random = np.random.default_rng(seed)
    rows, every, sizes = counts.sum(), np.bincount(classes, counts), np.bincount(groups, counts)
    best, cost = None, np.inf
    for _ in range(int(np.clip(_DRAWN_ROWS // len(groups), 4, _DRAWS))):
        order = random.permutation(free)
        most = len(order) - (len(order) == len(sizes))
        count = 1 + int(np.argmin(np.abs(np.cumsum(sizes[order[:most]]) - share * rows)))
        for chosen in (order[:count], order[:1]):
            mask = np.zeros(len(sizes), bool)
            mask[chosen] = True
            chosen_rows = mask[groups]
            held = np.bincount(classes[chosen_rows], counts[chosen_rows], minlength=len(every))
            found = np.abs(held - share * every).sum()
            if found < cost and not ((held == every) & (every > 0)).any():
                best, cost = chosen, found
    return best


def split_times(
    times: np.ndarray,
    strata: np.ndarray | None,
    gap: Any,
    labels: np.ndarray | None,
    counts: np.ndarray | None = None,
    share: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the row numbers to train on and those to hold out, which are the last in time.

    Rows of one time are on one side. Training rows that are not as long as the gap before the first
    row held out are left out.

    Args:
        times: `[rows]` dates or numbers.
        strata: `[rows]` class of each row, or `None` if there are no classes.
        gap: Time between the sides, 0 for none.
        labels: The classes, or `None`.
        counts: `[rows]` how many rows each of them stands for. Defaults to `None`: for one.
        share: Share of the rows to hold out. Defaults to `None`: `held_out_fraction`.

    Raises:
        ValueError: All rows are of one time, or what is left before them cannot be learnt from.
    """
    counts = np.ones(len(times), "int64") if counts is None else counts
    known, place = np.unique(times, return_inverse=True)
    rows = int(counts.sum())
    if len(known) < 2:
        raise ValueError(
            "time must have at least 2 different values, so that the last rows can be held out. "
            f"Received: {known[0]} in all {rows} rows."
        )
    later = np.bincount(place, counts)[::-1].cumsum()[::-1][1:]
    wanted = rows * (held_out_fraction(rows) if share is None else share)
    # From the end, so that of two that are as near the smaller part is held out.
    place = len(later) - 1 - int(np.argmin(np.abs(later - wanted)[::-1]))
    start = known[1 + place]
    held = times >= start
    kept = ~held if not gap else ~held & (times <= start - gap)
    left = int(counts[kept].sum())
    if left < 2:
        raise ValueError(
            f"Too few rows are left to train on: {left} of {rows} are before {start}, "
            f"where held-out rows begin, by the gap or more. Expected at least 2. Pass a shorter "
            f"gap. Received: gap={gap}."
        )
    if strata is not None:
        absent = np.setdiff1d(strata, strata[kept])
        if len(absent):
            raise ValueError(
                f"Class {labels.tolist()[absent[0]]!r} is in none of the rows to train on, because "
                f"the last rows are held out, from {start} on. Leave out its rows, pass a shorter "
                f"gap, or pass validation_data. Received: {left} rows before."
            )
    return np.flatnonzero(kept), np.flatnonzero(held)


def _sides(mask):
    return np.flatnonzero(~mask), np.flatnonzero(mask)
