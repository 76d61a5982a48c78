"""Functions of each feature alone, of one tensor or of several: what they make of zeros."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import IDEMPOTENT, Call, Rule
from adaptive_nets.growth.core.segments import Axis, Features, UnruledError
from adaptive_nets.growth.rules.elementwise import merged
from adaptive_nets.keras_internals import operation_classes

# f(0) = 0.
KEEPS_ZERO = (
    *("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "Silu", "Tanh", "Softsign"),
    *("HardSilu", "HardTanh", "TanhShrink", "SoftShrink", "HardShrink", "Abs", "Absolute", "Fabs"),
    *("Square", "Sqrt", "Negative", "Sin", "Sinh", "Tan", "Arcsin", "Arctan", "Arcsinh", "Arctanh"),
    *("Cbrt", "Ceil", "Floor", "Round", "Trunc", "Sign", "Expm1", "Log1p", "Deg2rad", "Rad2deg"),
    *("NanToNum", "Conj", "Conjugate", "Real", "Imag", "Copy", "Erf", "Erfinv", "Isnan", "Isinf"),
    *("Signbit", "Identity"),
)
MOVES_ZERO = (
    *("Sigmoid", "Softplus", "HardSigmoid", "LogSigmoid", "SparseSigmoid", "SparsePlus"),
    *("Squareplus", "Exp", "Exp2", "Cos", "Cosh", "Arccos", "Arccosh", "Log", "Log2", "Log10"),
    *("Rsqrt", "Reciprocal", "Erfc", "Isfinite", "LogicalNot", "OnesLike", "ZerosLike", "Sinc"),
)
# Not defined, or not finite, everywhere: what is drawn again may lie outside, and 0 * NaN is NaN.
PARTIAL = frozenset(
    [
        *("sqrt", "arcsin", "arctanh", "log1p", "erfinv", "arccos", "arccosh", "log", "log2"),
        *("log10", "rsqrt", "reciprocal", "tan"),
    ]
)


def only_copied(axes: Sequence[Axis | None], name: str) -> None:
    """New features must be copies of old ones, for which a function is defined."""
    for axis in axes:
        for segment in axis.segments() if axis is not None else ():
            reason = f"{name} is not defined for all values that a new feature may have"
            segment.only_copied = segment.only_copied or reason


def name_of(call: Call) -> str:
    """The function's name, for notes."""
    return type(call.layer).__name__.lower()


@register_rule(*operation_classes(*KEEPS_ZERO, *MOVES_ZERO))
class FunctionRule(Rule):
    """A function of each feature."""

    def trace(self, call: Call) -> Features:
        name, x = name_of(call), call.output(call.flat_inputs[0])
        if name in PARTIAL:
            only_copied(x.axes, name)
        if name == "zeroslike":
            return dataclasses.replace(x, zero=True)
        keeps = type(call.layer).__name__ in KEEPS_ZERO
        return dataclasses.replace(x, axes=tuple(a and a.after(name, keeps) for a in x.axes))

    def is_idempotent(self, layer: Any) -> bool:
        return type(layer).__name__.lower() in IDEMPOTENT


@register_rule(*operation_classes("Clip", "Threshold"))
class BoundedRule(Rule):
    """Functions whose settings say what becomes of zeros."""

    def trace(self, call: Call) -> Features:
        x, operation, name = call.output(call.flat_inputs[0]), call.layer, name_of(call)
        pair = ("x_min", "x_max") if name == "clip" else ("threshold", "default_value")
        low, high = (getattr(operation, each) for each in pair)
        if np.ndim(low) or np.ndim(high) or None in (low, high):
            raise UnruledError(
                f"Cannot grow {call.record.path!r}: its bounds are not numbers. Expected one "
                "number for all features.",
                "its bounds are not numbers",
            )
        keeps = low <= 0 <= high if name == "clip" else low < 0 or high == 0
        return dataclasses.replace(x, axes=tuple(a and a.after(name, keeps) for a in x.axes))


@register_rule(*operation_classes("Cast", "SaturateCast", "StopGradient"))
class CastRule(Rule):
    """Another dtype, or no gradient."""

    def trace(self, call: Call) -> Features:
        given = call.flat_inputs[0]
        x = call.output(given)
        if "float" in x.dtype and "float" in given.dtype:
            return x
        return dataclasses.replace(x, axes=tuple(a and a.after("cast", True) for a in x.axes))


@register_rule(*operation_classes("Add", "Subtract"))
class SumOperationRule(Rule):
    """`x + y` between tensors."""

    def trace(self, call: Call) -> Features:
        return merged(call, call.args, "sum")


@register_rule(*operation_classes("Multiply"))
class ProductOperationRule(Rule):
    """`x * y` between tensors."""

    def trace(self, call: Call) -> Features:
        return merged(call, call.args, "product")


@register_rule(
    *operation_classes(
        *("TrueDivide", "Divide", "DivideNoNan", "FloorDivide", "Mod", "Fmod", "Power"),
    )
)
class QuotientOperationRule(Rule):
    """Functions of two tensors that are not finite for all values of the second."""

    def trace(self, call: Call) -> Features:
        name, (first, second) = name_of(call), call.args
        partial = [second] if name != "power" else [first, second]
        for each in partial:
            if isinstance(each, Features) and not (name == "power" and _is_whole(second)):
                only_copied(each.axes, name)
        return merged(call, call.args, "quotient" if "divide" in name else name)


def _is_whole(exponent: Any) -> bool:
    """Whether a power is defined for all numbers: a whole one that is not negative."""
    if isinstance(exponent, Features) or np.ndim(exponent):
        return False
    return float(exponent) >= 0 and float(exponent).is_integer()


@register_rule(
    *operation_classes(
        *("Maximum", "Minimum", "Fmax", "Fmin", "Arctan2", "Hypot", "Logaddexp", "Logaddexp2"),
        *("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual", "Isclose"),
        *("LogicalAnd", "LogicalOr", "LogicalXor", "Heaviside", "Where"),
        *("BitwiseAnd", "BitwiseOr", "BitwiseXor"),
    )
)
class MergeOperationRule(Rule):
    """Functions of several tensors, feature by feature; and what masks are made of."""

    def trace(self, call: Call) -> Features:
        if any(each is None for each in call.args):
            raise UnruledError(
                f"Cannot grow {call.record.path!r}: it gives places, not features. Expected all "
                "of its arguments.",
                "it gives places, not features",
            )
        return merged(call, call.args, name_of(call))
