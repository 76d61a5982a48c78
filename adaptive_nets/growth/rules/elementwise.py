"""Layers and operations that act on each feature alone, and merges."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from adaptive_nets.growth.core.calls import constant_shape
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import (
    IDEMPOTENT,
    ZERO_KEEPING,
    Call,
    Rule,
    activation_name,
)
from adaptive_nets.growth.core.segments import Features
from adaptive_nets.keras_internals import feature_space_concatenation


@register_rule(
    layers.Identity,
    layers.Dropout,
    layers.GaussianDropout,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
    layers.ActivityRegularization,
)
class PassRule(Rule):
    """Features pass as they are, a silent one as zero."""

    def trace(self, call: Call) -> Features:
        for number, size in enumerate(getattr(call.layer, "noise_shape", None) or ()):
            if size not in (None, 1):
                call.fix(call.inputs.axis(number), "its noise_shape has a length for the features")
        return call.output(call.inputs)

    def zero_inputs(self, layer: Any) -> str:
        return "all"


@register_rule(layers.AlphaDropout, layers.GaussianNoise)
class NoiseRule(PassRule):
    """Features pass as they are, but zeros need not stay zeros in training."""

    def zero_inputs(self, layer: Any) -> None:
        return None


@register_rule(layers.Activation)
class ActivationRule(Rule):
    """An activation function by name."""

    def trace(self, call: Call) -> Features:
        return call.activate(call.output(call.inputs), call.layer.activation)

    def zero_inputs(self, layer: Any) -> str | None:
        return "all" if activation_name(layer.activation) in ZERO_KEEPING else None

    def is_idempotent(self, layer: Any) -> bool:
        return activation_name(layer.activation) in IDEMPOTENT


@register_rule(layers.LeakyReLU, layers.ELU)
class FunctionLayerRule(Rule):
    """Activation layers with f(0) = 0."""

    def trace(self, call: Call) -> Features:
        x = call.output(call.inputs)
        name = type(call.layer).__name__.lower()
        keeps = self.zero_inputs(call.layer) is not None
        return dataclasses.replace(x, axes=tuple(a and a.after(name, keeps) for a in x.axes))

    def zero_inputs(self, layer: Any) -> str | None:
        return "all"


@register_rule(layers.ReLU)
class ReLURule(FunctionLayerRule):
    """A ReLU with a threshold, a ceiling and a slope."""

    def zero_inputs(self, layer: Any) -> str | None:
        # Below a threshold the slope begins there, so that it would move 0.
        return None if layer.threshold and layer.negative_slope else "all"

    def is_idempotent(self, layer: Any) -> bool:
        return not layer.negative_slope and not layer.threshold


@register_rule(layers.Softmax)
class SoftmaxRule(Rule):
    """Sound over positions, or over the features of an output."""

    def trace(self, call: Call) -> Features:
        x = call.output(call.inputs)
        over = call.layer.axis if isinstance(call.layer.axis, Sequence) else [call.layer.axis]
        axes = [a and a.after("softmax", False) for a in x.axes]
        for number in over:
            if axes[number] is not None:
                call.trace.coupled(call, axes[number], "softmax")
        return dataclasses.replace(x, axes=tuple(axes))


@register_rule(layers.Rescaling)
class RescalingRule(Rule):
    """Multiplies and shifts; a shift moves zeros."""

    def trace(self, call: Call) -> Features:
        x = call.output(call.inputs)
        constants = call.layer.scale, call.layer.offset
        first = keras.config.image_data_format() == "channels_first"
        for number, axis in enumerate(x.axes):
            if any(np.ndim(each) if first else _meets(each, x.rank - number) for each in constants):
                call.fix(axis, "each of its features meets a constant of its own")
        keeps = not np.any(call.layer.offset)
        axes = [a and dataclasses.replace(a, zero_kept=a.zero_kept and keeps) for a in x.axes]
        return dataclasses.replace(x, axes=tuple(axes))


@register_rule(layers.Masking)
class MaskingRule(Rule):
    """Masks by all features of a step, so that features which grow would unmask it."""

    def trace(self, call: Call) -> Features:
        call.fix(call.inputs.axis(-1), "it compares all features with the mask's value")
        return call.output(call.inputs)


def merged(call: Call, operands: Sequence[Any], function: str | None) -> Features:
    """The result of an operation on tensors that are broadcast to each other."""
    tensors = [x for x in operands if isinstance(x, Features)]
    result = call.output()
    axes: list[Any] = [None] * result.rank
    for number in range(1, result.rank + 1):
        deep = [x for x in tensors if x.rank >= number]
        meeting = [x for x in deep if x.sizes(-number) == result.sizes(-number)]
        for x in deep:
            if not any(x is other for other in meeting):
                call.fix(x.axis(-number), "it is repeated for all features of another tensor")
        grown = [x.axis(-number) for x in meeting if x.axis(-number) is not None]
        if not grown:
            continue
        axis = grown[0]
        for other in grown[1:]:
            axis = axis.tie(other)
        for x in meeting:
            if x.axis(-number) is None:
                copied = call.separate(x, x.rank - number)
                axis = call.tie(axis, copied.axis(-number)) or axis
        if any(_meets(value, number) for value in operands if not isinstance(value, Features)):
            call.fix(axis, "each of its features meets a constant of its own")
        scalars = len(tensors) < len(operands) or len(meeting) < len(tensors)
        if function == "sum" and scalars:
            # What is added is not zero where the features are.
            axis = dataclasses.replace(axis, zero_kept=False)
        elif function not in ("sum", "product"):
            axis = axis.after(function or "merge", False)
        elif function == "product" and len(tensors) > 1:
            # One zero factor is enough.
            axis = dataclasses.replace(
                axis, zero_kept=any(a.zero_kept for a in grown), nonlinear="product"
            )
        axes[-number] = axis
    return dataclasses.replace(result, axes=tuple(axes))


def _meets(constant: Any, number: int) -> bool:
    """Whether a constant has another value for each feature of an axis, counted from the end."""
    shape = constant_shape(constant)
    return len(shape) >= number and shape[-number] != 1


@register_rule(layers.Add, layers.Average, layers.Subtract)
class SumRule(Rule):
    """Features that are added grow together."""

    def trace(self, call: Call) -> Features:
        return merged(call, call.inputs, "sum")

    def zero_inputs(self, layer: Any) -> str:
        return "all"


@register_rule(layers.Multiply)
class ProductRule(Rule):
    """Features that gate each other grow together."""

    def trace(self, call: Call) -> Features:
        return merged(call, call.inputs, "product")

    def zero_inputs(self, layer: Any) -> str:
        return "any"


@register_rule(layers.Maximum, layers.Minimum)
class ExtremeRule(Rule):
    """The larger or smaller of features: zero where all are."""

    def trace(self, call: Call) -> Features:
        x = merged(call, call.inputs, "extreme")
        return dataclasses.replace(x, axes=tuple(a and a.after("extreme", False) for a in x.axes))


@register_rule(layers.Concatenate, feature_space_concatenation())
class ConcatenateRule(Rule):
    """Features stand in a row; other axes are tied."""

    def trace(self, call: Call) -> Features:
        return concatenated(call, list(call.inputs), call.layer.axis)

    def zero_inputs(self, layer: Any) -> str:
        return "all"


def concatenated(call: Call, tensors: list[Features], along: int) -> Features:
    """The result of joining tensors along one axis."""
    result = call.output()
    along %= result.rank
    axes: list[Any] = []
    for number in range(result.rank):
        if number != along:
            tied = [x.axis(number) for x in tensors]
            axis = tied[0]
            for other in tied[1:]:
                axis = call.tie(axis, other)
            axes.append(axis)
        elif all(x.axis(number) is None for x in tensors):
            axes.append(None)
        else:
            axes.append(call.joined([(x.axis(number), x.sizes(number)) for x in tensors]))
    return dataclasses.replace(result, axes=tuple(axes))
