"""`ClassSets`: sets of classes that hold the true one, as rows that were held out say."""

import dataclasses
from typing import Any

import numpy as np
from keras import ops

from adaptive_nets.automl.judging.intervals import Intervals


@dataclasses.dataclass(frozen=True)
class ClassSets:
    """Split conformal prediction of classes.

    The score of a class is the probability of all classes that are more probable; of equally
    probable ones the earlier counts as such. It is 0 for the most probable class, so that no set is
    empty. A set has all classes whose score is at most that of the true class in a share c of the
    held-out rows. Nothing is drawn at random: where the most probable class is right more often
    than c, it is the whole set, and sets hold the true class more often than asked for (Sadinle,
    Lei and Wasserman, 2019; Romano, Sesia and Candès, 2020).

    Args:
        scores: What scores of true classes on held-out rows say, as one target.
    """

    scores: Intervals

    @classmethod
    def calibrate(
        cls, codes: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None
    ) -> "ClassSets":
        """Learns from rows that the model was not trained on.

        Args:
            codes: `[rows]` position of each row's class.
            probabilities: `[rows, classes]`.
            weights: `[rows]` weights, or `None`.
        """
        return cls(Intervals.of_scores(_scores(codes, probabilities), weights))

    def row_scores(self, codes: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """Returns the scores `[rows, 1]` of the rows' classes.

        Args:
            codes: `[rows]` position of each row's class.
            probabilities: `[rows, classes]`.
        """
        return _scores(codes, probabilities)

    def widths(self, coverage: float) -> np.ndarray:
        """Returns the largest score of a class in the set, `[1]`; see `Intervals`."""
        return self.scores.widths(coverage)

    def holds(
        self, probabilities: Any, coverage: float, library: Any = np, widths: Any = None
    ) -> Any:
        """Returns whether each class is in the set, `[rows, classes]` booleans.

        Args:
            probabilities: `[rows, classes]`.
            coverage: Share of rows, between 0 and 1.
            library: `numpy`, or `keras.ops` for tensors. Defaults to `numpy`.
            widths: `[rows, 1]` largest scores. Defaults to `None`: those of the coverage.
        """
        widths = self.widths(coverage) if widths is None else widths
        if library is ops:
            widths = ops.convert_to_tensor(widths, "float64")
        return mass_above(probabilities, library) <= widths

    def to_dict(self) -> dict[str, Any]:
        """Returns what is known as JSON values."""
        return {"sets": self.scores.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ClassSets":
        """Returns the sets that `to_dict` has described."""
        return cls(Intervals.from_dict(values["sets"]))


def mass_above(probabilities: Any, library: Any = np) -> Any:
    """Returns the probability of all classes that are more probable than each, as float64.

    Args:
        probabilities: `[rows, classes]`.
        library: `numpy`, or `keras.ops` for tensors. Defaults to `numpy`.
    """
    p = ops.cast(probabilities, "float64") if library is ops else np.asarray(probabilities, float)
    options = {} if library is ops else {"kind": "stable"}  # Tensors are sorted so anyway.
    order = library.argsort(-p, axis=1, **options)
    falling = library.take_along_axis(p, order, axis=1)
    before = library.cumsum(falling, axis=1)[:, :-1]
    mass = library.concatenate([library.zeros_like(falling[:, :1]), before], axis=1)
    return library.take_along_axis(mass, library.argsort(order, axis=1), axis=1)


def _scores(codes, probabilities):
    return mass_above(probabilities)[np.arange(len(codes)), codes][:, None]
