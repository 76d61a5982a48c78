"""Operations that repeat, join, cut, order and normalise along axes."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.core.segments import Axis, Features, UnruledError
from adaptive_nets.growth.rules.elementwise import SoftmaxRule
from adaptive_nets.growth.rules.operations.functions import name_of
from adaptive_nets.growth.rules.operations.shapes import over
from adaptive_nets.keras_internals import operation_classes


def refuse_whole(call: Call) -> None:
    """Without an axis an operation works on all numbers in a row."""
    if call.layer.axis is None:
        raise UnruledError(
            f"Cannot grow {call.record.path!r}: it has no axis, so all axes become one. Expected "
            "an axis.",
            "it has no axis, so all axes become one",
        )


@register_rule(*operation_classes("Softmax", "LogSoftmax", "Sparsemax"))
class SoftmaxOperationRule(SoftmaxRule):
    """Sound over positions, or over the features of an output."""

    def trace(self, call: Call) -> Features:
        refuse_whole(call)
        return super().trace(call)


@register_rule(*operation_classes("Cumsum", "Cumprod", "Sort", "Argsort", "Flip", "Roll"))
class AlongRule(Rule):
    """What stands along one axis is summed up, or stands in another order."""

    def trace(self, call: Call) -> Features:
        refuse_whole(call)
        x, name = call.inputs, name_of(call)
        for number in over(call.layer.axis, x.rank):
            call.fix(x.axis(number), f"{name} works along its features")
        linear = name in ("cumsum", "flip", "roll")
        axes = x.axes if linear else (a and a.after(name, name != "argsort") for a in x.axes)
        return dataclasses.replace(call.output(), axes=tuple(axes))


@register_rule(*operation_classes("Normalize"))
class NormalizeRule(Rule):
    """Divides by the length along an axis."""

    def trace(self, call: Call) -> Features:
        refuse_whole(call)
        x = call.inputs
        for number in over(call.layer.axis, x.rank):
            call.fix(x.axis(number), "it divides by the length over all features")
        axes = tuple(a and a.after("length", False) for a in x.axes)
        return dataclasses.replace(call.output(), axes=axes)


@register_rule(*operation_classes("Moveaxis"))
class MoveAxisRule(Rule):
    """Axes in other places."""

    def trace(self, call: Call) -> Features:
        x, operation = call.inputs, call.layer
        order = np.moveaxis(
            np.empty(range(2, 2 + x.rank)), operation.source, operation.destination
        ).shape
        return dataclasses.replace(
            call.output(), axes=tuple(x.axis(number - 2) for number in order)
        )


@register_rule(*operation_classes("Repeat"))
class RepeatRule(Rule):
    """Each feature, or each position, several times in a row."""

    def trace(self, call: Call) -> Features:
        refuse_whole(call)
        x, times = call.inputs, call.layer.repeats
        (number,) = over(call.layer.axis, x.rank)
        axis = x.axis(number)
        if np.ndim(times):
            call.fix(axis, "it repeats each feature another number of times")
            axis = None
        elif axis is not None:
            axis = axis.repeat_inner(int(times))
        return dataclasses.replace(call.output(), axes=x.axes).with_axis(number, axis)


@register_rule(*operation_classes("Tile"))
class TileRule(Rule):
    """Axes that stand several times in a row."""

    def trace(self, call: Call) -> Features:
        x, result = call.inputs, call.output()
        times = call.layer.repeats
        times = [times] if np.ndim(times) == 0 else list(times)
        times = [1] * (result.rank - len(times)) + [int(each) for each in times]
        axes = (None,) * (result.rank - x.rank) + x.axes
        found = (a and a.tile(n) for a, n in zip(axes, times, strict=True))
        return dataclasses.replace(result, axes=tuple(found))


@register_rule(*operation_classes("Stack"))
class StackRule(Rule):
    """Tensors on a new axis; their own are tied."""

    def trace(self, call: Call) -> Features:
        parts, result = all_features(call), call.output()
        axes: list[Axis | None] = []
        for number in range(parts[0].rank):
            axis = parts[0].axis(number)
            for x in parts[1:]:
                axis = call.tie(axis, x.axis(number))
            axes.append(axis)
        axes.insert(call.layer.axis % result.rank, None)
        return dataclasses.replace(result, axes=tuple(axes))


@register_rule(*operation_classes("Split", "ArraySplit"))
class SplitRule(Rule):
    """Positions in parts; features stay together."""

    def trace(self, call: Call) -> list[Features]:
        x, number = call.inputs, call.layer.axis % call.inputs.rank
        call.fix(x.axis(number), "it splits the features")
        kept = x.with_axis(number, None).axes
        return [
            dataclasses.replace(call.output(number=i), axes=kept) for i in range(len(call.shapes))
        ]


@register_rule(*operation_classes("Unstack"))
class UnstackRule(Rule):
    """Each position on its own; features stay together."""

    def trace(self, call: Call) -> list[Features]:
        x, number = call.inputs, call.layer.axis % call.inputs.rank
        call.fix(x.axis(number), "it takes the features apart")
        kept = (*x.axes[:number], *x.axes[number + 1 :])
        return [
            dataclasses.replace(call.output(number=i), axes=kept) for i in range(len(call.shapes))
        ]


@register_rule(*operation_classes("Pad"))
class PadRule(Rule):
    """More positions at both ends."""

    def trace(self, call: Call) -> Features:
        x, operation = call.flat_inputs[0], call.layer
        given = call.kwargs.get("constant_values", call.args[1] if len(call.args) > 1 else None)
        widths = list(operation.pad_width)
        widths = widths * x.rank if len(widths) == 1 else widths
        axes = list(x.axes)
        for number, width in enumerate(widths):
            if any(width):
                call.fix(axes[number], "it pads the features")
                axes[number] = None
        zero = operation.mode != "constant" or given is None or not np.any(np.asarray(given))
        if not zero:
            axes = [a and dataclasses.replace(a, zero_kept=False) for a in axes]
        return dataclasses.replace(call.output(), axes=tuple(axes))


@register_rule(*operation_classes("Take"))
class TakeRule(Rule):
    """Some positions, by number; a constant table may be read by the numbers."""

    def trace(self, call: Call) -> Features:
        refuse_whole(call)
        x, indices = call.args
        for axis in indices.axes if isinstance(indices, Features) else ():
            call.fix(axis, "it picks by the features' values")
        if not isinstance(x, Features):
            return call.output()
        number = call.layer.axis % x.rank
        call.fix(x.axis(number), "it takes some of the features")
        rank = indices.rank if isinstance(indices, Features) else np.ndim(indices)
        axes = (*x.axes[:number], *([None] * rank), *x.axes[number + 1 :])
        return dataclasses.replace(call.output(), axes=axes)


def all_features(call: Call) -> Sequence[Any]:
    """The tensors that are joined; constants among them have no axes."""
    given = call.inputs
    if not all(isinstance(x, Features) for x in given):
        raise UnruledError(
            f"Cannot grow {call.record.path!r}: it joins tensors and constants. Expected tensors.",
            "it joins tensors and constants",
        )
    return given
