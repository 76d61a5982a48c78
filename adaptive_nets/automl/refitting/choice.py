"""`Choice`: what a fit serves; and `KeptRows`, the rows that it was made with."""

import dataclasses
from typing import Any, Self

import numpy as np

from adaptive_nets._checks import check_choice
from adaptive_nets.adanet import Ensemble
from adaptive_nets.automl.labelled import Labelled

KINDS = ("ensemble", "single", "linear")
# Rows that are kept at most: they stay in memory as long as the estimator does.
_MOST_TRAINED, _MOST_HELD = 50_000, 20_000


@dataclasses.dataclass(frozen=True)
class Choice:
    """What a fit serves, of all that it has found.

    Args:
        kind: `"ensemble"`, `"single"` (the search's best single network) or `"linear"`.
        round: The round of the ensemble. Defaults to 0.
        ensemble: The ensemble. It is not saved. Defaults to `None`.
        factors: What `class_weight` has multiplied the weights of each class by. Defaults to
            `None`: by nothing.
    """

    kind: str
    round: int = 0
    ensemble: Ensemble | None = dataclasses.field(default=None, repr=False, compare=False)
    factors: tuple[float, ...] | None = None

    @classmethod
    def of(cls, ensemble: Ensemble) -> Self:
        """Returns the choice of an ensemble."""
        return cls("ensemble", ensemble.iteration, ensemble)

    def to_dict(self) -> dict[str, Any]:
        """Returns all but the ensemble as JSON values."""
        factors = None if self.factors is None else list(self.factors)
        return {"kind": self.kind, "round": self.round, "factors": factors}

    @classmethod
    def from_dict(cls, values: dict[str, Any] | None) -> Self | None:
        """Returns what `to_dict` has described; `None` stays `None`."""
        if values is None:
            return None
        factors = values["factors"]
        return cls(
            check_choice("kind", values["kind"], KINDS),
            int(values["round"]),
            factors=None if factors is None else tuple(map(float, factors)),
        )


@dataclasses.dataclass(frozen=True)
class KeptRows:
    """Rows of a fit, for as long as its process lasts.

    Args:
        trained: Rows that the model was trained on, or some of them.
        held: Rows that were held out, or some of them; `None` if there were none.
    """

    trained: Labelled
    held: Labelled | None

    @classmethod
    def of(cls, trained: Labelled, held: Labelled | None) -> Self:
        """Keeps all rows, or some that are drawn from many."""
        return cls(_some(trained, _MOST_TRAINED), held and _some(held, _MOST_HELD))

    def __reduce__(self) -> tuple[Any, ...]:
        # An estimator that is pickled or copied carries no rows of its training data.
        return _nothing, ()


def _nothing():
    return None


def _some(rows, most):
    if len(rows.y) <= most:
        return rows
    return rows.take(np.sort(np.random.default_rng(0).permutation(len(rows.y))[:most]))
