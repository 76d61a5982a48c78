"""Thresholds and factors of classes that make a metric of held-out rows best."""

import dataclasses

import numpy as np

from adaptive_nets.automl.deciding.decision import Decision
from adaptive_nets.automl.deciding.measures import Measure, confusion, measure_of
from adaptive_nets.automl.judging.scoring import Metric
from adaptive_nets.automl.judging.unseen import Unseen
from adaptive_nets.automl.targets import Classes

# Fewer rows, in all or of a class, say too little of where to draw the line.
_LEAST_ROWS, _LEAST_OF_CLASS = 50, 5
_FOLDS = 5
# Thresholds that are tried, and values of factors: at all, and at most of each class.
_THRESHOLDS, _FACTORS, _MOST_VALUES = 200, 400, 32
_SHIFTS, _PASSES = 10, 2
# A value must be better by more than rounding.
_ROUNDING, _TINY = 1e-12, 1e-30
# Best with nearly no row of a class, or with all of them: no line between classes is.
_ONE_SIDED = {"precision", "recall"}


def tune(
    metric: Metric,
    labels: np.ndarray,
    codes: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray | None,
    rule: Decision | None,
    kind: str = "held-out",
) -> tuple[Decision | None, np.ndarray | None]:
    """Tunes what is predicted to a metric of predicted classes.

    Five times, a threshold or factors are learnt from four fifths of the rows and tried on the
    last fifth. If that makes the metric of all better, they are learnt from all rows.

    Args:
        metric: The metric.
        labels: The classes.
        codes: `[rows]` position of each row's class.
        probabilities: `[rows, classes]`, from a model that was not trained on these rows.
        weights: `[rows]` weights, or `None`.
        rule: What is predicted otherwise, or `None` for the most probable class.
        kind: What the rows are called. Defaults to `"held-out"`.

    Returns:
        The tuned rule, or `rule` if it was not better or nothing could be tuned; and the
        positions of the classes that it predicts for the rows, each by a rule that was tuned on
        others, or `None` if nothing was tuned.
    """
    measure = None if metric.name in _ONE_SIDED else measure_of(metric, labels)
    counts = np.bincount(codes, minlength=len(labels))
    if measure is None or len(codes) < _LEAST_ROWS or counts[counts > 0].min() < _LEAST_OF_CLASS:
        return rule, None
    rows = _Rows(measure, codes, np.asarray(probabilities, "float64"), weights)
    start = rule or Decision(tuple(labels.tolist()), "tuned")
    fold = np.empty(len(codes), "int64")
    order = np.lexsort((np.random.default_rng(0).random(len(codes)), codes))
    fold[order] = np.arange(len(codes)) % _FOLDS
    usual = start.chosen(probabilities)
    tried = np.empty(len(codes), "int64")
    for each in range(_FOLDS):
        part = fold == each
        tried[part] = rows.take(~part).best(start).chosen(probabilities[part])
    before, after = rows.values(np.stack([usual, tried]))
    if not after > before + _ROUNDING:
        return rule, None
    found = dataclasses.replace(
        rows.best(start), origin="tuned", metric=metric.name, rows=len(codes),
        before=float(before), after=float(after), kind=kind,
    )  # fmt: skip
    return found, tried


def tune_by(
    metric: Metric,
    target: Classes,
    codes: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray | None,
    rule: Decision | None,
    unseen: Unseen | None,
) -> tuple[Decision | None, np.ndarray | None]:
    """Tunes what is predicted on training rows that networks have not seen, if there are such.

    There are more of them than were held out, and these then measure a rule that was not tuned on
    them.

    Args:
        metric: The metric.
        target: The target.
        codes: `[rows]` position of the class of each row held out.
        probabilities: `[rows, classes]` of the rows held out.
        weights: `[rows]` their weights, or `None`.
        rule: What is predicted otherwise, or `None` for the most probable class.
        unseen: Such training rows, or `None`.

    Returns:
        The same as `tune`, of the rows held out.
    """
    labels = target.labels
    if unseen is None:
        return tune(metric, labels, codes, probabilities, weights, rule)
    rows = unseen.rows
    own = target.codes(rows.y)
    found, _ = tune(metric, labels, own, unseen.outputs, rows.w, rule, "out-of-fold")
    return found, None if found is None else found.chosen(probabilities)


class _Rows:
    """Rows by which rules are compared."""

    def __init__(self, measure: Measure, codes, probabilities, weights):
        self.measure, self.codes, self.p = measure, codes, probabilities
        self.w = np.ones(len(codes)) if weights is None else np.asarray(weights, "float64")

    def take(self, kept):
        return _Rows(self.measure, self.codes[kept], self.p[kept], self.w[kept])

    def values(self, chosen):
        """Returns the metric of each row of `[m, rows]` predictions; not defined is worst."""
        count = self.p.shape[1]
        found = np.stack([confusion(self.codes, each, self.w, count) for each in chosen])
        values = np.asarray(self.measure(found), "float64")
        return np.where(np.isnan(values), -np.inf, values)

    def best(self, start):
        """Returns the rule that is best for these rows."""
        if self.p.shape[1] == 2:
            return self._threshold(start)
        return self._factors(start)

    def _threshold(self, start):
        known = 0.5 if start.threshold is None else start.threshold
        second = np.unique(self.p[:, 1])
        middles = (second[:-1] + second[1:]) / 2.0
        if len(middles) > _THRESHOLDS:
            middles = np.quantile(middles, np.linspace(0, 1, _THRESHOLDS))
        # Of thresholds that are as good the one nearest to the known one is taken.
        tried = np.append(known, middles[np.argsort(np.abs(middles - known), kind="stable")])
        values = self.values((self.p[:, 1] >= tried[:, None]).astype("int64"))
        best = int(np.argmax(values >= values.max() - _ROUNDING))
        return dataclasses.replace(start, threshold=float(np.float32(tried[best])))

    def _factors(self, start):
        count = self.p.shape[1]
        logs = np.log(np.maximum(self.p, _TINY))
        first = np.zeros(count) if start.factors is None else np.log(start.factors)
        share = np.maximum(np.bincount(self.codes, self.w, count), _TINY)
        rarer = -np.log(share / share.sum())
        shifts = np.linspace(0, 1, _SHIFTS + 1)
        shifted = first + shifts[:, None] * (rarer - rarer.mean())
        values = self.values(np.stack([(logs + each).argmax(axis=1) for each in shifted]))
        place = int(np.argmax(values > values.max() - _ROUNDING))
        best, value = shifted[place], values[place]
        each = min(_MOST_VALUES, _FACTORS // (_PASSES * count))
        for number in range(_PASSES * count if each > 1 else 0):
            best, value = self._line(logs, best, value, number % count, each)
        factors = np.exp(best - best.mean())
        return dataclasses.replace(start, factors=factors)

    def _line(self, logs, best, value, k, count):
        """Returns the factors with the best one of a class, and the metric."""
        others = logs + best
        others[:, k] = -np.inf
        # Above it a row goes to the class.
        needed = np.unique(others.max(axis=1) - logs[:, k])
        middles = (needed[:-1] + needed[1:]) / 2.0
        if not len(middles):
            return best, value
        if len(middles) > count:
            middles = np.quantile(middles, np.linspace(0, 1, count))
        middles = middles[np.argsort(np.abs(middles - best[k]), kind="stable")]
        tried = np.tile(best, (len(middles), 1))
        tried[:, k] = middles
        values = self.values(np.stack([(logs + each).argmax(axis=1) for each in tried]))
        place = int(np.argmax(values > values.max() - _ROUNDING))
        return (tried[place], values[place]) if values[place] > value + _ROUNDING else (best, value)
