"""Dense layers."""

from typing import Any

import keras
import numpy as np

from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import ZERO_KEEPING, Call, Rule, activation_name
from adaptive_nets.growth.core.segments import Features
from adaptive_nets.growth.core.weight_roles import (
    LayerRecord,
    Reads,
    Writes,
    variable_of,
    without_adapters,
)
from adaptive_nets.growth.rules.kernels.adapters import adapted_weight
from adaptive_nets.keras_internals import KERNEL


def held_variable(layer: Any, name: str) -> keras.Variable | None:
    """A weight by its public name: the variable itself, where the layer computes what it gives.

    Under LoRA `layer.kernel` is a sum, made at each reading, and no variable.
    """
    found = variable_of(layer, name)
    is_held = found is None or isinstance(found, keras.Variable)
    return found if is_held else variable_of(layer, f"_{name}")


def kernel_and_bias(layer: Any, kernel: str = "kernel") -> list[Any] | None:
    """What makes the output of a layer with a kernel zero, if its activation keeps zeros."""
    if activation_name(layer.activation) not in ZERO_KEEPING:
        return None
    found = (held_variable(layer, each) for each in (kernel, "bias"))
    return [variable for variable in found if variable is not None]


def identity_kernel(layer: Any) -> dict[int, np.ndarray]:
    """The kernel that passes every feature on, and no bias."""
    kernel = held_variable(layer, "kernel")
    value = np.zeros(kernel.shape)
    inputs, outputs = kernel.shape[-2:]
    size = getattr(layer, "kernel_size", ())
    middle = tuple((length - 1) // 2 for length in size)
    # With groups an output sees only its own group's inputs, which are counted from zero.
    value[(..., *middle, np.arange(outputs) % inputs, np.arange(outputs))] = 1.0
    found = {id(kernel): value}
    bias = held_variable(layer, "bias")
    if bias is not None:
        found[id(bias)] = np.zeros(bias.shape)
    return found


class KernelRule(Rule):
    """A layer that is zero where its kernel and bias are."""

    def zero_weights(self, layer: Any) -> list[Any] | None:
        return kernel_and_bias(layer)


@register_rule(keras.layers.Dense)
class DenseRule(KernelRule):
    """Kernel [features, units]: new units read all, and nothing old reads them."""

    def trace(self, call: Call) -> Features:
        units = call.axis("units", call.config_of("units"))
        adapted_weight(call, KERNEL, Reads(call.inputs.axis(-1)), Writes(units))
        if call.layer.use_bias:
            call.weight("bias", Writes(units))
        x = call.output(call.inputs).with_axis(-1, units)
        return call.activate(x, call.layer.activation)

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        return {"units": sizes["units"].size}

    def identity(self, layer: Any) -> dict[str, Any]:
        return {"use_bias": True, **without_adapters(layer)}

    def identity_values(self, layer: Any) -> dict[int, np.ndarray]:
        return identity_kernel(layer)
