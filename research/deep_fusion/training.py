"""Trains models a number of steps, and says what their validation loss was on the way."""

import time
from typing import Any

import keras
import numpy as np
from model import flops_per_token
from text import BATCH, LENGTH, Text

EVERY = 50
WARMUP = 50


class Rate(keras.optimizers.schedules.LearningRateSchedule):
    """Rises over the warm-up, stays, and falls to a tenth over the last `decay` steps.

    Its numbers are variables of the optimizer, so that the next training needs no new compilation.
    """

    def bind(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Keeps its numbers where the optimizer keeps its own."""
        self._numbers = [
            optimizer.add_variable((), dtype="float32", name=name)
            for name in ("peak", "steps", "decay")
        ]

    def set(self, rate: float, steps: int, decay: int) -> None:
        """For the next training."""
        for variable, value in zip(self._numbers, (rate, steps, max(decay, 1)), strict=True):
            variable.assign(value)

    def __call__(self, step):
        rate, steps, decay = (keras.ops.convert_to_tensor(number) for number in self._numbers)
        step = keras.ops.cast(keras.ops.convert_to_tensor(step), "float32")
        warm = keras.ops.minimum((step + 1) / WARMUP, 1.0)
        # Without a decay the floor is reached by no step.
        return rate * warm * keras.ops.clip((steps - step) / decay, 0.1, 1.0)


class Trainer:
    """Trains one architecture as often as asked, compiled once.

    Args:
        model: Ends in logits; its weights are overwritten.
        text: Where batches come from.
        every: Steps between two points of a curve.
        jit_compile: Whether XLA compiles it.
    """

    def __init__(
        self, model: keras.Model, text: Text, every: int = EVERY, jit_compile: bool = True
    ):
        self.model, self._text, self._rate = model, text, Rate()
        self._every = every
        self._optimizer = keras.optimizers.Adam(self._rate)
        self._rate.bind(self._optimizer)
        model.compile(
            self._optimizer,
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=jit_compile,
            steps_per_execution=min(10, every),
        )

    def train(
        self,
        weights: list[np.ndarray],
        seed: int,
        rate: float,
        steps: int,
        decay: int = 0,
        keep: tuple[int, ...] = (),
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Trains with a new Adam.

        Args:
            weights: To begin with.
            seed: Of the batches.
            rate: The learning rate after the warm-up.
            steps: How many, in whole chunks of `every`.
            decay: Over how many last steps the rate falls.
            keep: After which steps the weights are kept.

        Returns:
            The curve (steps, validation losses, FLOPs, processor and wall seconds), and the
            weights kept, named `step/number`.
        """
        self.model.set_weights(weights)
        for variable in self._optimizer.variables:
            variable.assign(keras.ops.zeros(variable.shape, variable.dtype))
        self._rate.set(rate, steps, decay)
        rng = np.random.default_rng(seed)
        flops = flops_per_token(self.model) * BATCH * LENGTH
        curve = {"rate": rate, "decay": decay, "flops_per_step": flops}
        curve |= {"steps": [0], "loss": [self._validate()], "cpu": [0.0], "wall": [0.0]}
        kept = {}
        for step in range(self._every, steps + 1, self._every):
            x, y = self._text.sample(rng, self._every * BATCH)
            cpu, wall = time.process_time(), time.perf_counter()
            self.model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)
            curve["cpu"].append(curve["cpu"][-1] + time.process_time() - cpu)
            curve["wall"].append(curve["wall"][-1] + time.perf_counter() - wall)
            curve["steps"].append(step)
            curve["loss"].append(self._validate())
            if step in keep:
                kept |= {f"{step}/{i}": w for i, w in enumerate(self.model.get_weights())}
        return curve, kept

    def _validate(self) -> float:
        x, y = self._text.validation
        return round(float(self.model.evaluate(x, y, batch_size=BATCH, verbose=0)), 5)
