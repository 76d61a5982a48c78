"""`LearningRates`: the learning rates of a round's subnetworks, scaled together."""

from collections.abc import Sequence
from typing import Any

import keras

from adaptive_nets.adanet.candidates.stock.round_schedule import RoundSchedule
from adaptive_nets.keras_internals import learning_rate_of


class LearningRates:
    """The learning rates of a round's optimizers, and one factor that scales all of them.

    Args:
        optimizers: One optimizer per subnetwork.

    Attributes:
        factor: What the rates that the builders chose are multiplied by. 1 at first.
    """

    def __init__(self, optimizers: Sequence[keras.optimizers.Optimizer]):
        leaves = {id(leaf): leaf for each in optimizers for leaf in _leaves(each)}
        self._chosen = [(each, _number_or_schedule(each)) for each in leaves.values()]
        self.factor = 1.0
        self._steps: int | None = None

    @property
    def initial(self) -> float:
        """The largest learning rate that a builder chose; of a schedule, the rate of its start."""
        return max((_initial_rate(*pair) for pair in self._chosen), default=0.0)

    def scale(self, factor: float) -> None:
        """Sets all rates to `factor` times what the builders chose, before the round is traced."""
        if factor == self.factor:
            return
        self.factor = factor
        for optimizer, chosen in self._chosen:
            number = isinstance(chosen, float)
            rate = chosen * factor if number else ScaledSchedule(chosen, factor)
            optimizer.learning_rate = rate

    def set_length(self, steps: int) -> None:
        """Stretches every `RoundSchedule` over a number of steps, the length of the round."""
        if steps != self._steps:
            self._steps = steps
            for _, chosen in self._chosen:
                if isinstance(chosen, RoundSchedule):
                    chosen.set_length(steps)

    def fix_length(self, steps: int) -> None:
        """Stretches every `RoundSchedule` over a number of steps, whatever the round's length is.

        Args:
            steps: Number of steps.
        """
        self.set_length(steps)
        for optimizer, chosen in self._chosen:
            if isinstance(chosen, RoundSchedule):
                # Rounds find a schedule that is not theirs to stretch.
                optimizer.learning_rate = ScaledSchedule(chosen, self.factor)


class ScaledSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule multiplied by a factor.

    Args:
        schedule: `LearningRateSchedule`, or a function without arguments.
        factor: The factor.
    """

    def __init__(self, schedule: Any, factor: float):
        self.schedule, self.factor = schedule, factor

    def __call__(self, step: Any) -> Any:
        rate = self.schedule(step) if _is_schedule(self.schedule) else self.schedule()
        return rate * self.factor

    def get_config(self) -> dict[str, Any]:
        return {"schedule": self.schedule, "factor": self.factor}


def _leaves(optimizer):
    """Yields the optimizers that have a learning rate of their own."""
    inner = getattr(optimizer, "inner_optimizer", None)
    several = [inner] if inner is not None else getattr(optimizer, "optimizers", None)
    if several is None:
        if isinstance(optimizer, keras.optimizers.Optimizer):
            yield optimizer
    else:
        for each in several:
            yield from _leaves(each)


def _number_or_schedule(optimizer):
    rate = learning_rate_of(optimizer)
    # Callbacks and checkpoints assign the variable, of which each replica has its own.
    return float(keras.ops.convert_to_numpy(rate)) if isinstance(rate, keras.Variable) else rate


def _initial_rate(optimizer, rate):
    if isinstance(rate, float):
        return rate
    step = keras.ops.zeros((), optimizer.iterations.dtype)
    return float(rate(step) if _is_schedule(rate) else rate())


def _is_schedule(rate):
    return isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)
