"""Checks that a metric can tell candidate ensembles apart on given rows."""

from collections.abc import Callable, Iterator

import numpy as np

from adaptive_nets._pieces import pieces
from adaptive_nets.data.rows import Rows
from adaptive_nets.heads import Head


def check_defined(head: Head, metric: str, rows: Rows) -> None:
    """Raises a `ValueError` if a metric is undefined on rows, whatever is predicted for them.

    The area under the ROC curve of rows of one class has no value; the recall without positives
    and the r2 of a constant target have always the same.

    Args:
        head: The adapted head.
        metric: Name of one of its metrics, or `"loss"`.
        rows: The rows that candidate ensembles are judged by.
    """
    if metric == "loss":
        return
    seen = set()
    for predict in _predictions(head.units):
        found = head.metrics()[metric]
        for some in pieces(len(rows), head.units):
            weights = None if rows.w is None else rows.w[some]
            logits = predict(some.stop - some.start)
            found.update_state(rows.y[some], logits, sample_weight=weights)
        value = float(found.result())
        if np.isfinite(value):
            seen.add(round(value, 6))
        if len(seen) > 1:
            return
    shown = f"always {seen.pop():g}" if seen else "no number"
    raise ValueError(
        f"The Evaluator's metric '{metric}' is undefined on the rows that it judges by: whatever "
        f"is predicted, it is {shown}. Pass validation data with {_wanted(head, rows)}, or choose "
        f"another metric. Received: {_labels(head, rows)}."
    )


def _predictions(units: int) -> Iterator[Callable[[int], np.ndarray]]:
    """Yields logits of many kinds: at random, all high or low, one class after another.

    Each is a function from a number of rows to as many logits, which is called piece by piece.
    """
    rng = np.random.default_rng(0)

    def noise(rows):
        return rng.normal(size=(rows, units)).astype("float32")

    def same(logits):
        return lambda rows: np.tile(logits, (rows, 1))

    yield from [noise] * 2
    for level in (3.0, -3.0):
        yield same(np.full(units, level, "float32"))
    for k in range(min(units, 32)):
        yield same(np.where(np.arange(units) == k, np.float32(3), np.float32(-3)))
    yield from [noise] * 8


def _wanted(head, rows):
    return "different targets" if head.strata(rows.y) is None else "rows of more classes"


def _labels(head, rows):
    strata = head.strata(rows.y)
    if strata is None:
        return f"{len(rows)} rows with targets from {np.min(rows.y):g} to {np.max(rows.y):g}"
    return f"{len(rows)} rows of {len(np.unique(strata))} class(es)"
