"""Which weights must be zero so that a branch adds nothing, and may still learn."""

import contextlib
from typing import Any

import keras
import numpy as np

from adaptive_nets.graphs.inventory import is_made_of_graph
from adaptive_nets.graphs.read import functional
from adaptive_nets.growth.core.registry import find_rule
from adaptive_nets.growth.depth.graph_blocks import GraphView
from adaptive_nets.growth.rules.unfold import Hidden, unfolded


def last_weighted(view: GraphView, tensor: keras.KerasTensor, inside: set[int]) -> list[Any] | None:
    """The layers whose zero weights make a tensor zero, nearest to it; None if there are none.

    Args:
        view: The graph.
        tensor: What a residual sum adds.
        inside: The ids of the calls that will be copied.
    """
    node = view.producer.get(id(tensor))
    if node is None or id(node) not in inside:
        return None
    layer = node.operation
    inner = graph_in(node)
    if inner is not None:
        within = GraphView(inner)
        return last_weighted(within, inner.outputs[0], {id(each) for each in within.nodes})
    rule = find_rule(type(layer))
    if rule is None:
        return None
    if rule.zero_weights(layer) is not None:
        return [layer]
    needed = rule.zero_inputs(layer)
    if needed is None:
        return None
    found = [last_weighted(view, each, inside) for each in node.input_tensors]
    if needed == "any":
        found = [each for each in found if each is not None][:1] or [None]
    if None in found:
        return None
    before = [each for many in found for each in many]
    return [*before, layer] if rule.zero_offsets(layer) else before


def graph_in(node: Any) -> Any:
    """The graph of one output that a called model, or a layer of a user's own, is; or None."""
    layer, found = node.operation, None
    if is_made_of_graph(layer) or isinstance(layer, keras.Sequential):
        found = functional(layer)
    elif find_rule(type(layer)) is None:
        with contextlib.suppress(Hidden):
            found = unfolded(node)
    return found if found is not None and len(found.outputs) == 1 else None


def zeros(layer: Any) -> dict[int, np.ndarray]:
    """Zeros for the weights that make a layer's output zero, by the variables' ids."""
    rule = find_rule(type(layer))
    variables = rule.zero_weights(layer) or rule.zero_offsets(layer)
    return {id(variable): np.zeros(variable.shape) for variable in variables}
