"""Which rows are held out."""

import numpy as np

from adaptive_nets.data.rows import split_indices

# Fewer rows are not divided.
LEAST_ROWS = 10
_FEW = 5000


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
