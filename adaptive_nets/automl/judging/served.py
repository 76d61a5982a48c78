"""`Served`: the head of an exported model, with outputs beside those of its task."""

from typing import Any

from keras import ops

from adaptive_nets.automl.judging.intervals import Intervals
from adaptive_nets.automl.judging.quantile_intervals import QuantileIntervals
from adaptive_nets.heads import Head


class Served(Head):
    """A head of numbers whose predictions have the outputs `lower` and `upper` too.

    Args:
        head: The head of the model's outputs.
        intervals: The `Intervals` of its predictions.
        coverage: Share of rows that an interval holds.
    """

    def __init__(self, head: Head, intervals: Intervals | QuantileIntervals, coverage: float):
        super().__init__(head.name)
        intervals.widths(coverage)
        self._head, self._intervals, self._coverage = head, intervals, coverage

    @property
    def units(self) -> int:
        return self._head.units

    @property
    def main_metric(self) -> tuple[str, str]:
        return self._head.main_metric

    @property
    def default_output(self) -> str:
        return self._head.default_output

    def encode(self, y: Any) -> Any:
        return self._head.encode(y)

    def loss(self, labels: Any, logits: Any) -> Any:
        return self._head.loss(labels, logits)

    def metrics(self) -> dict[str, Any]:
        return self._head.metrics()

    def predictions(self, logits: Any) -> dict[str, Any]:
        found = self._head.predictions(logits)
        quantiles = isinstance(self._intervals, QuantileIntervals)
        outputs = found["quantiles" if quantiles else self._head.default_output]
        lower, upper = self._intervals.around(outputs, self._coverage, ops)
        return {**found, "lower": lower, "upper": upper}
