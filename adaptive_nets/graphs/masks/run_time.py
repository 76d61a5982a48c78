"""Which tensors of a graph carry a mask when it runs.

Keras notes the mask of a symbolic tensor where a layer makes it. Models inside hand masks in and
out as well, but only when they run: the symbolic tensors in and behind them have none.
"""

from typing import Any

import keras

from adaptive_nets.graphs.inventory import is_made_of_graph
from adaptive_nets.graphs.read import functional, given_to, ordered_nodes
from adaptive_nets.keras_internals import call_of, mask_of, origin

# From the id of a tensor to its mask.
Masks = dict[int, Any]


def follow_masks(graph: Any, given: list[Any], found: Masks) -> list[Any]:
    """Follows the masks through a graph and all models in it.

    Args:
        graph: A Functional model.
        given: The mask of each of its inputs, or None.
        found: Gets the masks of its tensors, and of those of models in it.

    Returns:
        The mask of each output, or None.
    """
    known = _marked(graph.inputs, given)
    for node in ordered_nodes(graph):
        known |= _marked(node.outputs, masks_behind(node, known, found))
    found |= {**known, **found}
    return [known.get(id(tensor), mask_of(tensor)) for tensor in graph.outputs]


def masks_behind(node: Any, known: Masks, found: Masks, inside: Any = None) -> list[Any]:
    """The mask of each tensor that a call gives, or None.

    Args:
        node: The record of the call.
        known: The masks of the tensors that it reads.
        found: Gets the masks of tensors in a model that is called.
        inside: The graph of a layer that is no model. Defaults to `None`: it is not known.
    """
    layer = node.operation
    own = [mask_of(tensor) for tensor in node.outputs]
    masks = [known.get(id(x), mask_of(x)) for x in node.input_tensors]
    if type(layer) is keras.Sequential or is_made_of_graph(layer):
        graph = functional(layer)
        return follow_masks(graph, _given(node, graph, known), found)
    if not isinstance(layer, keras.Layer):
        return own
    if inside is not None:
        leaving = follow_masks(inside, masks, found)
        own = [b if a is None else a for a, b in zip(own, leaving, strict=True)]
    if not layer.supports_masking or all(x is None for x in masks):
        return own
    made = _computed(node, known)
    return [b if a is None else a for a, b in zip(own, made, strict=False)]


def same_mask(one: Any, other: Any) -> bool:
    """Whether two masks are one, also where a layer has converted it before it handed it on."""
    return _unconverted(one) is _unconverted(other)


def _unconverted(mask: Any) -> Any:
    while isinstance(mask, keras.KerasTensor):
        if type(origin(mask)[0]).__name__ != "ConvertToTensor":
            break
        mask = call_of(mask).input_tensors[0]
    return mask


def _marked(tensors: list[Any], masks: list[Any]) -> Masks:
    return {id(x): m for x, m in zip(tensors, masks, strict=False) if m is not None}


def _given(node: Any, graph: Any, known: Masks) -> list[Any]:
    """The mask of each input of a model that is called."""
    told = node.arguments.kwargs.get("mask")
    if told is not None and any(x is not None for x in keras.tree.flatten(told)):
        masks = keras.tree.flatten(told)
        return masks if len(masks) == len(graph.inputs) else masks[:1] * len(graph.inputs)
    given = given_to(node)
    if given is not None:
        return [known.get(id(x), mask_of(x)) for x in given]
    masks = [known.get(id(x), mask_of(x)) for x in node.input_tensors]
    return [next((x for x in masks if x is not None), None)] * len(graph.inputs)


def _computed(node: Any, known: Masks) -> list[Any]:
    """What a layer says of its outputs' masks, as Keras asks it when it runs."""
    args, kwargs = node.arguments.args, node.arguments.kwargs
    first = args[0] if args else next(iter(kwargs.values()))
    previous = kwargs.get("mask")
    if previous is None:
        previous = keras.tree.map_structure(
            lambda x: known.get(id(x), mask_of(x)) if isinstance(x, keras.KerasTensor) else None,
            first,
        )
    masks = [x for x in keras.tree.flatten(previous) if x is not None]
    if not masks:
        return []
    try:
        return keras.tree.flatten(node.operation.compute_mask(first, previous))
    except Exception:  # A layer of one's own may take no symbolic masks.
        return masks[:1] * len(node.outputs)
