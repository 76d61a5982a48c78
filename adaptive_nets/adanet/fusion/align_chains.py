"""Aligns chains of layers with those of a deeper subnetwork."""

import keras
import numpy as np

from adaptive_nets.adanet.fusion.inserter import (
    Inserter,
    identity,
    impassable,
    keeps_size,
    put_kernel,
)
from adaptive_nets.adanet.fusion.stages import (
    DROPOUTS,
    GRID,
    Chain,
    activation_name,
    applied,
    functions_before,
)
from adaptive_nets.graphs.editable import CONVOLUTIONS, Graph


def pass_chain(graph: Graph, level: int, template: Graph, chain: Chain) -> None:
    """A new hidden layer that loses nothing of what the graph's output needs."""
    kernel, functions = chain.kernel, chain.functions
    name = f"ends in the activation {activation_name(kernel, functions)!r}"
    if kernel.kind in CONVOLUTIONS and not graph.hidden:
        raise impassable(graph, level, template, "is a convolution")
    if kernel.kind in CONVOLUTIONS and not keeps_size(kernel.operation):
        raise impassable(graph, level, template, "changes the size of its images")
    if graph.hidden:
        last = graph.hidden[-1]
        before = functions_before(graph, last)
        source = graph.producer(before[0].inputs[0] if before else last)
        values = applied(source, before, GRID)
        same_rank = len(graph.shapes[last]) == len(template.shapes[kernel.inputs[0]])
        if same_rank and np.array_equal(applied(kernel, functions, values), values):
            inserter = Inserter(graph, last)
            width = graph.shapes[last][-1]
            put_kernel(inserter, kernel, [identity(kernel, width), np.zeros(width)])
            inserter.functions(functions)
            inserter.finish()
            return
    ratio = _pair_ratio(applied(kernel, functions, GRID) - applied(kernel, functions, -GRID))
    if kernel.kind is not keras.layers.Dense or ratio is None:
        raise impassable(graph, level, template, name)
    _pass_by_pairs(graph, level, template, chain, ratio)


def _pass_by_pairs(graph: Graph, level: int, template: Graph, chain: Chain, ratio: float) -> None:
    """The output layer moves forward: `z = (f(z) - f(-z)) / c`."""
    final = graph.producer(graph.output)
    end = graph.hidden[-1] if graph.hidden else None
    while final.inputs[0] != end:
        step = graph.producer(final.inputs[0])
        if step is None or step.kind not in DROPOUTS:
            break
        graph.remove(step)
    if graph.hidden and final.inputs[0] != graph.hidden[-1]:
        raise impassable(graph, level, template, "stands before other layers than the logits")
    kernel, bias = final.weights
    inserter = Inserter(graph, final.inputs[0])
    pair = [np.concatenate([each, -each], axis=-1) for each in (kernel, bias)]
    put_kernel(inserter, chain.kernel, pair)
    moved = graph.steps[inserter.at - 1]
    for connection in graph.connections:
        if connection.step is final:
            block = connection.block
            connection.step, connection.block = moved, np.concatenate([block, -block], axis=-1)
    inserter.functions(chain.functions)
    final.inputs = (inserter.tensor,)
    units = len(bias)
    final.weights = [np.concatenate([np.eye(units), -np.eye(units)]) / ratio, np.zeros(units)]
    graph.hidden.append(inserter.tensor)


def _pair_ratio(values: np.ndarray) -> float | None:
    """The c of `f(z) - f(-z) = c z`, if there is one."""
    ratio = float(values[-1] / GRID[-1])
    exact = abs(ratio) > 1e-3 and np.abs(values - ratio * GRID).max() < 1e-5
    return ratio if exact else None
