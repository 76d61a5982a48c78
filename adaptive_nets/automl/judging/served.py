"""`Served`: the head of an exported model, with outputs beyond those of its task."""

from typing import Any

from keras import ops

from adaptive_nets.automl.deciding.decision import Decision
from adaptive_nets.automl.judging.class_sets import ClassSets
from adaptive_nets.automl.judging.intervals import Intervals
from adaptive_nets.automl.judging.quantile_intervals import QuantileIntervals
from adaptive_nets.heads import Head


class Served(Head):
    """A head whose predictions have intervals too, or the classes that a rule predicts.

    Args:
        head: The head of the model's outputs.
        intervals: The intervals of its predictions, or its sets of classes, or `None`.
        coverage: Share of rows that they hold, or `None`.
        decision: What is predicted. Defaults to `None`: what the head says.
        numbered: Whether the output `class_numbers` has the position of the class that is predicted
            among all classes, for files that hold no text. Defaults to `False`.
    """

    def __init__(
        self,
        head: Head,
        intervals: Intervals | QuantileIntervals | ClassSets | None,
        coverage: float | None,
        decision: Decision | None = None,
        numbered: bool = False,
    ):
        super().__init__(head.name)
        if intervals is not None:
            intervals.widths(coverage)
        self._head, self._intervals, self._coverage = head, intervals, coverage
        self._decision, self._numbered = decision, numbered
        # Signatures name the classes by it.
        self.class_names = getattr(head, "class_names", None)
        self.class_outputs = ("set",) if isinstance(intervals, ClassSets) else ()

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
        if self._decision is not None:
            chosen = self._decision.chosen(found["probabilities"], ops)
            chosen = ops.cast(chosen, "int32")
            found = {**found, "classes": self._head.named(chosen)}
            if self._numbered:
                found["class_numbers"] = chosen
        if self._intervals is None:
            return found
        if isinstance(self._intervals, ClassSets):
            sets = self._intervals.holds(found["probabilities"], self._coverage, ops)
            return {**found, "set": sets}
        quantiles = isinstance(self._intervals, QuantileIntervals)
        outputs = found["quantiles" if quantiles else self._head.default_output]
        lower, upper = self._intervals.around(outputs, self._coverage, ops)
        return {**found, "lower": lower, "upper": upper}
