"""Products of tensors: what is summed stays; what stands free in one of them may grow."""

import dataclasses
import string
from typing import Any

import numpy as np

from adaptive_nets.growth.core.calls import constant_shape
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.core.segments import Axis, Features, UnruledError
from adaptive_nets.keras_internals import operation_classes


def product(call: Call, labels: list[str], made: str) -> Features:
    """The result of a product whose axes are labelled as in `einsum`.

    Args:
        call: The call.
        labels: One label an axis, of each operand. Operands that are constants have labels too.
        made: The labels of the result.
    """
    operands = list(zip(labels, call.args, strict=True))
    axes: dict[str, Axis | None] = {}
    for label in dict.fromkeys("".join(labels)):
        places = [(x, names.index(label)) for names, x in operands if label in names]
        lengths = {_length(x, number) for x, number in places}
        met = [x.axis(number) for x, number in places if isinstance(x, Features)]
        grown = [axis for axis in met if axis is not None]
        if label not in made:
            for axis in grown:
                call.fix(axis, "it sums over features without weights")
        elif grown and (len(met) < len(places) or len(lengths) > 1):
            for axis in grown:
                call.fix(axis, "each of its features meets another number")
        elif grown:
            axis = grown[0]
            for other in grown[1:]:
                axis = axis.tie(other)
            for x, number in places:
                if x.axis(number) is None:
                    axis = call.tie(axis, call.separate(x, number).axis(number)) or axis
            zero = any(each.zero_kept for each in grown)
            if len(operands) > 1:
                axis = dataclasses.replace(axis, zero_kept=zero, nonlinear="product")
            axes[label] = axis
    if call.sources > 1 and len(axes) > 1:
        raise UnruledError(
            f"Cannot fuse at {call.record.path!r}: it multiplies features by features. Expected "
            "each source's features to be used on their own.",
            "it multiplies features by features",
        )
    return dataclasses.replace(call.output(), axes=tuple(axes.get(label) for label in made))


def _length(x: Any, number: int) -> Any:
    return x.sizes(number) if isinstance(x, Features) else constant_shape(x)[number]


def _rank(x: Any) -> int:
    return x.rank if isinstance(x, Features) else len(constant_shape(x))


def _unclear(call: Call, reason: str) -> UnruledError:
    return UnruledError(
        f"Cannot grow {call.record.path!r}: {reason}. Expected labels for all axes, each once.",
        reason,
    )


@register_rule(*operation_classes("Einsum"))
class EinsumRule(Rule):
    """A product by labels."""

    def trace(self, call: Call) -> Features:
        left, arrow, made = call.layer.subscripts.replace(" ", "").partition("->")
        labels = left.split(",")
        if not arrow or "." in left or any(len(set(each)) < len(each) for each in labels):
            raise _unclear(call, "its labels do not name each axis once")
        return product(call, labels, made)


@register_rule(*operation_classes("Matmul"))
class MatmulRule(Rule):
    """Rows times columns; axes in front of these belong together."""

    def trace(self, call: Call) -> Features:
        ranks = [_rank(x) for x in call.args]
        if min(ranks) < 2:
            raise _unclear(call, "it multiplies by a vector")
        rank = max(ranks)
        front = string.ascii_lowercase[: rank - 2]
        labels = [
            front[rank - each :] + ends for each, ends in zip(ranks, ("XY", "YZ"), strict=True)
        ]
        # An axis of one that is repeated for others has no label in common with them.
        for label in front:
            lengths = [
                _length(x, names.index(label))
                for names, x in zip(labels, call.args, strict=True)
                if label in names
            ]
            if len(set(map(str, lengths))) > 1:
                raise _unclear(call, "an axis of one is repeated")
        return product(call, labels, front + "XZ")


@register_rule(*operation_classes("Tensordot", "Dot"))
class TensordotRule(Rule):
    """A product over chosen axes of both."""

    def trace(self, call: Call) -> Features:
        first, second = map(_rank, call.args)
        axes = getattr(call.layer, "axes", 1)
        if type(call.layer).__name__ == "Dot" and second != 2:
            raise _unclear(call, "its axes depend on the ranks")
        if np.ndim(axes) == 0:
            axes = (range(first - int(axes), first), range(int(axes)))
        summed = [[axes_of] if np.ndim(axes_of) == 0 else list(axes_of) for axes_of in axes]
        one = list(string.ascii_lowercase[:first])
        other = list(string.ascii_uppercase[:second])
        for a, b in zip(*summed, strict=True):
            other[b] = one[a]
        made = [x for x in one if x not in other] + [x for x in other if x not in one]
        return product(call, ["".join(one), "".join(other)], "".join(made))
