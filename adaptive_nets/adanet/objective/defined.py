"""Checks that a metric can tell candidate ensembles apart on given rows."""

import itertools
from collections.abc import Iterator

import numpy as np

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
    for logits in _predictions(len(rows), head.units):
        found = head.metrics()[metric]
        found.update_state(rows.y, logits, sample_weight=rows.w)
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


def _predictions(rows: int, units: int) -> Iterator[np.ndarray]:
    """Yields logits of many kinds: at random, all high or low, one class after another."""
    rng = np.random.default_rng(0)
    noise = (rng.normal(size=(rows, units)).astype("float32") for _ in itertools.count())
    yield from itertools.islice(noise, 2)
    for level in (3.0, -3.0):
        yield np.full((rows, units), level, "float32")
    for k in range(min(units, 32)):
        yield np.tile(np.where(np.arange(units) == k, np.float32(3), np.float32(-3)), (rows, 1))
    yield from itertools.islice(noise, 8)


def _wanted(head, rows):
    return "different targets" if head.strata(rows.y) is None else "rows of more classes"


def _labels(head, rows):
    strata = head.strata(rows.y)
    if strata is None:
        return f"{len(rows)} rows with targets from {np.min(rows.y):g} to {np.max(rows.y):g}"
    return f"{len(rows)} rows of {len(np.unique(strata))} class(es)"
