"""Converts a member to a graph, with its connections set aside and its weight folded in."""

import dataclasses
from typing import Any

import keras
import numpy as np

from adaptive_nets.adanet.ensembles.member import Member, layer_number
from adaptive_nets.graphs.editable import CONVOLUTIONS, Connection, Graph
from adaptive_nets.graphs.read import functional, ordered_nodes


@dataclasses.dataclass(frozen=True)
class _Part:
    """A run of features: those of an own tensor, or of a frozen hidden layer."""

    width: int
    own: int | None = None
    frozen: str | None = None


def member_graph(
    member: Member, units: int, key: str, kernel: np.ndarray | None, bias: np.ndarray
) -> Graph:
    """Returns the graph of a member, whose output is its term of the ensemble's logits.

    Args:
        member: The `Member`. It is not changed.
        units: Number of logits.
        key: The output that the mixture weighs, `"logits"` or `"last_layer"`.
        kernel: Mixture weight as the matrix from that output to the ensemble's logits, or
            `None` if the member is only read by others.
        bias: `[units]` bias to add to its term.

    Raises:
        ValueError: A frozen hidden layer is read by something other than a Dense or convolution
            layer.
    """
    graph = Graph(member.name)
    known: dict[int, Any] = {}
    for name, tensor in _named_inputs(member).items():
        if name in member.reads:
            known[id(tensor)] = (_Part(tensor.shape[-1], frozen=name),)
        else:
            known[id(tensor)] = graph.inputs[name] = graph.number(tensor.shape)
    for node in ordered_nodes(functional(member.model)):
        given = [known[id(t)] for t in node.input_tensors]
        if any(isinstance(each, tuple) for each in given):
            known[id(node.outputs[0])] = _take_joined(graph, node, given)
        else:
            graph.take(node, given, known)
    outputs = {key: known[id(tensor)] for key, tensor in member.model.output.items()}
    for name, value in outputs.items():
        if isinstance(value, tuple):
            raise _unreadable(graph, f"its {name} itself is", _owners(value))
    hidden = sorted((name for name in outputs if name.startswith("hidden_")), key=layer_number)
    graph.hidden = [outputs[name] for name in hidden]
    read = outputs[key]
    if kernel is None:
        kernel, bias = np.zeros((graph.shapes[read][-1], units)), np.zeros(units)
    _weigh(graph, read, kernel, bias, fold=read == outputs["logits"])
    return graph


def _named_inputs(member: Member) -> dict[str, keras.KerasTensor]:
    return {tensor.name: tensor for tensor in functional(member.model).inputs}


def _weigh(graph: Graph, read: int, mix: np.ndarray, bias: np.ndarray, fold: bool) -> None:
    """Ends the graph in one Dense layer that contains the mixture weights."""
    mix, bias = np.asarray(mix, "float64"), np.asarray(bias, "float64")
    connections = []
    while fold:
        step = graph.producer(read)
        if step is None or len(step.inputs) != 1 or len(graph.shapes[step.inputs[0]]) != 2:
            break
        layer = step.operation
        if step.kind is keras.layers.Rescaling:
            bias = bias + np.broadcast_to(layer.offset, len(mix)) @ mix
            mix = np.broadcast_to(layer.scale, len(mix))[:, None] * mix
        elif step.kind is keras.layers.Dense and layer.activation is keras.activations.linear:
            kernel, *own = [np.asarray(v, "float64") for v in step.values()]
            bias = bias + (own[0] @ mix if own else 0.0)
            connections = [c for c in graph.connections if c.step is step]
            for connection in connections:
                connection.block = connection.block @ mix
            mix, fold = kernel @ mix, False
        elif not _is_linear_activation(layer):
            break
        read = step.inputs[0]
    # Full precision at the output, as the ensemble's mixture has it.
    layer = keras.layers.Dense(mix.shape[-1], dtype="float32")
    shape = (None, mix.shape[-1])
    step = graph.add(layer, [read], [shape], weights=[mix.astype("float32"), bias])
    for connection in connections:
        connection.step = step
    graph.output = step.outputs[0]


def _is_linear_activation(layer: Any) -> bool:
    return isinstance(layer, keras.layers.Activation) and (
        layer.activation is keras.activations.linear
    )


def _take_joined(graph: Graph, node: Any, given: list[Any]) -> Any:
    """Returns the result of a call on frozen hidden layers: parts, or an own tensor's number."""
    layer, kind = node.operation, type(node.operation)
    parts = []
    for each, tensor in zip(given, node.input_tensors, strict=True):
        parts += each if isinstance(each, tuple) else [_Part(tensor.shape[-1], own=each)]
    rank = len(node.input_tensors[0].shape)
    if kind is keras.layers.Concatenate and layer.axis in (-1, rank - 1):
        return tuple(parts)
    # It acts in training only; in one network, dropout stands where the parent has it.
    if kind is keras.layers.Dropout and all(part.own is None for part in parts):
        return tuple(parts)
    own = [part.own for part in parts if part.own is not None]
    reads = kind is keras.layers.Dense or (
        kind in CONVOLUTIONS and layer.groups == 1 and layer.data_format == "channels_last"
    )
    if not reads or len(own) != 1:
        raise _unreadable(graph, f"its layer '{layer.name}' ({kind.__name__})", _owners(parts))
    kernel, *bias = [np.asarray(v) for v in layer.weights]
    ends = np.cumsum([part.width for part in parts])
    blocks = [kernel[..., end - p.width : end, :] for p, end in zip(parts, ends, strict=True)]
    at = next(i for i, part in enumerate(parts) if part.own is not None)
    step = graph.add(
        layer, own, [tuple(node.outputs[0].shape)], node=node, weights=[blocks[at], *bias]
    )
    for part, block in zip(parts, blocks, strict=True):
        if part.frozen is not None:
            parent = part.frozen.rpartition(".")[0]
            graph.connections.append(
                Connection(step, parent, layer_number(part.frozen), np.asarray(block, "float64"))
            )
    return step.outputs[0]


def _owners(parts: Any) -> str:
    return ", ".join(f"'{part.frozen}'" for part in parts if part.frozen is not None)


def _unreadable(graph: Graph, reader: str, read: str) -> ValueError:
    return ValueError(
        f"Cannot fuse the ensemble: subnetwork '{graph.name}' reads hidden layers of others where "
        "a joint kernel has no block for them. Expected them to be concatenated with one of its "
        "own layers, as by adanet.connect, and read by a Dense or convolution layer. Received: "
        f"{reader}, which reads {read}. Use search.model, the ensemble as it is, instead."
    )
