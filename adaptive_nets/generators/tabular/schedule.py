"""`LateDecay`: a learning rate that is constant for most of a round, and falls in the end."""

import math
from typing import Any

import keras
from keras import ops

from adaptive_nets._checks import check_number

# The last learning rate, as a share of the highest.
LEAST = 0.01


@keras.saving.register_keras_serializable(package="adaptive_nets")
class LateDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A constant learning rate that falls to a hundredth along a cosine in the end.

    A network that held-out rows stop early is best stopped at a constant rate: averaged weights
    (`adanet.EarlyStopping(average=...)`) are as good as those after a decay, and the best of them
    do not depend on how long training was planned to be. What trains to the end needs the decay.

    Args:
        rate: Highest learning rate, > 0.
        constant: Share of the steps before the rate falls, in [0, 1). Defaults to 0.6.
        steps: Number of all steps, > 0. Defaults to 1: the share itself is read, as in an
            `adanet.RoundSchedule`.
    """

    def __init__(self, rate: float, constant: float = 0.6, steps: float = 1.0):
        self.rate = check_number("rate", rate, 0, inclusive=False)
        self.constant = check_number("constant", constant, 0, 1, "low")
        self.steps = check_number("steps", steps, 0, inclusive=False)

    def __call__(self, step: Any) -> Any:
        share = ops.cast(step, "float32") / self.steps
        late = ops.clip((share - self.constant) / (1 - self.constant), 0.0, 1.0)
        return self.rate * (LEAST + (1 - LEAST) * (1.0 + ops.cos(math.pi * late)) / 2)

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "constant": self.constant, "steps": self.steps}
