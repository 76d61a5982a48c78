"""Stages, which lie between two hidden layers: chains with one kernel, or residual blocks."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets.graphs.editable import CONVOLUTIONS, KERNELS, Graph, Step

DROPOUTS = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
)

ELEMENTWISE = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.ELU,
    *DROPOUTS,
)

# Wide enough for the bends of the activations that Keras has.
GRID = np.linspace(-12, 12, 4801).astype("float32")


@dataclasses.dataclass
class Chain:
    """A kernel, an optional batch normalisation, and elementwise functions."""

    kernel: Step
    norm: Step | None
    functions: list[Step]


@dataclasses.dataclass
class Block:
    """`functions(skip(x) + main(x))`, whose skip is empty, or a convolution and a norm."""

    main: list[Step]
    skip: list[Step]
    add: Step
    functions: list[Step]


def functions_before(graph: Graph, tensor: int) -> list[Step]:
    """Returns the elementwise functions that a tensor has passed last, first to last."""
    found = []
    step = graph.producer(tensor)
    while step is not None and step.kind in ELEMENTWISE:
        found.insert(0, step)
        step = graph.producer(step.inputs[0])
    return found


def chain_at(graph: Graph, level: int) -> Chain | None:
    """Returns the stage that ends in a hidden layer, counted from 1, if it is a chain."""
    end = graph.hidden[level - 1]
    functions = functions_before(graph, end)
    step = graph.producer(functions[0].inputs[0] if functions else end)
    norm = None
    if step is not None and step.kind is keras.layers.BatchNormalization:
        norm, step = step, graph.producer(step.inputs[0])
    if step is None or step.kind not in KERNELS:
        return None
    if level > 1 and step.inputs[0] != graph.hidden[level - 2]:
        return None
    return Chain(step, norm, functions)


def block_at(graph: Graph, level: int) -> Block | None:
    """Returns the stage that ends in a hidden layer, counted from 1, if it is a residual block."""
    if level == 1:
        return None
    end, start = graph.hidden[level - 1], graph.hidden[level - 2]
    functions = functions_before(graph, end)
    add = graph.producer(functions[0].inputs[0] if functions else end)
    if add is None or add.kind is not keras.layers.Add or len(add.inputs) != 2:
        return None
    paths = [_path(graph, start, each) for each in add.inputs]
    if None in paths:
        return None
    skip, main = sorted(paths, key=len)
    kinds = [step.kind for step in skip]
    plain = not kinds or (
        kinds[0] in CONVOLUTIONS and kinds[1:] in ([], [keras.layers.BatchNormalization])
    )
    return Block(main, skip, add, functions) if plain and main else None


def _path(graph: Graph, start: int, end: int) -> list[Step] | None:
    """Returns the steps from one tensor to another, if each reads only the previous one."""
    found: list[Step] = []
    while end != start:
        step = graph.producer(end)
        if step is None or len(step.inputs) != 1:
            return None
        found.insert(0, step)
        end = step.inputs[0]
    return found


def fold_norm(graph: Graph, kernel: Step, norm: Step) -> None:
    """Folds a batch normalisation, as at inference, into the kernel before it."""
    layer = norm.operation
    mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    scale = 1 / np.sqrt(variance.astype("float64") + layer.epsilon)
    scale = scale * np.asarray(layer.gamma) if layer.scale else scale
    shift = np.asarray(layer.beta) if layer.center else 0.0
    weights, *bias = kernel.values()
    own = bias[0] if bias else 0.0
    kernel.weights = [weights * scale, (own - mean) * scale + shift]
    kernel.config["use_bias"] = True
    for connection in graph.connections:
        if connection.step is kernel:
            connection.block = connection.block * scale
    graph.remove(norm)


def add_bias(kernel: Step) -> None:
    """Adds a bias of zero to a kernel without one."""
    if not kernel.settings["use_bias"]:
        (weights,) = kernel.values()
        kernel.weights = [weights, np.zeros(weights.shape[-1])]
        kernel.config["use_bias"] = True


def applied(kernel: Step | None, functions: Sequence[Step], z: np.ndarray) -> np.ndarray:
    """Applies a kernel's activation and the functions after it to numbers, at inference.

    The result is NaN if they are not elementwise (softmax).
    """
    alone, beside = (_applied(kernel, functions, np.stack(x, 1)) for x in ([z] * 2, [z] * 2 + [-z]))
    if alone.shape[1] != 2 or not np.allclose(alone, beside[:, :2], rtol=1e-5, atol=1e-6):
        return np.full_like(z, np.nan)
    return alone[:, 0]


def _applied(kernel: Step | None, functions: Sequence[Step], x: Any) -> np.ndarray:
    x = keras.ops.convert_to_tensor(x)
    if kernel is not None and kernel.kind in KERNELS:
        x = kernel.operation.activation(x)
    for step in functions:
        if step.kind not in DROPOUTS:
            x = step.kind.from_config(step.operation.get_config())(x)
    return np.asarray(x)


def activation_name(kernel: Step | None, functions: Sequence[Step]) -> str:
    """Returns the name of what `applied` computes, for error messages."""
    for step in [*functions[::-1], *([] if kernel is None else [kernel])]:
        if step.kind not in DROPOUTS:
            found = getattr(step.operation, "activation", None)
            return getattr(found, "__name__", step.kind.__name__)
    return "linear"


class Signatures:
    """Numbers that are equal for tensors computed by the same layers, connected alike."""

    def __init__(self) -> None:
        self._known: dict[Any, int] = {}

    def of(self, graph: Graph, tensor: int, start: int | None = None) -> int:
        """Returns the number of a tensor's computation, from the inputs or from another tensor."""
        inside = set()
        if start is not None:
            inside = {id(step) for step in graph.needed(start)}
        found = {n: self._number(("input", key)) for key, n in graph.inputs.items()}
        if start is not None:
            found[start] = self._number("start")
        for step in graph.needed(tensor):
            if id(step) in inside:
                continue
            key = (step.kind, *(found.get(n, -1) for n in step.inputs))
            for number, output in enumerate(step.outputs):
                found[output] = self._number((*key, number))
        return found.get(tensor, -1)

    def _number(self, key: Any) -> int:
        return self._known.setdefault(key, len(self._known))
