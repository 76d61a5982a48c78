"""Does `diagnose` pick a better moment to grow than a fixed schedule?"""

import dataclasses
from typing import Any

import keras
import numpy as np
from arms import widths
from model import language_model
from protocol import SMALL
from text import BATCH, Text

from adaptive_nets import growth

BATCHES = 8
# The rate of plain gradient descent that the conflict is measured at.
DESCENT = 0.1


def diagnose(
    text: Text,
    weights: dict[int, list[np.ndarray]],
    seed: int,
    batches: int = BATCHES,
    blocks: int = 3,
) -> list[dict[str, Any]]:
    """The advice at each moment, for the small model whose `weights` were kept.

    Args:
        text: Whose training rows are read.
        weights: By step.
        seed: Of the rows and of growth.
        batches: Of rows that are looked at.
        blocks: Of the model.
    """
    found = []
    x, y = text.sample(np.random.default_rng(seed), BATCH * batches)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for step in weights:
        model = language_model(text.size, SMALL, blocks, 0)
        model.set_weights(weights[step])
        plan = growth.plan_widen(model, widths(model), "zero", seed=seed)
        advice = growth.dynamics.diagnose(model, x, y, DESCENT, loss, batch_size=BATCH, plan=plan)
        fields = dataclasses.asdict(advice)
        names = ("signal_to_noise", "gradient_norm", "conflict_ratio", "readiness", "best_rate")
        names += ("grown_best_rate", "grown_gradient_norm")
        found.append({"step": step} | {name: fields[name] for name in names})
    return found
