"""Warms up the learning rate again after growth."""

from typing import Any

import keras

from adaptive_nets.keras_internals import learning_rate_of, set_learning_rate
from adaptive_nets.serialization import make_object


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Rewarmed(keras.optimizers.schedules.LearningRateSchedule):
    """Learning-rate schedule that warms up linearly to another schedule from a given step.

    Args:
        schedule: The underlying schedule.
        start: Step at which growth happened.
        steps: Number of steps until the underlying schedule is reached.
    """

    def __init__(self, schedule: Any, start: int, steps: int) -> None:
        self.schedule, self.start, self.steps = schedule, start, steps

    def __call__(self, step: Any) -> Any:
        rate = self.schedule(step)
        passed = keras.ops.cast(step, "float32") - self.start + 1
        return rate * keras.ops.cast(
            keras.ops.clip(passed / (self.steps + 1), 0.0, 1.0), keras.ops.dtype(rate)
        )

    def get_config(self) -> dict[str, Any]:
        return {"schedule": self.schedule, "start": self.start, "steps": self.steps}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Rewarmed":
        return cls(**{**config, "schedule": make_object(config["schedule"], "schedule")})


class Warmup:
    """Warms up the learning rate of a model in training after each growth.

    Args:
        steps: Number of warm-up steps; 0 for none.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._left = 0
        self._rate: Any = None

    @property
    def active(self) -> bool:
        """Whether a warm-up is in progress."""
        return self._rate is not None

    def begin(self, model: keras.Model) -> None:
        """Starts a warm-up after growth."""
        if not self.steps:
            return
        optimizer = _innermost(model.optimizer)
        if self._left == 0:
            schedule = learning_rate_of(optimizer)
            is_schedule = isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule)
            self._rate = schedule if is_schedule else float(optimizer.learning_rate)
        elif not isinstance(self._rate, float):
            # The optimizer is new, and its schedule was copied in the middle of a warm-up.
            set_learning_rate(optimizer, self._rate)
        self._left = self.steps
        if not isinstance(self._rate, float):
            start = int(optimizer.iterations)
            set_learning_rate(optimizer, Rewarmed(self._rate, start, self.steps))
            model.make_train_function(force=True)

    def step(self, model: keras.Model) -> None:
        """Sets the rate before a step."""
        optimizer = _innermost(model.optimizer)
        done = self.steps - self._left + 1
        self._left -= 1
        if isinstance(self._rate, float):
            optimizer.learning_rate.assign(self._rate * done / (self.steps + 1))

    def end(self, model: keras.Model) -> None:
        """Restores the original rate after the last warm-up step."""
        if self._left:
            return
        optimizer = _innermost(model.optimizer)
        if isinstance(self._rate, float):
            optimizer.learning_rate.assign(self._rate)
        else:
            # From now on the user's own schedule is saved: by now the two are equal.
            set_learning_rate(optimizer, self._rate)
        self._rate = None


def _innermost(optimizer: Any) -> Any:
    return getattr(optimizer, "inner_optimizer", optimizer)
