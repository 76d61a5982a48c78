"""Layers that keras.applications defines for itself."""

from typing import Any

from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.core.segments import Features
from adaptive_nets.growth.core.weight_roles import LayerRecord, Scales
from adaptive_nets.growth.rules.elementwise import merged
from adaptive_nets.growth.rules.norms import gain_and_offset
from adaptive_nets.keras_internals import (
    custom_scale_class,
    layer_scale_class,
    stochastic_depth_class,
)


@register_rule(layer_scale_class())
class LayerScaleRule(Rule):
    """A gain on each feature."""

    def trace(self, call: Call) -> Features:
        x = call.separate(call.inputs, -1)
        if x.axis(-1) is not None:
            call.record.axes.setdefault("channels", x.axis(-1))
        call.weight("gamma", Scales(x.axis(-1)))
        return call.output(x)

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        return {"projection_dim": sizes["channels"].size} if "channels" in sizes else {}

    def zero_weights(self, layer: Any) -> list[Any] | None:
        return gain_and_offset(layer, "gamma")


@register_rule(stochastic_depth_class())
class StochasticDepthRule(Rule):
    """Drops whole examples of a branch in training."""

    def trace(self, call: Call) -> Features:
        return call.output(call.inputs)

    def zero_inputs(self, layer: Any) -> str:
        return "all"


@register_rule(custom_scale_class())
class CustomScaleRule(Rule):
    """A residual sum, one operand of which is scaled."""

    def trace(self, call: Call) -> Features:
        return merged(call, call.inputs, "sum")
