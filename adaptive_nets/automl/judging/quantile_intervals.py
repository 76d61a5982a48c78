"""`QuantileIntervals`: intervals between predicted quantiles, as held-out rows correct them."""

import dataclasses
from typing import Any

import numpy as np
from keras import ops

from adaptive_nets._checks import check_number
from adaptive_nets.automl.judging.intervals import Intervals

# Levels of a pair, such as 0.05 and 0.95, differ from 1 in sum by rounding only.
_ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class QuantileIntervals:
    """Conformalized quantile regression (Romano, Patterson and Candès, 2019).

    An interval reaches from the quantile of a level t to that of 1 - t, of the pair whose coverage
    1 - 2 t is nearest, and is widened (or narrowed) at both ends by q, such that it holds as many
    further exchangeable rows as is asked for. The score of a row is how far it is outside, which
    is negative inside. With `scaled`, both are in units of half the distance of the two quantiles
    (CQR-r, Sesia and Candès, 2020): intervals of distributions are then as wide as the deviation of
    each row says.

    Args:
        pairs: Positions of both levels among the quantiles, and the coverage between them.
        scores: What the pairs' scores on held-out rows say, as several targets.
        scaled: As above. Defaults to `False`: all intervals are widened by the same.
    """

    pairs: tuple[tuple[int, int, float], ...]
    scores: Intervals
    scaled: bool = False

    @classmethod
    def calibrate(
        cls,
        y: Any,
        quantiles: np.ndarray,
        weights: np.ndarray | None,
        levels: tuple[float, ...],
        scaled: bool = False,
    ) -> "QuantileIntervals":
        """Learns from rows that the model was not trained on.

        Args:
            y: `[rows]` numbers.
            quantiles: `[rows, levels]`, in rising order.
            weights: `[rows]` weights, or `None`.
            levels: Their levels.
            scaled: As above. Defaults to `False`.
        """
        pairs = tuple(
            (low, high, levels[high] - levels[low])
            for low in range(len(levels))
            for high in range(low + 1, len(levels))
            if abs(levels[low] + levels[high] - 1.0) < _ROUNDING
        )
        each = cls(pairs, Intervals((), ()), scaled).row_scores(y, quantiles)
        return cls(pairs, Intervals.of_scores(each, weights), scaled)

    def row_scores(self, y: Any, quantiles: np.ndarray) -> np.ndarray:
        """Returns the scores `[rows, pairs]` of rows.

        Args:
            y: `[rows]` numbers.
            quantiles: `[rows, levels]`, in rising order.
        """
        truth = np.asarray(y, "float64").reshape(-1)
        outside = [
            np.maximum(quantiles[:, low] - truth, truth - quantiles[:, high])
            / self._unit(np.asarray(quantiles, "float64"), low, high, np)
            for low, high, _ in self.pairs
        ]
        return np.stack(outside, axis=1)

    def pair(self, coverage: float) -> int:
        """Returns the position of the pair whose coverage is nearest."""
        return int(np.argmin([abs(between - coverage) for _, _, between in self.pairs]))

    def widths(self, coverage: float) -> np.ndarray:
        """Returns what intervals of a coverage are widened by, for each pair; see `Intervals`."""
        return self.scores.widths(coverage)

    def around(
        self, quantiles: Any, coverage: float, library: Any = np, widths: Any = None
    ) -> tuple[Any, Any]:
        """Returns the lower and upper ends, `[rows]`; `[rows, 1]` of tensors.

        Args:
            quantiles: `[rows, levels]`, in rising order.
            coverage: Share of rows, between 0 and 1.
            library: `numpy`, or `keras.ops` for tensors. Defaults to `numpy`.
            widths: `[rows, pairs]` scores. Defaults to `None`: those of the coverage.
        """
        coverage = check_number("coverage", coverage, 0, 1, inclusive=False)
        number = self.pair(coverage)
        low, high, _ = self.pairs[number]
        width = float(self.widths(coverage)[number]) if widths is None else widths[:, number]
        width = width * self._unit(quantiles, low, high, library)
        lower, upper = quantiles[:, low] - width, quantiles[:, high] + width
        # Ends that have passed each other meet between.
        middle = (lower + upper) / 2.0
        lower, upper = library.minimum(lower, middle), library.maximum(upper, middle)
        if library is ops:
            lower, upper = lower[:, None], upper[:, None]
        return lower, upper

    def to_dict(self) -> dict[str, Any]:
        """Returns what is known as JSON values."""
        pairs = [list(pair) for pair in self.pairs]
        return {"pairs": pairs, "scores": self.scores.to_dict(), "scaled": self.scaled}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "QuantileIntervals":
        """Returns the intervals that `to_dict` has described."""
        pairs = tuple((int(a), int(b), float(c)) for a, b, c in values["pairs"])
        return cls(pairs, Intervals.from_dict(values["scores"]), bool(values.get("scaled", False)))

    def _unit(self, quantiles, low, high, library):
        """Returns what scores are in units of."""
        if not self.scaled:
            return 1.0
        half = (quantiles[:, high] - quantiles[:, low]) / 2.0
        return library.maximum(half, np.finfo("float32").tiny)
