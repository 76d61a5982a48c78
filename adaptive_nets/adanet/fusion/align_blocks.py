"""Aligns residual blocks with those of a deeper subnetwork."""

from collections.abc import Sequence

import keras
import numpy as np

from adaptive_nets.adanet.fusion.inserter import (
    Inserter,
    averaging,
    can_add_zero,
    identity,
    impassable,
    zero_step,
)
from adaptive_nets.adanet.fusion.stages import (
    DROPOUTS,
    GRID,
    Block,
    activation_name,
    add_bias,
    applied,
    fold_norm,
    functions_before,
)
from adaptive_nets.graphs.editable import Graph, Step


def unify_skips(
    level: int, graphs: Sequence[Graph], blocks: Sequence[Block], averages: bool
) -> None:
    """All skips become one convolution with a bias, if any of them is one."""
    like = next((block.skip[0] for block in blocks if block.skip), None)
    if like is None:
        return
    for graph, block in zip(graphs, blocks, strict=True):
        if not block.skip:
            start = graph.hidden[level - 2]
            width = graph.shapes[start][-1]
            step = graph.add(
                like.operation, [start], [graph.shapes[start]], graph.steps.index(block.add),
                config={"filters": width, "use_bias": True},
                weights=[identity(like, width), np.zeros(width)],
            )  # fmt: skip
            # The skip is the one of the sum's inputs that the main path does not give.
            block.add.inputs = tuple(step.outputs[0] if n == start else n for n in block.add.inputs)
            block.skip = [step]
        else:
            _fold_skip(graph, block)
        if averages and like.operation.strides == (2, 2):
            _enlarge(graph, block.skip[0], graph.hidden[level - 2])


def _fold_skip(graph: Graph, block: Block) -> None:
    convolution, *norm = block.skip
    if norm:
        fold_norm(graph, convolution, norm[0])
    else:
        add_bias(convolution)
    block.skip = [convolution]


def _enlarge(graph: Graph, step: Step, start: int) -> None:
    """A 1x1 kernel of stride 2 becomes the 3x3 kernel that reads the same pixels."""
    if tuple(step.settings["kernel_size"]) != (1, 1) or step.operation.padding != "same":
        return
    at = tuple(0 if size % 2 == 0 else 1 for size in graph.shapes[start][1:3])

    def enlarged(kernel):
        grown = np.zeros((3, 3, *kernel.shape[2:]))
        grown[at] = kernel[0, 0]
        return grown

    kernel, bias = step.values()
    step.weights, step.config["kernel_size"] = [enlarged(kernel), bias], (3, 3)
    for connection in graph.connections:
        if connection.step is step:
            connection.block = enlarged(connection.block)


def pass_block(
    graph: Graph, level: int, template: Graph, block: Block | None, rng: np.random.Generator
) -> None:
    """A new residual block whose main path adds zero."""
    if not graph.hidden:
        raise impassable(graph, level, template, "is a residual block, and that one has none")
    last, width = graph.hidden[-1], graph.shapes[graph.hidden[-1]][-1]
    before = functions_before(graph, last)
    source = graph.producer(before[0].inputs[0] if before else last)
    values = applied(source, before, GRID)
    if not np.array_equal(applied(None, block.functions, values), values):
        name = activation_name(None, block.functions)
        raise impassable(graph, level, template, f"ends in the activation {name!r}")
    start = template.hidden[level - 2]
    if graph.shapes[last][:-1] != template.shapes[start][:-1]:
        raise impassable(graph, level, template, "reads images of another size")
    learnt = [step for step in block.main if step.values()]
    odd = next((step for step in learnt if not can_add_zero(step)), None)
    if odd is not None:
        raise impassable(graph, level, template, f"holds the layer '{odd.operation.name}'")
    skip = _skip_weights(graph, level, template, block, last)
    inserter = Inserter(graph, last)
    tensor = last
    for step in block.main:
        shape = (*template.shapes[step.outputs[0]][:-1], width)
        fields = zero_step(step, width, step is learnt[-1], rng)
        tensor = inserter.put(step, [tensor], shape, node=step.node, **fields)
    passed = last
    if skip is not None:
        shape = (*template.shapes[block.add.outputs[0]][:-1], width)
        config = {**block.skip[0].config, "filters": width}
        passed = inserter.put(block.skip[0], [last], shape, config=config, weights=skip)
    # In the order of the template's sum.
    skip_first = block.add.inputs[0] != block.main[-1].outputs[0]
    terms = [passed, tensor] if skip_first else [tensor, passed]
    inserter.put(block.add, terms, graph.shapes[tensor], node=block.add.node)
    inserter.functions(block.functions)
    inserter.finish()


def _skip_weights(
    graph: Graph, level: int, template: Graph, block: Block, last: int
) -> list[np.ndarray] | None:
    """What lets a skip pass on the features: the identity, or means where images are halved."""
    if not block.skip:
        return None
    (step,) = block.skip
    width = graph.shapes[last][-1]
    strides = tuple(step.operation.strides)
    if set(strides) == {1} and step.operation.padding == "same":
        return [identity(step, width), np.zeros(width)]
    pooled = all(
        reader.kind is keras.layers.GlobalAveragePooling2D
        for tensor in [last, *(t for s in graph.readers(last) if s.kind in DROPOUTS
                               for t in s.outputs)]
        for reader in graph.readers(tensor) if reader.kind not in DROPOUTS
    )  # fmt: skip
    if strides != (2, 2) or tuple(step.settings["kernel_size"]) != (3, 3) or not pooled:
        raise impassable(graph, level, template, "changes the size of its images")
    rows, columns = (averaging(size) for size in graph.shapes[last][1:3])
    mean = np.multiply.outer(rows, columns)
    return [mean[..., None, None] * np.eye(width), np.zeros(width)]
