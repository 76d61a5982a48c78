"""`Intervals`: how far from a prediction the true value is, as rows that were held out say."""

import dataclasses
from typing import Any

import numpy as np
from keras import ops

from adaptive_nets._checks import check_number

# No more scores than these are kept; those left out are rounded up to the next.
_MOST_SCORES = 10_000


@dataclasses.dataclass(frozen=True)
class Intervals:
    """Split conformal prediction: intervals of a width that held so often on held-out rows.

    The score of a row is |y - m| / s(m) for its prediction m, where s(m) = m^(power / 2) is the
    deviation that a prediction is expected to have, and 1 for power 0. With n rows of equal weight
    an interval m ± q s(m) holds at least a share c of further exchangeable rows if q is the
    ⌈(n + 1) c⌉-th smallest score (Vovk, Gammerman and Shafer, 2005). A further row weighs the mean
    of the weights.

    Args:
        scores: By target, scores in rising order.
        shares: By target, the coverage up to which each score is enough.
        power: What the variance of a target is in proportion to, as a power of its mean.
        low: The least value that targets can have, or `None`.
    """

    scores: tuple[np.ndarray, ...]
    shares: tuple[np.ndarray, ...]
    power: float = 0.0
    low: float | None = None

    @classmethod
    def calibrate(
        cls,
        y: Any,
        predictions: np.ndarray,
        weights: np.ndarray | None = None,
        power: float = 0.0,
        low: float | None = None,
    ) -> "Intervals":
        """Learns from rows that the model was not trained on.

        Args:
            y: `[rows]` or `[rows, targets]` numbers.
            predictions: Of the same shape.
            weights: `[rows]` weights, or `None`.
            power: As above. Defaults to `0.0`: widths are the same for all rows.
            low: As above. Defaults to `None`.
        """
        each = cls((), (), power).row_scores(y, predictions)
        return cls.of_scores(each, weights, power, low)

    def row_scores(self, y: Any, predictions: np.ndarray) -> np.ndarray:
        """Returns the scores `[rows, targets]` of rows.

        Args:
            y: `[rows]` or `[rows, targets]` numbers.
            predictions: Of the same shape.
        """
        truth = np.asarray(y, "float64").reshape(len(y), -1)
        means = np.asarray(predictions, "float64").reshape(len(y), -1)
        return np.abs(truth - means) / _deviation(means, self.power, np)

    @classmethod
    def of_scores(
        cls,
        each: np.ndarray,
        weights: np.ndarray | None,
        power: float = 0.0,
        low: float | None = None,
    ) -> "Intervals":
        """Returns intervals that held-out rows with these scores ask for.

        Args:
            each: `[rows, targets]` scores.
            weights: `[rows]` weights, or `None`.
            power: As above. Defaults to `0.0`.
            low: As above. Defaults to `None`.
        """
        w = np.ones(len(each)) if weights is None else np.asarray(weights, "float64")
        scores, shares = [], []
        for column in each.T:
            order = np.argsort(column, kind="stable")
            reached = np.cumsum(w[order]) / (w.sum() + w.mean())
            most = min(len(order), _MOST_SCORES)
            kept = np.ceil(np.linspace(0, len(order) - 1, most)).astype(int)
            scores.append(column[order][kept])
            shares.append(reached[kept])
        return cls(tuple(scores), tuple(shares), float(power), low)

    def widths(self, coverage: float) -> np.ndarray:
        """Returns the score that this share of the rows does not exceed, for each target.

        Args:
            coverage: Share of rows, between 0 and 1.

        Raises:
            ValueError: It is out of range, or so large that no held-out row tells of it.
        """
        coverage = check_number("coverage", coverage, 0, 1, inclusive=False)
        most = min(float(shares[-1]) for shares in self.shares)
        # What is reached except for rounding is reached.
        if coverage > most + 1e-9:
            raise ValueError(
                f"coverage must be at most {most:.4g}, which the rows that were held out can tell "
                f"of: an interval of more has no end. Hold out more rows by validation_data. "
                f"Received: coverage={coverage:g}."
            )
        places = [int(np.argmax(shares >= coverage - 1e-9)) for shares in self.shares]
        return np.array([scores[place] for scores, place in zip(self.scores, places, strict=True)])

    def around(
        self, predictions: Any, coverage: float, library: Any = np, widths: Any = None
    ) -> tuple[Any, Any]:
        """Returns the lower and upper ends, in the shape of the predictions.

        Args:
            predictions: `[rows]` or `[rows, targets]` predicted numbers.
            coverage: Share of rows, between 0 and 1.
            library: `numpy`, or `keras.ops` for tensors. Defaults to `numpy`.
            widths: `[rows, targets]` scores. Defaults to `None`: those of the coverage.
        """
        widths = self.widths(coverage) if widths is None else widths
        if library is ops:
            widths = ops.convert_to_tensor(widths, predictions.dtype)
        elif np.ndim(predictions) == 1:
            widths = widths[..., 0]
        reach = _deviation(predictions, self.power, library) * widths
        lower, upper = predictions - reach, predictions + reach
        if self.low is not None:
            lower = library.maximum(lower, self.low)
        return lower, upper

    def to_dict(self) -> dict[str, Any]:
        """Returns what is known as JSON values."""
        return {
            "scores": [scores.tolist() for scores in self.scores],
            "shares": [shares.tolist() for shares in self.shares],
            "power": self.power,
            "low": self.low,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any] | None) -> "Intervals | None":
        """Returns the intervals that `to_dict` has described; `None` stays `None`."""
        if values is None:
            return None
        scores = tuple(np.array(each, "float64") for each in values["scores"])
        shares = tuple(np.array(each, "float64") for each in values["shares"])
        return cls(scores, shares, values["power"], values["low"])


def _deviation(means, power, library):
    """Returns the expected deviation of targets of such means except for a factor."""
    if power == 0:
        return library.ones_like(means)
    return library.maximum(means, np.finfo("float32").tiny) ** (power / 2.0)
