"""`Positive`: a target of counts or positive numbers, predicted through a log link."""

import dataclasses
from typing import Any

import numpy as np
from sklearn import metrics

from adaptive_nets import heads
from adaptive_nets._checks import show
from adaptive_nets.automl.targets import Numbers, read_numbers


@dataclasses.dataclass(frozen=True)
class Family:
    """A loss of `AutoRegressor`.

    Args:
        head: Function that returns a head of one target.
        power: The variance of a target is in proportion to this power of its mean.
        boosting: The loss of scikit-learn's boosting that comes nearest.
        expected: What the values must be.
    """

    head: Any
    power: float
    boosting: str
    expected: str


FAMILIES = {
    "poisson": Family(lambda: heads.Poisson(1), 1.0, "poisson", "numbers of 0 or more"),
    "gamma": Family(lambda: heads.Gamma(1), 2.0, "gamma", "numbers above 0"),
    "tweedie": Family(lambda: heads.Tweedie(1.5, 1), 1.5, "poisson", "numbers of 0 or more"),
}


class Positive(Numbers):
    """Counts or positive numbers, which the search sees divided by their mean.

    Args:
        loss: A key of `FAMILIES`.
        scale: `[1]` mean of the training rows.
        name: The target's name, for messages.
        flat: Whether labels came as `[rows]` and not as `[rows, targets]`.
        style: How numbers are written, if they came as text; see `Feature`. Defaults to `None`.
    """

    def __init__(
        self, loss: str, scale: np.ndarray, name: str, flat: bool, style: str | None = None
    ):
        super().__init__(np.zeros(1), scale, name, flat, style)
        self.loss = loss

    @classmethod
    def of(cls, numbers: Numbers, y: Any, loss: str) -> "Positive":
        """Learns the mean from training labels.

        Args:
            numbers: The same target as plain numbers.
            y: The training labels.
            loss: A key of `FAMILIES`.

        Raises:
            ValueError: Values are outside the family, all of them are 0, or there are several
                targets.
        """
        values = read_numbers(y, numbers.name, numbers.style)
        if not numbers.flat:
            raise ValueError(
                f"loss={loss!r} takes one target. Expected y of shape [rows]; for several targets "
                f"fit a model of each. Received: shape {list(np.shape(values))}."
            )
        made = cls(loss, np.ones(1), numbers.name, numbers.flat, numbers.style)
        made._check(values)
        mean = values.mean()
        if mean <= 0:
            raise ValueError(
                f"The target {numbers.name!r} is 0 in every row: there is nothing to predict by "
                f"loss={loss!r}. Expected some values above 0."
            )
        return cls(loss, np.array([mean]), numbers.name, numbers.flat, numbers.style)

    def _check(self, values):
        family = FAMILIES[self.loss]
        wrong = values <= 0 if family.power == 2 else values < 0
        if wrong.any():
            row = int(np.argmax(wrong))
            instead = "'squared_error', or 'tweedie' if there are zeros"
            raise ValueError(
                f"The target {self.name!r} must be {family.expected} for loss={self.loss!r}. For "
                f"other targets pass loss={instead if family.power == 2 else repr('squared_error')}"
                f". Received: {show(values[row].item())} in row {row}."
            )

    @property
    def unit(self) -> tuple[np.ndarray, np.ndarray]:
        return np.log(self.scale), np.ones(1)

    @property
    def power(self) -> float:
        return FAMILIES[self.loss].power

    @property
    def low(self) -> float | None:
        return 0.0

    @property
    def main_measure(self) -> str:
        return f"mean_{self.loss}_deviance"

    def measures(
        self, y: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None
    ) -> dict[str, float]:
        means = np.maximum(predictions, np.finfo("float32").tiny)
        found = metrics.mean_tweedie_deviance(y, means, sample_weight=weights, power=self.power)
        return {self.main_measure: float(found)}

    def searched(self, measured: dict[str, float]) -> dict[str, float]:
        scale = float(self.scale[0]) ** (2.0 - self.power)
        return {self.main_measure: measured["val_deviance"] * scale}

    def plain(self, y: Any) -> np.ndarray:
        found = super().plain(y)
        self._check(read_numbers(found, self.name, self.style))
        return found

    def head(self) -> heads.Head:
        return FAMILIES[self.loss].head()

    def serving_head(self) -> heads.Head:
        return self.head()

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "kind": "positive", "loss": self.loss}
