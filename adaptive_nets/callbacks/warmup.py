"""A learning rate that rises again after growth."""

from typing import Any

import keras

from adaptive_nets.keras_internals import learning_rate_of, set_learning_rate


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Rewarmed(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that rises linearly for some steps from a point on.

    Args:
        schedule: The schedule that goes on beneath.
        start: The step at which growth happened.
        steps: After so many steps the schedule is reached.
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


class Warmup:
    """Raises the learning rate of a running model, step by step, after each growth.

    Args:
        steps: How many steps the rise takes; 0 for none.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._left = 0
        self._rate: Any = None

    @property
    def active(self) -> bool:
        """Whether the rate is not what it was."""
        return self._rate is not None

    def begin(self, model: keras.Model) -> None:
        """Growth has just happened."""
        if not self.steps:
            return
        optimizer = _innermost(model.optimizer)
        if self._left == 0:
            schedule = learning_rate_of(optimizer)
            is_schedule = isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule)
            self._rate = schedule if is_schedule else float(optimizer.learning_rate)
        elif not isinstance(self._rate, float):
            # The optimizer is new; its schedule came with what it had risen to.
            set_learning_rate(optimizer, self._rate)
        self._left = self.steps
        if not isinstance(self._rate, float):
            start = int(optimizer.iterations)
            set_learning_rate(optimizer, Rewarmed(self._rate, start, self.steps))
            model.make_train_function(force=True)

    def step(self, model: keras.Model) -> None:
        """A step is about to be taken."""
        optimizer = _innermost(model.optimizer)
        done = self.steps - self._left + 1
        self._left -= 1
        if isinstance(self._rate, float):
            optimizer.learning_rate.assign(self._rate * done / (self.steps + 1))

    def end(self, model: keras.Model) -> None:
        """A step was taken; the last one leaves the rate as it was."""
        if self._left:
            return
        optimizer = _innermost(model.optimizer)
        if isinstance(self._rate, float):
            optimizer.learning_rate.assign(self._rate)
        else:
            # What is saved from now on is the user's own schedule: by now they are equal.
            set_learning_rate(optimizer, self._rate)
        self._rate = None


def _innermost(optimizer: Any) -> Any:
    return getattr(optimizer, "inner_optimizer", optimizer)
