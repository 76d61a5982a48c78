"""Makes each job's model: from scratch, or grown out of trained sources."""

import keras
import numpy as np
from model import language_model
from protocol import LARGE, SMALL, Job, shape_of

from adaptive_nets import growth

CROSS = 0.1


def make(job: Job, size: int, weights: list[list[np.ndarray]]) -> keras.Model:
    """The model that a job trains.

    Args:
        job: Which.
        size: How many different characters there are.
        weights: Those of its sources, in the job's order.
    """
    if not job.sources:
        return language_model(size, *shape_of(job), job.seed)
    sources = []
    for values in weights:
        sources.append(language_model(size, SMALL, job.blocks, 0))
        sources[-1].set_weights(values)
    return grow(job.arm, sources, job.seed)


def grow(arm: str, sources: list[keras.Model], seed: int) -> keras.Model:
    """The grown model of an arm."""
    first = sources[0]
    if arm == "continued":
        return first
    if arm.startswith("fused"):
        return growth.fuse(sources, preserve="approximate", seed=seed)
    if arm == "self_fuse":
        return growth.self_fuse(first, cross=CROSS, seed=seed)
    if arm == "stack":
        return growth.deepen(first, method="stack", preserve="approximate", seed=seed)
    return growth.widen(first, widths(first), arm.removeprefix("widen_"), seed=seed)


def widths(model: keras.Model) -> dict[str, int]:
    """What makes the small model the large one: twice the features, heads and MLP units."""
    found = {"token": LARGE}
    for layer in model.layers:
        if isinstance(layer, keras.layers.MultiHeadAttention):
            found[f"{layer.name}:heads"] = layer.num_heads * LARGE // SMALL
        elif layer.name.startswith("up_"):
            found[layer.name] = layer.units * LARGE // SMALL
    return found
