"""Dense layers."""

from typing import Any

import keras

from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.core.segments import Features
from adaptive_nets.growth.core.weight_roles import LayerRecord, Reads, Writes
from adaptive_nets.keras_internals import KERNEL


def refuse_adapters(call: Call) -> None:
    """LoRA and quantization hold weights that do not grow with the kernel."""
    for layer in call.layers:
        if getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None):
            raise ValueError(
                f"Cannot grow {call.record.path!r}: it has LoRA weights or is quantized. Expected "
                "plain weights. Grow first, and enable LoRA or quantize after."
            )


@register_rule(keras.layers.Dense)
class DenseRule(Rule):
    """Kernel [features, units]: new units read all, and nothing old reads them."""

    def trace(self, call: Call) -> Features:
        refuse_adapters(call)
        units = call.axis("units", call.config_of("units"))
        call.weight(KERNEL, Reads(call.inputs.axis(-1)), Writes(units))
        if call.layer.use_bias:
            call.weight("bias", Writes(units))
        x = call.output(call.inputs).with_axis(-1, units)
        return call.activate(x, call.layer.activation)

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        return {"units": sizes["units"].size}
