"""How good a model is, in one sentence: with an interval, and against the baselines."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from adaptive_nets.automl.judging.board import Board
from adaptive_nets.automl.judging.scoring import Metric
from adaptive_nets.automl.reporting.record import Held
from adaptive_nets.automl.targets import Classes, Target
from adaptive_nets.report.content.document import rounded

_DRAWS, _LEAST_DRAWS, _SECONDS = 1000, 50, 1.0
_ENDS = (0.025, 0.975)
_EPSILON = float(np.finfo("float64").eps)


def measured_with_interval(held: Held, metric: Metric, target: Target) -> pd.DataFrame:
    """Returns the metric of the served model and of the best baseline, with 95 % intervals.

    Rows are drawn with replacement, the same ones for both (a paired bootstrap).

    Args:
        held: Rows that were held out.
        metric: The metric.
        target: The target.

    Returns:
        A `pandas.DataFrame` with `model`, `value`, `lower` and `upper`; the row `difference` is
        that of the served model from the baseline.
    """
    outputs, chosen = [held.outputs], [held.chosen, held.baseline_chosen]
    names = ["served model"]
    if held.baseline_outputs is not None:
        outputs.append(held.baseline_outputs)
        names.append(str(held.baseline))
    measures = [
        _measure(metric, target, held, *each) for each in zip(outputs, chosen, strict=False)
    ]
    count = len(held.y)
    values = [measure(np.arange(count)) for measure in measures]
    random, ends, drawn = np.random.default_rng(0), time.monotonic() + _SECONDS, []
    while len(drawn) < _DRAWS and (len(drawn) < _LEAST_DRAWS or time.monotonic() < ends):
        rows = random.integers(0, count, count)
        drawn.append([measure(rows) for measure in measures])
    draws = np.array(drawn)
    if len(values) == 2:
        names.append("difference")
        values.append(values[0] - values[1])
        draws = np.column_stack([draws, draws[:, 0] - draws[:, 1]])
    lower, upper = np.nanquantile(draws, _ENDS, axis=0)
    return pd.DataFrame({"model": names, "value": values, "lower": lower, "upper": upper})


def _measure(metric, target, held, outputs, chosen) -> Callable[[np.ndarray], float]:
    """Returns the function from row numbers to the metric."""
    w = np.ones(len(held.y)) if held.weights is None else held.weights
    losses = _losses(metric.name, target, held.y, outputs, chosen)
    if losses is not None:
        root = metric.name == "rmse"

        def mean(rows):
            found = float(np.average(losses[rows], weights=w[rows]))
            return float(np.sqrt(found)) if root else found

        return mean
    board = Board(metric, target, None)
    y = target.labels[held.y] if isinstance(target, Classes) else held.y

    def whole(rows):
        weights = None if held.weights is None else held.weights[rows]
        some = None if chosen is None else chosen[rows]
        return board.measure(y[rows], outputs[rows], weights, some)[metric.name]

    return whole


def _losses(name, target, y, outputs, chosen):
    """Returns one loss a row, of metrics that are a mean, or the root of one."""
    if isinstance(target, Classes):
        if name == "log_loss":
            own = np.asarray(outputs, "float64")[np.arange(len(y)), y]
            return -np.log(np.clip(own, _EPSILON, 1.0))
        if name == "accuracy":
            chosen = np.argmax(outputs, axis=1) if chosen is None else chosen
            return (chosen == y).astype("float64")
        return None
    if name in ("rmse", "mae"):
        point = np.asarray(target.point(np.asarray(outputs)), "float64").reshape(np.shape(y))
        off = np.asarray(y, "float64") - point
        each = off**2 if name == "rmse" else np.abs(off)
        # The root of several targets is taken of each.
        return each if each.ndim == 1 else None
    return None


def verdict(
    found: pd.DataFrame | None, metric: Metric, note: str, rows: int, tested: dict[str, Any]
) -> str:
    """Returns the sentence.

    Args:
        found: What `measured_with_interval` has returned, or `None` if no rows were held out.
        metric: The metric.
        note: The served model's note on the leaderboard.
        rows: Number of rows that were held out.
        tested: Metrics of further rows, or none.
    """
    if found is None:
        words = (
            "No rows were held out, so nothing is known of how good the model is. Pass X and y to "
            "the report to measure it."
        )
        return f"{words} {_tested(tested)}".strip()
    served = found.iloc[0]
    better = "higher" if metric.rising else "lower"
    words = (
        f"On {rows:,} rows held out of the training, the model's {metric.name.replace('_', ' ')} "
        f"is {rounded(served['value'])} (95 % interval {rounded(served['lower'])} to "
        f"{rounded(served['upper'])}; {better} is better)"
    )
    words += f"{_against(found, metric, note)} {_tested(tested)}"
    return words.strip()


def _against(found, metric, note):
    if note.startswith("linear"):
        reason = note.partition(":")[2].split(";")[0].strip() or "no network was better"
        return f". It is a linear model ({reason}): a network has not been worth it here."
    if len(found) < 3:
        return "."
    baseline, difference = found.iloc[1], found.iloc[2]
    sign = 1.0 if metric.rising else -1.0
    gain = sign * difference["value"]
    sure = sign * difference[["lower", "upper"]].to_numpy("float64")
    told = f", against {rounded(baseline['value'])} of the best baseline, {baseline['model']}"
    size = abs(difference["value"] / baseline["value"]) if baseline["value"] else np.nan
    share = f" ({size:.1%})" if np.isfinite(size) else ""
    if gain > 0 and sure.min() > 0:
        return f"{told}: better{share} by more than chance, so a network is worth it here."
    if gain > 0:
        return f"{told}: better{share}, but that may be chance; {baseline['model']} may do as well."
    if sure.max() < 0:
        return f"{told}: worse{share} by more than chance, so {baseline['model']} is worth a try."
    return f"{told}: no better, which may be chance; {baseline['model']} may do as well."


def _tested(tested):
    if not tested:
        return ""
    told = ", ".join(f"{name.replace('_', ' ')} {rounded(value)}" for name, value in tested.items())
    return f"On the rows passed to the report: {told}."
