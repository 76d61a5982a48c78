"""Operations that pick, reduce, join and reorder whole axes."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.core.segments import Axis, Features, Segment, UnruledError
from adaptive_nets.growth.core.weight_roles import LayerRecord
from adaptive_nets.growth.rules.elementwise import concatenated
from adaptive_nets.keras_internals import operation_classes


@register_rule(*operation_classes("GetItem"))
class GetItemRule(Rule):
    """`x[:, -1, :]`: features that grow pass whole; positions may be picked."""

    def trace(self, call: Call) -> Features:
        x = call.inputs
        key = call.args[1] if len(call.args) > 1 else call.kwargs["key"]
        # A file has made a list of a tuple.
        key = list(key) if isinstance(key, tuple | list) else [key]
        found = [part for part in key if isinstance(part, Features) or np.ndim(part)]
        if len(found) > 1 or any(_is_mask(part) for part in key):
            raise UnruledError(
                f"Cannot grow {call.record.path!r}: it is indexed by several arrays or by a mask. "
                "Expected slices, numbers and at most one array.",
                "it is indexed by several arrays or by a mask",
            )
        taken = sum(part is not None and part is not Ellipsis for part in key)
        if not any(part is Ellipsis for part in key):
            key.append(Ellipsis)
        axes: list[Axis | None] = []
        number = 0
        for part in key:
            if part is Ellipsis:
                axes += x.axes[number : number + x.rank - taken]
                number += x.rank - taken
            elif part is None:
                axes.append(None)
            else:
                self._pick(call, x.axis(number), part, axes)
                number += 1
        return dataclasses.replace(call.output(), axes=tuple(axes))

    @staticmethod
    def _pick(call: Call, axis: Axis | None, part: Any, axes: list[Axis | None]) -> None:
        if isinstance(part, slice):
            whole = part.start in (None, 0) and part.stop is None and part.step in (None, 1)
            if not whole:
                call.fix(axis, "it takes some of the features")
            axes.append(axis if whole else None)
            return
        call.fix(axis, "it takes some of the features")
        axes += [None] * (part.rank if isinstance(part, Features) else np.ndim(part))


def _is_mask(part: Any) -> bool:
    dtype = getattr(part, "dtype", None) or np.asarray(part).dtype
    return "bool" in str(dtype)


def over(axis: Any, rank: int) -> list[int]:
    """The axes of a reduction, counted from the front."""
    if axis is None:
        return list(range(rank))
    return [number % rank for number in (axis if isinstance(axis, Sequence) else [axis])]


LINEAR = ("mean", "sum", "average")
# What is zero where all that is reduced is. No position gives 1 for a product.
OF_ZEROS = ("max", "min", "amax", "amin", "any", "all", "var", "std", "ptp", "median", "norm")


@register_rule(
    *operation_classes(
        *("Mean", "Sum", "Max", "Min", "Amax", "Amin", "Any", "All", "Prod", "Var", "Std", "Ptp"),
        *("Argmax", "Argmin", "CountNonzero", "Median", "Logsumexp", "Nanmean", "Nansum"),
        *("Nanmax", "Nanmin", "Nanstd", "Nanvar", "Nanprod", "Norm"),
    )
)
class ReductionRule(Rule):
    """A mean, sum or maximum over positions."""

    def trace(self, call: Call) -> Features:
        x, operation = call.flat_inputs[0], call.layer
        reduced = over(operation.axis, x.rank)
        name = type(operation).__name__.lower()
        for number in reduced:
            # The logarithm of a sum of exponentials counts zeros.
            if not x.zero or name == "logsumexp":
                call.fix(x.axis(number), "it reduces over features")
        keeps = name in OF_ZEROS and getattr(operation, "initial", None) in (None, 0)
        axes: list[Axis | None] = []
        for number, axis in enumerate(x.axes):
            if number not in reduced:
                axes.append(axis if name in LINEAR or axis is None else axis.after(name, keeps))
            elif getattr(operation, "keepdims", False):
                axes.append(None)
        return dataclasses.replace(call.output(), axes=tuple(axes))


@register_rule(*operation_classes("Transpose"))
class TransposeRule(Rule):
    """Axes in another order."""

    def trace(self, call: Call) -> Features:
        x = call.inputs
        order = call.layer.axes or range(x.rank)[::-1]
        return dataclasses.replace(call.output(), axes=tuple(x.axis(number) for number in order))


@register_rule(*operation_classes("Swapaxes"))
class SwapAxesRule(Rule):
    """Two axes change places."""

    def trace(self, call: Call) -> Features:
        axes = list(call.inputs.axes)
        one, other = call.layer.axis1, call.layer.axis2
        axes[one], axes[other] = axes[other], axes[one]
        return dataclasses.replace(call.output(), axes=tuple(axes))


@register_rule(*operation_classes("ExpandDims"))
class ExpandDimsRule(Rule):
    """A new axis of one."""

    def trace(self, call: Call) -> Features:
        axes = list(call.inputs.axes)
        result = call.output()
        for number in sorted(over(call.layer.axis, result.rank)):
            axes.insert(number, None)
        return dataclasses.replace(result, axes=tuple(axes))


@register_rule(*operation_classes("Squeeze"))
class SqueezeRule(Rule):
    """An axis of one is dropped."""

    def trace(self, call: Call) -> Features:
        x = call.inputs
        if call.layer.axis is None:
            dropped = [i for i, size in enumerate(x.shapes[0]) if size == 1]
        else:
            dropped = over(call.layer.axis, x.rank)
        for number in dropped:
            call.fix(x.axis(number), "it drops an axis of one feature")
        axes = [axis for number, axis in enumerate(x.axes) if number not in dropped]
        return dataclasses.replace(call.output(), axes=tuple(axes))


@register_rule(*operation_classes("Concatenate"))
class ConcatenateOperationRule(Rule):
    """Features stand in a row."""

    def trace(self, call: Call) -> Features:
        return concatenated(call, call.flat_inputs, call.layer.axis)


@register_rule(*operation_classes("Reshape"))
class ReshapeOperationRule(Rule):
    """Axes that keep their size grow on; what is cut or joined cannot."""

    def trace(self, call: Call) -> Features:
        x, result = call.flat_inputs[0], call.output()
        found = _kept(x, result)
        for number, axis in enumerate(x.axes):
            if number not in found.values():
                call.fix(axis, "it cuts or joins the features")
        axes = [x.axis(found[i]) if i in found else None for i in range(result.rank)]
        call.record.inner = tuple(axes)
        return dataclasses.replace(result, axes=tuple(axes))

    def rebuild(self, record: LayerRecord, maps: dict[Segment, AxisMap], rebuilder: Any) -> Any:
        operation = record.layers[0]
        shape = [
            size if axis is None or size == -1 else axis.map(maps).size
            for size, axis in zip(operation.newshape, record.inner, strict=True)
        ]
        return type(operation)(tuple(shape))


def _kept(x: Features, result: Features) -> dict[int, int]:
    """Which axes of a reshaped tensor are whole axes of the one before: output -> input.

    The last ones of equal size are; the first ones only if the batch is as long as it was, so that
    what stands behind it has as many places.
    """
    found: dict[int, int] = {}
    back = 1
    while back <= min(x.rank, result.rank) and x.sizes(-back) == result.sizes(-back):
        found[result.rank - back] = x.rank - back
        back += 1
    places = [[shape[1:] for shape in each.shapes] for each in (x, result)]
    known = not any(None in shape for shapes in places for shape in shapes)
    if known and list(map(math.prod, places[0])) == list(map(math.prod, places[1])):
        number = 0
        while number <= min(x.rank, result.rank) - back and x.sizes(number) == result.sizes(number):
            found[number] = number
            number += 1
    return found
