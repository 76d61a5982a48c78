"""Members of unequal depth are deepened until their layers stand in one line."""

from collections.abc import Sequence

import keras
import numpy as np

from adaptive_nets.adanet.fusing_graph import CONVOLUTIONS, Graph, Step
from adaptive_nets.adanet.fusing_stages import (
    DROPOUTS,
    GRID,
    Block,
    Chain,
    Signatures,
    activation_name,
    add_bias,
    applied,
    block_at,
    chain_at,
    fold_norm,
    functions_before,
)


def align(graphs: Sequence[Graph], seed: int) -> None:
    """Gives all graphs the layers of the deepest; what they compute stays.

    A new layer passes on what it reads: with an identity kernel where its activation changes
    nothing the second time (relu, linear), or else by pairs, `f(z) - f(-z) = c z`. A new residual
    block adds zero. Where some graphs normalise and others must pass, the norm is folded into the
    kernel before it, as it is at inference.

    Args:
        graphs: Of all subnetworks; they are changed.
        seed: For new kernels that are multiplied by zero at first.

    Raises:
        ValueError: A graph lacks a layer that could not pass on what it reads.
    """
    rng = np.random.default_rng(seed)
    for level in range(1, max(len(graph.hidden) for graph in graphs) + 1):
        present = [graph for graph in graphs if len(graph.hidden) >= level]
        absent = [graph for graph in graphs if len(graph.hidden) < level]
        if absent or not _alike(present, level):
            _align_level(level, present, absent, rng)


def _alike(graphs: Sequence[Graph], level: int) -> bool:
    signatures = Signatures()
    starts = [graph.hidden[level - 2] if level > 1 else None for graph in graphs]
    found = {
        signatures.of(graph, graph.hidden[level - 1], start)
        for graph, start in zip(graphs, starts, strict=True)
    }
    return len(found) == 1


def _align_level(
    level: int, present: Sequence[Graph], absent: Sequence[Graph], rng: np.random.Generator
) -> None:
    chains = [chain_at(graph, level) for graph in present]
    blocks = [block_at(graph, level) for graph in present]
    if None not in chains:
        for graph, chain in zip(present, chains, strict=True):
            if chain.norm is not None:
                fold_norm(graph, chain.kernel, chain.norm)
            elif absent:
                add_bias(chain.kernel)
        for graph in absent:
            _pass_chain(graph, level, present[0], chains[0])
    elif None not in blocks:
        _unify_skips(level, present, blocks, averages=bool(absent))
        for graph in absent:
            _pass_block(graph, level, present[0], block_at(present[0], level), rng)
    elif absent:
        template = present[0]
        below = template.needed(template.hidden[level - 2]) if level > 1 else []
        inside = [s for s in template.needed(template.hidden[level - 1]) if s not in below]
        kinds = ", ".join(step.kind.__name__ for step in inside)
        raise _impassable(absent[0], level, template, f"is made of {kinds}")


class _Inserter:
    """Puts steps behind a tensor of a graph, then lets all else read the last of them."""

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


# Chains -----------------------------------------------------------------------------------------


def _pass_chain(graph: Graph, level: int, template: Graph, chain: Chain) -> None:
    """A new hidden layer that loses nothing of what the graph's output needs."""
    kernel, functions = chain.kernel, chain.functions
    name = f"ends in the activation {activation_name(kernel, functions)!r}"
    if kernel.kind in CONVOLUTIONS and not graph.hidden:
        raise _impassable(graph, level, template, "is a convolution")
    if kernel.kind in CONVOLUTIONS and not _keeps_size(kernel.operation):
        raise _impassable(graph, level, template, "changes the size of its images")
    if graph.hidden:
        last = graph.hidden[-1]
        before = functions_before(graph, last)
        source = graph.producer(before[0].inputs[0] if before else last)
        values = applied(source, before, GRID)
        same_rank = len(graph.shapes[last]) == len(template.shapes[kernel.inputs[0]])
        if same_rank and np.array_equal(applied(kernel, functions, values), values):
            inserter = _Inserter(graph, last)
            width = graph.shapes[last][-1]
            _put_kernel(inserter, kernel, [_identity(kernel, width), np.zeros(width)])
            inserter.functions(functions)
            inserter.finish()
            return
    ratio = _pair_ratio(applied(kernel, functions, GRID) - applied(kernel, functions, -GRID))
    if kernel.kind is not keras.layers.Dense or ratio is None:
        raise _impassable(graph, level, template, name)
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
        raise _impassable(graph, level, template, "stands before other layers than the logits")
    kernel, bias = final.weights
    inserter = _Inserter(graph, final.inputs[0])
    pair = [np.concatenate([each, -each], axis=-1) for each in (kernel, bias)]
    _put_kernel(inserter, chain.kernel, pair)
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


def _put_kernel(inserter: _Inserter, like: Step, weights: list[np.ndarray]) -> None:
    kernel = weights[0]
    size = "units" if like.kind is keras.layers.Dense else "filters"
    shape = (*inserter.graph.shapes[inserter.tensor][:-1], kernel.shape[-1])
    config = {**like.config, size: kernel.shape[-1]}
    inserter.put(like, [inserter.tensor], shape, config=config, weights=weights)


def _keeps_size(layer: keras.Layer) -> bool:
    return (
        set(layer.strides) == {1}
        and layer.padding == "same"
        and layer.groups == 1
        and layer.data_format == "channels_last"
    )


def _identity(step: Step, width: int) -> np.ndarray:
    """A kernel that passes on every feature."""
    if step.kind is keras.layers.Dense:
        return np.eye(width)
    size = step.settings["kernel_size"]
    kernel = np.zeros((*size, width, width))
    kernel[tuple((n - 1) // 2 for n in size)] = np.eye(width)
    return kernel


# Residual blocks --------------------------------------------------------------------------------


def _unify_skips(
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
                weights=[_identity(like, width), np.zeros(width)],
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


def _pass_block(
    graph: Graph, level: int, template: Graph, block: Block | None, rng: np.random.Generator
) -> None:
    """A new residual block whose main path adds zero."""
    if not graph.hidden:
        raise _impassable(graph, level, template, "is a residual block, and that one has none")
    last, width = graph.hidden[-1], graph.shapes[graph.hidden[-1]][-1]
    before = functions_before(graph, last)
    source = graph.producer(before[0].inputs[0] if before else last)
    values = applied(source, before, GRID)
    if not np.array_equal(applied(None, block.functions, values), values):
        name = activation_name(None, block.functions)
        raise _impassable(graph, level, template, f"ends in the activation {name!r}")
    start = template.hidden[level - 2]
    if graph.shapes[last][:-1] != template.shapes[start][:-1]:
        raise _impassable(graph, level, template, "reads images of another size")
    learnt = [step for step in block.main if step.values()]
    odd = next((step for step in learnt if not _can_add_zero(step)), None)
    if odd is not None:
        raise _impassable(graph, level, template, f"holds the layer '{odd.operation.name}'")
    skip = _skip_weights(graph, level, template, block, last)
    inserter = _Inserter(graph, last)
    tensor = last
    for step in block.main:
        shape = (*template.shapes[step.outputs[0]][:-1], width)
        fields = _zero_step(step, width, step is learnt[-1], rng)
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


def _can_add_zero(step: Step) -> bool:
    if step.kind is keras.layers.BatchNormalization:
        return step.operation.scale
    return step.kind in CONVOLUTIONS and step.operation.groups == 1


def _zero_step(step: Step, width: int, last: bool, rng: np.random.Generator) -> dict:
    """Settings and weights of a step of a main path that adds zero, but learns."""
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
        return [_identity(step, width), np.zeros(width)]
    pooled = all(
        reader.kind is keras.layers.GlobalAveragePooling2D
        for tensor in [last, *(t for s in graph.readers(last) if s.kind in DROPOUTS
                               for t in s.outputs)]
        for reader in graph.readers(tensor) if reader.kind not in DROPOUTS
    )  # fmt: skip
    if strides != (2, 2) or tuple(step.settings["kernel_size"]) != (3, 3) or not pooled:
        raise _impassable(graph, level, template, "changes the size of its images")
    rows, columns = (_averaging(size) for size in graph.shapes[last][1:3])
    mean = np.multiply.outer(rows, columns)
    return [mean[..., None, None] * np.eye(width), np.zeros(width)]


def _averaging(size: int) -> np.ndarray:
    """Three weights whose strided sums have the mean of all pixels, for padding "same"."""
    halved = (size + 1) // 2
    if size % 2 == 0:
        return np.array([0.5, 0.5, 0.0])
    return np.array([0.5, 1.0, 0.5]) * halved / size


def _impassable(graph: Graph, level: int, other: Graph, reason: str) -> ValueError:
    return ValueError(
        f"Cannot fuse the ensemble: subnetwork '{graph.name}' has {len(graph.hidden)} hidden "
        f"layer(s) and '{other.name}' has {len(other.hidden)}, and hidden layer {level} of the "
        f"latter {reason}, which cannot pass on what the former computes. Expected hidden layers "
        "of one kind that end in relu, linear, gelu, silu or another activation with "
        "f(z) - f(-z) = c z, or members of one depth. Search with one depth, such as "
        "generators.Dense(depths=[2]), or use search.model, which holds the ensemble as it is."
    )
