"""`Decision`: which class is predicted, given the probabilities of all."""

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import ops

from adaptive_nets._checks import show

# Where a rule comes from, as `str` says it.
_ORIGINS = {
    "costs": "from the costs",
    "class_weight": "from the weights of the classes",
    "tuned": "tuned",
    "set": "as it was set",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Decision:
    """A rule from probabilities to a class.

    Of two classes, the second one is predicted where its probability is at least the threshold. Of
    several, the class is predicted whose expected cost is least, or whose probability times its
    factor is largest.

    Args:
        classes: The classes, in the order of the probabilities.
        origin: `"costs"`, `"class_weight"`, `"tuned"` or `"set"`.
        threshold: Of two classes. Defaults to `None`: the other arguments say what is predicted.
        factors: `[classes]` numbers above 0. Defaults to `None`: all are 1.
        costs: `[classes, classes]` what it costs to predict the second class where the first one
            is true. Defaults to `None`: no costs.
        metric: Name of the metric that the rule was tuned for. Defaults to `None`.
        rows: Number of held-out rows that it was tuned on. Defaults to `0`.
        before: The metric of the rule that it replaces. Defaults to `None`.
        after: The metric on rows that thresholds or factors were not tuned on. Defaults to `None`.
        kind: What the rows are that it was tuned on: `"held-out"`, or `"out-of-fold"` (training
            rows, by networks that have not seen them). Defaults to `"held-out"`.
    """

    classes: tuple[Any, ...]
    origin: str
    threshold: float | None = None
    factors: np.ndarray | None = None
    costs: np.ndarray | None = None
    metric: str | None = None
    rows: int = 0
    before: float | None = None
    after: float | None = None
    kind: str = "held-out"

    def chosen(self, probabilities: Any, library: Any = np) -> Any:
        """Returns `[rows]` positions of the classes that are predicted.

        Args:
            probabilities: `[rows, classes]`.
            library: `numpy`, or `keras.ops` for tensors. Defaults to `numpy`.
        """
        if self.threshold is not None:
            # In the dtype of the probabilities, so that Python and a served model agree.
            dtype = np.dtype(keras.backend.standardize_dtype(probabilities.dtype))
            positive = probabilities[:, 1] >= dtype.type(self.threshold)
            return ops.cast(positive, "int32") if library is ops else positive.astype("int64")
        if self.costs is not None:
            costs = self.costs
            if library is ops:
                costs = ops.convert_to_tensor(costs, probabilities.dtype)
            return _largest(-library.matmul(probabilities, costs), library)
        if self.factors is not None:
            factors = self.factors
            if library is ops:
                factors = ops.convert_to_tensor(factors, probabilities.dtype)
            probabilities = probabilities * factors
        return _largest(probabilities, library)

    def cost(self, codes: np.ndarray, chosen: np.ndarray, weights: np.ndarray | None) -> float:
        """Returns what predictions cost on average.

        Args:
            codes: `[rows]` position of each row's class.
            chosen: `[rows]` position of each predicted class.
            weights: `[rows]` weights, or `None`.
        """
        return float(np.average(self.costs[codes, chosen], weights=weights))

    def to_dict(self) -> dict[str, Any]:
        """Returns what is known as JSON values, without the classes."""
        arrays = {"factors": self.factors, "costs": self.costs}
        return {
            "origin": self.origin,
            "threshold": self.threshold,
            **{name: None if each is None else each.tolist() for name, each in arrays.items()},
            "metric": self.metric,
            "rows": self.rows,
            "kind": self.kind,
            "before": self.before,
            "after": self.after,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any] | None, classes: Any) -> "Decision | None":
        """Returns the rule that `to_dict` has described; `None` stays `None`.

        Args:
            values: The description.
            classes: The classes.
        """
        if values is None:
            return None
        count = len(classes)
        arrays = {}
        for name, shape in (("factors", (count,)), ("costs", (count, count))):
            given = values[name]
            arrays[name] = None if given is None else np.array(given, "float64")
            if given is not None and arrays[name].shape != shape:
                raise ValueError(f"holds {name} of another number of classes")
        return cls(tuple(classes), **{**values, **arrays})

    def __str__(self) -> str:
        if self.threshold is not None:
            rule = (
                f"{show(self.classes[1])} is predicted where its probability is at least "
                f"{self.threshold:.4g}"
            )
        elif self.costs is not None:
            rule = "the class of the least expected cost is predicted"
        else:
            said = ", ".join(
                f"{label} {factor:.3g}"
                for label, factor in zip(self.classes, self.factors, strict=True)
            )
            rule = f"the class whose probability times its factor is largest is predicted ({said})"
        if self.origin != "tuned":
            return f"{rule}, {_ORIGINS[self.origin]}"
        return (
            f"{rule}, tuned for {self.metric} on {self.rows} {self.kind} rows: {self.before:.4g} "
            f"before, {self.after:.4g} on rows that it was not tuned on"
        )


def _largest(scores, library):
    """Returns the position of the largest score of each row, the first one of several."""
    if library is ops:
        # Keras' argmax looks at bits under TensorFlow, which other runtimes do not read.
        return ops.top_k(scores, k=1)[1][:, 0]
    return library.argmax(scores, axis=1)


def threshold_of(costs: np.ndarray) -> float:
    """Returns the threshold of the second of two classes at which both decisions cost the same.

    Args:
        costs: `[2, 2]`, in which a right decision costs no more than a wrong one.
    """
    alarm, miss = costs[0, 1] - costs[0, 0], costs[1, 0] - costs[1, 1]
    return float(alarm / (alarm + miss))
