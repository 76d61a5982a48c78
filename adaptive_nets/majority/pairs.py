"""The layers of two models that belong together."""

from collections.abc import Iterator
from typing import Any

import keras

from adaptive_nets.graphs.inventory import is_made_of_graph, keeps_class
from adaptive_nets.graphs.loadable import inlined_name
from adaptive_nets.graphs.read import functional
from adaptive_nets.keras_internals import layers_in
from adaptive_nets.majority.composite import MajorityComposite


def layer_pairs(old: Any, new: Any) -> Iterator[tuple[Any, Any]]:
    """Yields corresponding layers of two models; a composite is replaced by its inner layers.

    Args:
        old: A model.
        new: One whose layers are of the same names, or whose models inside were put into it.

    Raises:
        KeyError: A layer has no counterpart.
    """
    # A class derived from these may hide layers in its `layers`.
    others = {x.name: x for x in functional(new).operations if isinstance(x, keras.Layer)}
    yield from _pairs_in(old, others, "")


def _pairs_in(old: Any, others: dict[str, Any], holder: str) -> Iterator[tuple[Any, Any]]:
    for layer in functional(old).operations:
        # What stands for an input holds nothing, and its name is counted up by Keras.
        if not isinstance(layer, keras.Layer) or isinstance(layer, keras.layers.InputLayer):
            continue
        is_graph = isinstance(layer, keras.Sequential) or is_made_of_graph(layer)
        if is_graph and layer.name not in others:
            # Its layers stand in the graph around it, as it shares some with that.
            yield from _pairs_in(layer, others, layer.name)
            continue
        other = others.get(inlined_name(holder, layer.name)) if holder else None
        other = others[layer.name] if other is None else other
        if is_graph:
            yield layer, other
        if isinstance(layer, keras.Sequential) or (is_graph and keeps_class(other)):
            yield from layer_pairs(layer, other)
        else:
            yield from zip(_inside(layer), _inside(other), strict=True)


def _inside(layer: Any) -> list[Any]:
    layer = layer.layer if isinstance(layer, MajorityComposite) else layer
    return layers_in(layer)
