"""`RoundSchedule`: a learning rate schedule as long as the round."""

from typing import Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from adaptive_nets._checks import check_config, check_number, show
from adaptive_nets.serialization import make_object


@keras.saving.register_keras_serializable(package="adaptive_nets")
class RoundSchedule(LearningRateSchedule):
    """Stretches a learning rate schedule over the whole round, however many steps it has.

    A schedule of Keras decays over a fixed number of steps. How many a round has may follow from
    the rows or, with a `time_limit`, from the speed of training, which changes while it trains. The
    round therefore says how long it is, and the schedule is read at the share of the round that is
    over: after half of the round, at half of `steps`. Before a round has begun, and outside of
    searches, the schedule is as it is.

    With early stopping the round's length is the most that it may last; most subnetworks stop
    before their rate has decayed to its end.

    Args:
        schedule: A `LearningRateSchedule`.
        steps: The number of steps that `schedule` is written for. Defaults to 1.

    Raises:
        ValueError: `schedule` is something else, or `steps` is not positive.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    cosine = keras.optimizers.schedules.CosineDecay(2e-3, decay_steps=1)
    an.generators.Dense(optimizer="adam", learning_rate=an.adanet.RoundSchedule(cosine))
    ```
    """

    def __init__(self, schedule: LearningRateSchedule, steps: float = 1.0):
        if not isinstance(schedule, LearningRateSchedule):
            raise ValueError(
                "schedule must be a keras.optimizers.schedules.LearningRateSchedule. "
                f"Received: schedule={show(schedule)}."
            )
        self.schedule = schedule
        self.steps = check_number("steps", steps, 0, inclusive=False)
        self._length: keras.Variable | None = None

    def set_length(self, steps: int) -> None:
        """Says how many steps the round has. It takes effect in functions that are traced, too.

        Args:
            steps: Number of steps. The first call must be made before the schedule is traced.
        """
        if self._length is None:
            self._length = keras.Variable(
                float(steps), dtype="float32", trainable=False, name="round_steps"
            )
        else:
            self._length.assign(float(steps))

    def __call__(self, step: Any) -> Any:
        if self._length is None:
            return self.schedule(step)
        share = keras.ops.minimum(keras.ops.cast(step, "float32") / self._length, 1.0)
        return self.schedule(share * self.steps)

    def get_config(self) -> dict[str, Any]:
        return {"schedule": keras.saving.serialize_keras_object(self.schedule), "steps": self.steps}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "RoundSchedule":
        """Creates the schedule that `get_config` described."""
        given = check_config(cls, config)
        return cls(**{**given, "schedule": make_object(given["schedule"], "schedule")})
