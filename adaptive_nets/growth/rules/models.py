"""Models inside models, and layers of one's own that are a graph of other layers."""

import contextlib
from collections.abc import Sequence
from typing import Any

import keras

from adaptive_nets.graphs.inventory import is_made_of_graph
from adaptive_nets.graphs.read import PLAIN_MODELS, functional, ordered_nodes
from adaptive_nets.graphs.scope import again
from adaptive_nets.graphs.state import layer_pairs
from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.registry import find_rule, register_by_call, register_rule
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.core.segments import Segment
from adaptive_nets.growth.core.weight_roles import LayerRecord
from adaptive_nets.growth.rules.unfold import Hidden, unfolded


@register_rule(*PLAIN_MODELS)
class ModelRule(Rule):
    """A Sequential or Functional model, traced and rebuilt like the one that holds it."""

    made_of_layers = True

    def trace(self, call: Call) -> Any:
        graphs = [functional(layer) for layer in call.layers]
        inputs = keras.tree.flatten(call.inputs)
        return call.trace.graph(graphs, inputs, call.record.path)

    def rebuild(self, record: LayerRecord, maps: dict[Segment, AxisMap], rebuilder: Any) -> Any:
        return rebuilder.model(record.layers[0])


class OwnLayerRule(Rule):
    """A layer of a user's own that calls other layers: these grow.

    Where they do, a Functional model of the grown layers stands for it: its class could not say
    their sizes. Where nothing in it changes, it stays.

    Args:
        graphs: What it does in each source.
    """

    made_of_layers = True

    def __init__(self, graphs: Sequence[keras.Model]) -> None:
        self.graphs = list(graphs)

    def trace(self, call: Call) -> Any:
        record = call.record
        if record.inner is None:
            record.inner = self.graphs
        elif not _same_call(record.inner[0], call):
            raise ValueError(
                f"Cannot grow {record.path!r}: it is called in more than one way. Expected the "
                "same arguments, of the same shapes, at each call. Call two layers, or write a "
                "rule for its class (adaptive_nets.growth.register_rule)."
            )
        return call.trace.graph(record.inner, call.flat_inputs, record.path)

    def rebuild(self, record: LayerRecord, maps: dict[Segment, AxisMap], rebuilder: Any) -> Any:
        if self._stays(record, maps, rebuilder.trace):
            # One that its configuration does not make again becomes its graph all the same.
            with contextlib.suppress(Exception):
                return again(record.layers[0])
        return rebuilder.model(record.inner[0])

    def note(self, record: LayerRecord, maps: dict[Segment, AxisMap], trace: Any) -> str | None:
        if self._stays(record, maps, trace):
            return None
        kind = type(record.layers[0]).__name__
        return f"{record.path!r} ({kind}) becomes a Functional model of the layers that it calls"

    def invoke(
        self, record: LayerRecord, grown: Any, args: tuple, kwargs: dict, rebuilder: Any
    ) -> Any:
        if type(grown) is type(record.layers[0]):
            outputs = grown(*args, **kwargs)
            for old, new in layer_pairs(record.layers[0], grown):
                inner = rebuilder.trace.records.get(id(old))
                if inner is not None and inner.copies:
                    rebuilder.groups[id(old)] = [new]
                elif inner is not None:
                    rebuilder.layers[id(old)] = new
            return outputs
        flat = keras.tree.flatten((args, kwargs))
        tensors = [x for x in flat if isinstance(x, keras.KerasTensor)]
        return grown(tensors[0] if len(tensors) == 1 else tensors)

    @staticmethod
    def _stays(record: LayerRecord, maps: dict[Segment, AxisMap], trace: Any) -> bool:
        if len(record.layers) > 1:
            return False
        features = list(trace.graph_inputs[id(record.inner[0])])
        for node in _all_nodes(record.inner[0], trace.records):
            inner = trace.records[id(node.operation)]
            if len(inner.graphs) > 1:
                return False  # A layer made again would have one of its own.
            features += [d for weight in inner.weights.values() for d in weight.dimensions]
            features += list(inner.axes.values())
        axes = [axis for x in features for axis in _axes(x)]
        return all(axis.map(maps).is_identity for axis in axes)


def _axes(x: Any) -> list[Any]:
    found = getattr(x, "axes", None) or [getattr(x, "axis", None) if not hasattr(x, "runs") else x]
    return [axis for axis in found if axis is not None]


def _all_nodes(graph: Any, records: dict[int, LayerRecord]) -> list[Any]:
    found = []
    for node in ordered_nodes(graph):
        found.append(node)
        inner = records[id(node.operation)].inner
        if isinstance(records[id(node.operation)].rule, OwnLayerRule):
            found += _all_nodes(inner[0], records)
        elif isinstance(records[id(node.operation)].rule, ModelRule):
            found += _all_nodes(functional(node.operation), records)
    return found


def _same_call(model: keras.Model, call: Call) -> bool:
    known = [tuple(x.shape) for x in model.inputs]
    return known == [x.shapes[0] for x in call.flat_inputs]


@register_by_call
def rule_by_graph(nodes: Sequence[Any], masks: dict[int, Any]) -> Rule | None:
    """The rule of a model of a class derived from Functional, or of a layer that calls others."""
    kinds = {type(node.operation) for node in nodes}
    if len(kinds) > 1:
        return None
    if all(is_made_of_graph(node.operation) for node in nodes):
        return ModelRule()
    try:
        graphs = [unfolded(node, masks) for node in nodes]
    except Hidden:
        return None
    return OwnLayerRule(graphs) if all(map(_can_stand, ordered_nodes(graphs[0]))) else None


def _can_stand(node: Any) -> bool:
    """Whether a layer in another can stand on its own: only the other may know how to make it."""
    layer = node.operation
    rule = find_rule(type(layer))
    if not isinstance(layer, keras.Layer) or (rule is not None and not rule.carries):
        return True
    try:
        again(layer)
    except Exception:
        return rule_by_graph([node], {}) is not None
    return True
