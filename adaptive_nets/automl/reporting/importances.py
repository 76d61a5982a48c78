"""Which columns count, and what predictions do as one of them changes."""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

_REPEATS, _GRID, _ROWS = 3, 12, 150

Predict = Callable[[pd.DataFrame], np.ndarray]


def importances(
    outputs_of: Predict, x: pd.DataFrame, loss: Callable[[np.ndarray], float], seconds: float
) -> pd.DataFrame:
    """Returns how much worse predictions are if a column is shuffled.

    Args:
        outputs_of: Function from features to outputs.
        x: Features.
        loss: Function from outputs for these rows to a number that is lower the better they are.
        seconds: Time for it. Columns that it does not last for are left out.

    Returns:
        A `pandas.DataFrame` with `feature`, `importance`, `lower` and `upper`, the highest first.
    """
    ends, random, rows = time.monotonic() + seconds, np.random.default_rng(0), []
    base = loss(outputs_of(x))
    for name in x.columns:
        if rows and time.monotonic() > ends:
            break
        parts = []
        for _ in range(_REPEATS):
            order = random.permutation(len(x))
            parts.append(x.assign(**{name: x[name].iloc[order].to_numpy()}))
        # One call for all: each has costs of its own.
        outputs = outputs_of(pd.concat(parts, ignore_index=True))
        drops = [loss(part) - base for part in np.split(outputs, _REPEATS)]
        rows.append((str(name), float(np.mean(drops)), min(drops), max(drops)))
    frame = pd.DataFrame(rows, columns=["feature", "importance", "lower", "upper"])
    return frame.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def partial_dependence(predict: Predict, x: pd.DataFrame, name: str, numeric: bool) -> pd.DataFrame:
    """Returns the mean prediction with a column set to each of some values.

    Args:
        predict: Function from features to one number a row.
        x: Features.
        name: The column.
        numeric: Whether its values are numbers, in an order.

    Returns:
        A `pandas.DataFrame` with `value` and `prediction`.
    """
    rows = x.iloc[:_ROWS]
    present = x[name].dropna()
    if numeric:
        grid = np.unique(np.quantile(present.to_numpy("float64"), np.linspace(0.02, 0.98, _GRID)))
        if present.dtype.kind in "iu":
            grid = np.unique(np.round(grid)).astype(present.dtype)
    else:
        grid = present.value_counts().index[:_GRID].to_numpy()
    if not len(grid):
        return pd.DataFrame({"value": [], "prediction": []})
    parts = pd.concat([rows] * len(grid), ignore_index=True)
    parts[name] = pd.Series(np.repeat(grid, len(rows)), dtype=x[name].dtype)
    found = np.asarray(predict(parts)).reshape(len(grid), len(rows)).mean(axis=1)
    return pd.DataFrame({"value": grid, "prediction": found})
