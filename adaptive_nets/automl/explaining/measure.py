"""`Measure`: a metric of predictions, and how much each row has to do with its value."""

from collections.abc import Callable

import numpy as np
from scipy.special import xlogy

from adaptive_nets.automl.judging.board import Board
from adaptive_nets.automl.judging.scoring import Metric, score
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.targets import Classes, Target

# Into so many parts rows are divided where a metric is not a mean over rows.
_PARTS = 30
_TINY = float(np.finfo("float32").tiny)


class Measure:
    """A metric as a score, of which higher values are better, on labelled rows.

    Args:
        metric: The metric.
        target: The target.
        rows: The rows. Their features are not read.
        choose: Function from probabilities to the positions of the classes that are predicted.
        seed: Seed of the division into parts.
    """

    def __init__(
        self,
        metric: Metric,
        target: Target,
        rows: Labelled,
        choose: Callable[[np.ndarray], np.ndarray],
        seed: int,
    ):
        self.metric, self.target, self.rows, self.choose = metric, target, rows, choose
        self._board = Board(metric, target, None)
        self._classes = target.labels if isinstance(target, Classes) else None
        count = len(rows.y)
        parts = np.arange(count) % min(_PARTS, count)
        self.part = np.random.default_rng(seed).permutation(parts)

    def value(self, outputs: np.ndarray, weights: np.ndarray | None = None) -> float:
        """Returns the score of a model's outputs.

        Args:
            outputs: Probabilities `[rows, classes]`, predicted numbers, or quantiles.
            weights: `[rows]` weights. Defaults to `None`: those of the rows.
        """
        w = self.rows.w if weights is None else weights
        chosen, y = None, self.rows.y
        if self._classes is not None:
            chosen = self.choose(outputs)
        if self.metric.scorer is None:
            found = self._board.measure(y, outputs, w, chosen)[self.metric.name]
            return found if self.metric.rising else -found
        if self._classes is not None:
            y = self._classes[self.target.codes(y)]
        else:
            outputs = self.target.point(outputs)
        return score(self.metric, y, outputs, self._classes, w, chosen)

    def influence(
        self, before: np.ndarray, after: np.ndarray, donors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns what each row, or part of the rows, has to do with a loss of score.

        If weights of rows change by small shares u, the difference of both scores changes by the
        mean of u times these values, which have mean 0.

        Args:
            before: Outputs for the rows.
            after: Outputs for the rows with the values of other rows in some columns.
            donors: `[rows]` numbers of the rows that these values are of.

        Returns:
            The values of the rows themselves, and of the rows that gave the values.
        """
        rows = self._by_row(before), self._by_row(after)
        if rows[0] is not None:
            own = rows[0] - rows[1]
            given = np.empty_like(own)
            given[donors] = own
            return own, given
        base = self.value(before) - self.value(after)
        own = self._by_part(before, after, base, self.part)
        return own, self._by_part(before, after, base, self.part[donors])

    def _by_part(self, before, after, base, part):
        """Returns numeric derivatives by the weights of parts."""
        w = np.ones(len(part)) if self.rows.w is None else self.rows.w
        count = part.max() + 1
        found = np.zeros(count)
        for each in range(count):
            less = np.where(part == each, 0.5, 1.0) * w
            found[each] = base - (self.value(before, less) - self.value(after, less))
        # Half the weight of a part of 1 / count of the rows.
        found *= 2.0 * count
        return found - found.mean()

    def _by_row(self, outputs):
        """Returns `[rows]` derivatives of a mean over rows, or `None`."""
        found = self._row_scores(np.asarray(outputs))
        if found is None:
            return None
        w = np.ones(len(found)) if self.rows.w is None else self.rows.w
        w = w / w.mean()
        return w * (found - np.average(found, weights=w))

    def _row_scores(self, outputs):
        name, y = self.metric.name.removeprefix("neg_"), self.rows.y
        if self._classes is not None:
            codes = self.target.codes(y)
            if name == "log_loss":
                least = np.finfo(outputs.dtype).eps  # As scikit-learn has it.
                own = np.maximum(outputs[np.arange(len(codes)), codes], least)
                return np.log(own.astype("float64"))
            if name == "accuracy":
                return (self.choose(outputs) == codes).astype("float64")
            return None
        y = np.asarray(y, "float64")
        if name == "mean_pinball_loss" and self.target.levels is not None:
            levels, error = np.array(self.target.levels), y[:, None] - outputs
            return -np.maximum(levels * error, (levels - 1.0) * error).mean(axis=1)
        found = np.asarray(self.target.point(outputs))
        if y.ndim > 1:
            return None
        if self.target.power and name == self.target.main_measure:
            return -_deviance(y, np.maximum(found, _TINY), self.target.power)
        return _of_errors(name, y, found, self.rows.w)


def _of_errors(name, y, found, weights):
    """Returns row scores whose mean changes as the metric does with the weights, or `None`."""
    squares = (y - found) ** 2
    if name in ("rmse", "root_mean_squared_error"):
        # The derivative of the root.
        return -squares / max(2.0 * np.sqrt(np.average(squares, weights=weights)), _TINY)
    if name == "mean_squared_error":
        return -squares
    if name == "mean_absolute_error":
        return -np.abs(y - found)
    if name == "r2":
        spread = (y - np.average(y, weights=weights)) ** 2
        total, error = (np.average(each, weights=weights) for each in (spread, squares))
        return (spread * error / total - squares) / total if total > 0 else None
    return None


def _deviance(y, means, power):
    """Returns the deviance of each row, as scikit-learn has it."""
    if power == 1:
        return 2.0 * (xlogy(y, y / means) - y + means)
    if power == 2:
        return 2.0 * (np.log(means / y) + y / means - 1.0)
    one, two = 1.0 - power, 2.0 - power
    return 2.0 * (y**two / (one * two) - y * means**one / one + means**two / two)
