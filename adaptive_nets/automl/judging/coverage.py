"""How often intervals and sets hold on rows that they were not learnt from."""

from typing import Any

import numpy as np
import pandas as pd

from adaptive_nets.automl.judging.class_sets import ClassSets
from adaptive_nets.automl.judging.intervals import Intervals

COVERAGES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_FOLDS = 5


def coverage_table(
    intervals: Any, y: np.ndarray, outputs: np.ndarray, weights: np.ndarray | None, own: bool
) -> pd.DataFrame | None:
    """Returns how many rows intervals or sets hold, and how large these are on average.

    Args:
        intervals: `Intervals`, `QuantileIntervals` or `ClassSets`.
        y: `[rows]` numbers, or positions of classes.
        outputs: What the model predicts for them.
        weights: `[rows]` weights, or `None`.
        own: Whether the intervals were learnt from these rows. Then each fifth of them is measured
            by what the others say, unless most were learnt from training rows, by folds.

    Returns:
        A `pandas.DataFrame` with `coverage`, `held`, and `width` or `size`; `None` if there are too
        few rows for any coverage.
    """
    own = own and _learnt_from(intervals) <= len(y)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, "float64")
    scores = intervals.row_scores(y, outputs)
    fold = np.random.default_rng(0).permutation(len(y)) % _FOLDS
    found = []
    for coverage in COVERAGES:
        try:
            reach = np.tile(intervals.widths(coverage), (len(y), 1))
            for each in range(_FOLDS if own else 0):
                part = fold == each
                reach[part] = Intervals.of_scores(scores[~part], w[~part]).widths(coverage)
            size = _size(intervals, outputs, coverage)
        except ValueError:
            # So few rows were held out that they say nothing of such a coverage.
            continue
        place = 0 if scores.shape[1] == 1 else intervals.pair(coverage)
        inside = scores[:, place] <= reach[:, place]
        found.append((coverage, float(np.average(inside, weights=w)), size))
    last = "size" if isinstance(intervals, ClassSets) else "width"
    return pd.DataFrame(found, columns=["coverage", "held", last]) if found else None


def _learnt_from(intervals):
    """Returns the number of rows whose scores are kept."""
    found = intervals if isinstance(intervals, Intervals) else intervals.scores
    return len(found.scores[0])


def _size(intervals, outputs, coverage):
    if isinstance(intervals, ClassSets):
        return float(intervals.holds(outputs, coverage).sum(axis=1).mean())
    lower, upper = intervals.around(outputs, coverage)
    return float(np.mean(upper - lower))
