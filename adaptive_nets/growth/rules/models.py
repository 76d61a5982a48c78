"""Models inside models."""

from typing import Any

import keras

from adaptive_nets.graphs.read import PLAIN_MODELS, functional
from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.core.segments import Segment
from adaptive_nets.growth.core.weight_roles import LayerRecord


@register_rule(*PLAIN_MODELS)
class ModelRule(Rule):
    """A Sequential or Functional model, traced and rebuilt like the one that holds it."""

    def trace(self, call: Call) -> Any:
        graphs = [functional(layer) for layer in call.layers]
        inputs = keras.tree.flatten(call.inputs)
        return call.trace.graph(graphs, inputs, call.record.path)

    def rebuild(self, record: LayerRecord, maps: dict[Segment, AxisMap], rebuilder: Any) -> Any:
        return rebuilder.model(record.layers[0])
