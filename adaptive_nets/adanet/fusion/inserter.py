"""Inserts layers into a subnetwork's graph without changing its function."""

from collections.abc import Sequence

import keras
import numpy as np

from adaptive_nets.graphs.editable import CONVOLUTIONS, Graph, Step


class Inserter:
    """Inserts steps after a tensor of a graph, and redirects its readers to the last of them."""

    def __init__(self, graph: Graph, tensor: int) -> None:
        self.graph, self.start, self.tensor = graph, tensor, tensor
        producer = graph.producer(tensor)
        self.at = 0 if producer is None else graph.steps.index(producer) + 1
        self.old = list(graph.steps)

    def put(self, like: Step, inputs: Sequence[int], shape: tuple, **fields) -> int:
        step = self.graph.add(like.operation, inputs, [shape], self.at, **fields)
        self.at += 1
        self.tensor = step.outputs[0]
        return self.tensor

    def functions(self, steps: Sequence[Step]) -> None:
        for step in steps:
            shape = self.graph.shapes[self.tensor]
            self.put(step, [self.tensor], shape, node=step.node, config=dict(step.config))

    def finish(self) -> None:
        for step in self.old:
            step.inputs = tuple(self.tensor if n == self.start else n for n in step.inputs)
        self.graph.hidden.append(self.tensor)


def put_kernel(inserter: Inserter, like: Step, weights: list[np.ndarray]) -> None:
    """Inserts a layer of the same kind as a step's, with these weights."""
    kernel = weights[0]
    size = "units" if like.kind is keras.layers.Dense else "filters"
    shape = (*inserter.graph.shapes[inserter.tensor][:-1], kernel.shape[-1])
    config = {**like.config, size: kernel.shape[-1]}
    inserter.put(like, [inserter.tensor], shape, config=config, weights=weights)


def keeps_size(layer: keras.Layer) -> bool:
    """Returns whether a convolution's output has the size of its input."""
    return (
        set(layer.strides) == {1}
        and layer.padding == "same"
        and layer.groups == 1
        and layer.data_format == "channels_last"
    )


def identity(step: Step, width: int) -> np.ndarray:
    """Returns a kernel that passes on every feature."""
    if step.kind is keras.layers.Dense:
        return np.eye(width)
    size = step.settings["kernel_size"]
    kernel = np.zeros((*size, width, width))
    kernel[tuple((n - 1) // 2 for n in size)] = np.eye(width)
    return kernel


def impassable(graph: Graph, level: int, other: Graph, reason: str) -> ValueError:
    """Returns the error for a subnetwork that cannot be made as deep as another."""
    return ValueError(
        f"Cannot fuse the ensemble: subnetwork '{graph.name}' has {len(graph.hidden)} hidden "
        f"layer(s) and '{other.name}' has {len(other.hidden)}, and hidden layer {level} of the "
        f"latter {reason}, which cannot pass on what the former computes. Expected hidden layers "
        "of one kind that end in relu, linear, gelu, silu or another activation with "
        "f(z) - f(-z) = c z, or members of equal depth. Search with one depth, such as "
        "generators.Dense(depths=[2]), or use search.model, the ensemble as it is, instead."
    )


def averaging(size: int) -> np.ndarray:
    """Returns three weights whose strided sums have the mean of all pixels (padding "same")."""
    halved = (size + 1) // 2
    if size % 2 == 0:
        return np.array([0.5, 0.5, 0.0])
    return np.array([0.5, 1.0, 0.5]) * halved / size


def zero_step(step: Step, width: int, last: bool, rng: np.random.Generator) -> dict:
    """Returns settings and weights of a step in a main path that adds zero but is trainable."""
    if step.kind is keras.layers.BatchNormalization:
        one, zero = np.ones(width), np.zeros(width)
        weights = [zero if last else one, *([zero] if step.operation.center else []), zero, one]
        return {"config": dict(step.config), "weights": weights}
    if step.kind in CONVOLUTIONS:
        size = (*step.settings["kernel_size"], width, width)
        bound = 0.0 if last else np.sqrt(6 / (2 * width * np.prod(size[:-2])))
        bias = [np.zeros(width)] if step.settings["use_bias"] else []
        config = {**step.config, "filters": width}
        return {"config": config, "weights": [rng.uniform(-bound, bound, size), *bias]}
    return {"config": dict(step.config)}


def can_add_zero(step: Step) -> bool:
    """Returns whether a step can be made to add zero."""
    if step.kind is keras.layers.BatchNormalization:
        return step.operation.scale
    return step.kind in CONVOLUTIONS and step.operation.groups == 1
