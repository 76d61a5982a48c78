"""`SearchOptimizer`: the learning rates of a search, as a Keras callback sets them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

from adaptive_nets._checks import show

if TYPE_CHECKING:
    from adaptive_nets.adanet.candidates.stock.learning_rates import LearningRates


class SearchOptimizer:
    """What a callback finds at `self.model.optimizer`.

    Each subnetwork has an optimizer of its own. `learning_rate` is the largest rate of the round;
    setting it scales the rates and schedules of all subnetworks in proportion, in this round and
    in later ones.

    Args:
        factor: What earlier rounds' callbacks have multiplied all learning rates by.
        iterations: Function that returns the number of training steps so far.
    """

    name = "search"

    def __init__(self, factor: float, iterations: Callable[[], int]):
        self.factor = factor
        self._count, self._rates, self._training = iterations, None, False

    @property
    def iterations(self) -> int:
        """Training steps so far."""
        return self._count()

    @property
    def learning_rate(self) -> float:
        """The largest learning rate among the round's subnetworks."""
        return self._known_rates().initial * self.factor

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        rates = self._known_rates()
        if isinstance(value, keras.optimizers.schedules.LearningRateSchedule) or callable(value):
            raise ValueError(
                "The learning rate of a search can be set to a number only. Pass schedules to the "
                f"generator, as its learning_rate. Received: {show(value)}."
            )
        value = float(keras.ops.convert_to_numpy(value))
        if not 0 < value < float("inf") or not rates.initial:
            raise ValueError(
                "The learning rate of a search must be a finite number > 0, and so must its "
                f"subnetworks' rates be. Received: {value} (subnetworks: {rates.initial})."
            )
        if self._training:
            raise ValueError(
                "The learning rate of a search can be set when a round begins or ends, not in a "
                "batch: a batch is as many steps as fit into a moment, so that the result would "
                "depend on the machine. Pass a LearningRateSchedule to the generator instead."
            )
        self.factor = value / rates.initial

    def begin_round(self, rates: "LearningRates | None") -> None:
        """Takes the rates of a new round, or `None` if other processes train it."""
        self._rates = rates

    def begin_training(self, agree: Callable[..., tuple[float, ...]]) -> None:
        """Applies the factor to the round, in all processes the chief's."""
        self._training = True
        if self._rates is not None:
            (self.factor,) = agree(self.factor)
            self._rates.scale(self.factor)

    def end_training(self) -> None:
        """Called before callbacks hear of the round's end."""
        self._training = False

    def _known_rates(self):
        if self._rates is None:
            raise ValueError(
                "The learning rates of a search are known from the beginning of its first round "
                "on, in the process that trains the subnetworks."
            )
        return self._rates

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"The optimizer of a search has no attribute {name!r}, which a callback asks for. It "
            "has learning_rate and iterations. Each subnetwork has an optimizer of its own, which "
            "the generator's `optimizer` sets."
        )
