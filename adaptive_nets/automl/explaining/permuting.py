"""Permutation importances: what a metric loses if a column's values are those of other rows."""

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pandas as pd
from scipy.stats import t as student_t
from sklearn.utils import check_random_state

from adaptive_nets.automl.explaining.measure import Measure

# So many rows are predicted at a time, with one column after the other permuted.
_ROWS = 16_384


def permutations(rows: int, repeats: int, seed: int) -> Iterator[np.ndarray]:
    """Yields the orders that scikit-learn's `permutation_importance` draws.

    Args:
        rows: Number of rows.
        repeats: Number of orders.
        seed: Its `random_state`.
    """
    random = check_random_state(check_random_state(seed).randint(np.iinfo(np.int32).max + 1))
    shuffled, order = np.arange(rows), np.arange(rows)
    for _ in range(repeats):
        random.shuffle(shuffled)
        # What was permuted before is permuted once more.
        order = order[shuffled]
        yield order


def permute(
    predict: Callable[[pd.DataFrame], np.ndarray],
    table: pd.DataFrame,
    groups: Mapping[str, list[str]],
    measure: Measure,
    *,
    repeats: int,
    seconds: float,
    coverage: float,
    seed: int,
) -> pd.DataFrame:
    """Returns the importance of groups of columns, each with an interval.

    An importance is the mean over repeats of what the score loses. Of the rows it is an incomplete
    U-statistic: each repeat pairs a row with the one whose values it is given. So its variance is
    that of ψ, what a row has to do with it as either of the two, less s² / repeats by which drawn
    pairs make ψ vary too, divided by the number of rows; s² is the variance over pairs.

    Args:
        predict: Function from a table to a model's outputs.
        table: The features.
        groups: Columns that are permuted together, by the name of the group. A group without
            columns has no importance.
        measure: The score.
        repeats: How often each group is permuted.
        seconds: Time for it, perhaps infinite. It is checked before each prediction.
        coverage: Probability of the intervals.
        seed: Seed of the permutations.
    """
    ends = time.monotonic() + seconds
    before = predict(table)
    base = measure.value(before)
    found = {name: _Found(coverage) for name in groups}
    used = {name: columns for name, columns in groups.items() if columns}
    names, late = list(used), False
    each = max(1, _ROWS // len(table))
    for order in permutations(len(table), repeats, seed):
        for start in range(0, len(names), each):
            late = late or time.monotonic() > ends
            if late:
                break
            some = names[start : start + each]
            outputs = predict(pd.concat([_permuted(table, used[n], order) for n in some]))
            for name, after in zip(some, np.split(outputs, len(some)), strict=True):
                found[name].add(base - measure.value(after), measure, before, after, order)
    rows = [{"feature": name, **found[name].summary(name in used, repeats)} for name in groups]
    frame = pd.DataFrame(rows).sort_values(
        "importance", ascending=False, kind="stable", ignore_index=True
    )
    _warn_of_time(frame, repeats, seconds)
    return frame


def _warn_of_time(frame, repeats, seconds):
    least = int(frame["repeats"].min())
    if least < repeats:
        short = int((frame["repeats"] == 0).sum())
        what = f"{short} of {len(frame)} features were not permuted" if short else "all features"
        tail = " and have no importance" if short else f" were permuted {least} times or more"
        warnings.warn(
            f"The time limit of {seconds:g} s has ended the importances before {repeats} repeats: "
            f"{what}{tail}. Pass a longer time_limit, or fewer rows.",
            stacklevel=4,
        )


class _Found:
    """What is known of a group of columns."""

    def __init__(self, coverage):
        self.coverage = coverage
        self.losses, self.pairs, self.sum = [], [], 0.0

    def add(self, loss, measure, before, after, order):
        self.losses.append(loss)
        own, given = measure.influence(before, after, order)
        self.pairs.append(_variance(own))
        self.sum = self.sum + own + given

    def summary(self, used, repeats):
        if not used:
            return {"importance": 0.0, "lower": 0.0, "upper": 0.0, "repeats": repeats}
        done = len(self.losses)
        if not done:
            nothing = dict.fromkeys(("importance", "lower", "upper"), math.nan)
            return {**nothing, "repeats": 0}
        mean, units = float(np.mean(self.losses)), len(self.sum)
        variance = (_variance(self.sum / done) - np.mean(self.pairs) / done) / units
        # It is estimated, and at least what repeats alone say.
        least = _variance(np.array(self.losses)) / done if done > 1 else 0.0
        reach = math.nan
        if units > 1:
            quantile = student_t.ppf(0.5 + self.coverage / 2.0, units - 1)
            reach = float(quantile * math.sqrt(max(variance, least, 0.0)))
        return {"importance": mean, "lower": mean - reach, "upper": mean + reach, "repeats": done}


def _variance(values):
    return float(np.var(values, ddof=1)) if len(values) > 1 else math.nan


def _permuted(table, columns, order):
    found = table.copy(deep=False)
    # Not `assign`, whose own arguments names such as "self" would be.
    for name in columns:
        found[name] = table[name].iloc[order].set_axis(table.index)
    return found
