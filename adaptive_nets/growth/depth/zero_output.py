"""Which weights must be zero so that a branch adds nothing, and may still learn."""

from typing import Any

import keras
import numpy as np

from adaptive_nets.growth.core.registry import find_rule
from adaptive_nets.growth.depth.graph_blocks import GraphView


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


def zeros(layer: Any) -> dict[int, np.ndarray]:
    """Zeros for the weights that make a layer's output zero, by the variables' ids."""
    rule = find_rule(type(layer))
    variables = rule.zero_weights(layer) or rule.zero_offsets(layer)
    return {id(variable): np.zeros(variable.shape) for variable in variables}
