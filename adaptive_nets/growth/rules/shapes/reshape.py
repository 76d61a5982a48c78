"""Layers that move features between axes."""

import math
from typing import Any

from keras import layers

from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.core.segments import Axis, Features
from adaptive_nets.growth.core.weight_roles import LayerRecord


def merged_axis(call: Call, x: Features, numbers: list[int]) -> Axis | None:
    """The axis that several become, in the given order."""
    growing = [number for number in numbers if x.axis(number) is not None]
    if not growing:
        return None
    place = numbers.index(growing[0])
    others = [x.sizes(number) for number in numbers if number != growing[0]]
    if len(growing) > 1:
        reason = "it makes one axis of two that grow"
    elif any(None in sizes for sizes in others):
        reason = "it makes one axis of features and of positions without a fixed number"
    elif any(len(set(sizes)) > 1 for sizes in others):
        reason = "it makes one axis of features and of positions, whose number differs"
    else:
        outer = math.prod(x.sizes(number)[0] for number in numbers[:place])
        inner = math.prod(x.sizes(number)[0] for number in numbers[place + 1 :])
        return x.axis(growing[0]).repeat_inner(inner).tile(outer)
    for number in growing:
        call.fix(x.axis(number), reason)
    return None


@register_rule(layers.Flatten)
class FlattenRule(Rule):
    """All positions' features in a row; Keras puts the features last first."""

    def trace(self, call: Call) -> Features:
        x, result = call.inputs, call.output()
        order = list(range(1, x.rank))
        if call.layer.data_format == "channels_first" and x.rank > 1:
            order = [*range(2, x.rank), 1]
        return result.with_axis(1, merged_axis(call, x, order)) if order else result

    def zero_inputs(self, layer: Any) -> str:
        return "all"


@register_rule(layers.Permute)
class PermuteRule(Rule):
    """Axes in another order."""

    def trace(self, call: Call) -> Features:
        x, result = call.inputs, call.output()
        for place, number in enumerate(call.layer.dims, start=1):
            result = result.with_axis(place, x.axis(number))
        return result

    def zero_inputs(self, layer: Any) -> str:
        return "all"


@register_rule(layers.RepeatVector)
class RepeatVectorRule(Rule):
    """The same features at several positions."""

    def trace(self, call: Call) -> Features:
        return call.output().with_axis(-1 % 3, call.inputs.axis(1))


@register_rule(layers.Reshape)
class ReshapeRule(Rule):
    """Sound where growing features stay an axis, or become a whole number of ones."""

    def trace(self, call: Call) -> Features:
        x, result = call.inputs, call.output()
        for number in range(1, x.rank):
            axis = x.axis(number)
            if axis is None:
                continue
            place, made = self._follow(x, result, number)
            if made is None:
                call.fix(axis, f"it reshapes {x.shapes[0][1:]} to {result.shapes[0][1:]}")
                continue
            if result.axis(place) is not None:
                for each in (result.axis(place), axis):
                    call.fix(each, "it makes one axis of two that grow")
                continue
            result = result.with_axis(place, made)
            role = f"axis {place}"
            known = call.record.axes.setdefault(role, made)
            if known is not made:
                call.tie(known, made)
        return result

    def _follow(self, x: Features, result: Features, number: int) -> tuple[int, Axis | None]:
        """Where the features of one axis are found after reshaping."""
        found = {_place(a, b, number) for a, b in zip(x.shapes, result.shapes, strict=True)}
        if len(found) > 1 or None in found:
            return 0, None
        place, kind, outer, inner = found.pop()
        if kind == "merge":
            return place, x.axis(number).repeat_inner(inner).tile(outer)
        runs = x.axis(number).resolved()
        if any(times % inner for _, times in runs):
            return 0, None
        cut = tuple((segment, times // inner) for segment, times in runs)
        return place, Axis(cut, x.axis(number).zero_kept, x.axis(number).nonlinear)

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        shape = list(record.layers[0].target_shape)
        for role, grown in sizes.items():
            place = int(role.removeprefix("axis ")) - 1
            if shape[place] != -1:
                shape[place] = grown.size
        return {"target_shape": tuple(shape)}

    def zero_inputs(self, layer: Any) -> str:
        return "all"


def _place(
    before: tuple[int | None, ...], after: tuple[int | None, ...], number: int
) -> tuple[int, str, int, int] | None:
    """Follows one axis through a reshape, by the positions in front of it and behind it.

    Returns:
        The new axis; "merge", and how often the features stand in it and in runs of how many; or
        "split", and into runs of how many. None where neither holds.
    """
    size, a, b = before[number], before[1:number], before[number + 1 :]
    if None in after[1:] or None in before[1:]:
        # Without fixed positions: features that are last and stay so.
        last = number == len(before) - 1 and after[-1] == size and size is not None
        same = last and before[:number].count(None) == after[:-1].count(None)
        return (len(after) - 1, "merge", 1, 1) if same else None
    front, behind = math.prod(a), math.prod(b)
    for place in range(1, len(after)):
        head, tail = math.prod(after[1:place]), math.prod(after[place + 1 :])
        if after[place] == size and head == front and tail == behind:
            return place, "merge", 1, 1
    for place in range(1, len(after)):
        head, tail = math.prod(after[1:place]), math.prod(after[place + 1 :])
        if front % head == 0 and behind % tail == 0:
            outer, inner = front // head, behind // tail
            if outer * size * inner == after[place]:
                return place, "merge", outer, inner
        if head == front and tail % behind == 0 and size % (tail // behind) == 0:
            return place, "split", 1, tail // behind
    return None
