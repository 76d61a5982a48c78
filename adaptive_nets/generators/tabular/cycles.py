"""`Cycles`: a learning rate that falls several times, each time for longer."""

import math
from typing import Any

import keras
from keras import ops

from adaptive_nets._checks import check_integer, check_number

# Lowest rate, as a share of the highest: the first step trains too.
LEAST = 0.01


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Cycles(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises and falls in cycles, each twice as long as the one before.

    After a share t of all steps it is `rate * (1 - cos(2 pi log2(1 + (2**cycles - 1) t))) / 2`, but
    at least a hundredth of the rate. At the end of each cycle a network is about as good as it gets
    without training for longer, so one that held-out rows stop early has been annealed too.

    Args:
        rate: Highest learning rate, > 0.
        cycles: Number of cycles. Defaults to 4.
        steps: Number of all steps, > 0. Defaults to 1: the share itself is read, as in an
            `adanet.RoundSchedule`.

    Reference: Holzmüller et al., "Better by Default" (RealMLP), arXiv 2407.04491.
    """

    def __init__(self, rate: float, cycles: int = 4, steps: float = 1.0):
        self.rate = check_number("rate", rate, 0, inclusive=False)
        self.cycles = check_integer("cycles", cycles, 1)
        self.steps = check_number("steps", steps, 0, inclusive=False)

    def __call__(self, step: Any) -> Any:
        share = ops.minimum(ops.cast(step, "float32") / self.steps, 1.0)
        turns = ops.log2(1.0 + (2**self.cycles - 1) * share)
        return self.rate * ops.maximum((1.0 - ops.cos(2 * math.pi * turns)) / 2, LEAST)

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "cycles": self.cycles, "steps": self.steps}
