"""EinsumDense: what a kernel's label means follows from where else it stands."""

import dataclasses
from typing import Any

from keras import layers

from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call
from adaptive_nets.growth.core.segments import Axis, Features
from adaptive_nets.growth.core.weight_roles import (
    Dimension,
    Keeps,
    LayerRecord,
    Reads,
    Scales,
    Writes,
)
from adaptive_nets.growth.rules.kernels.adapters import adapted_weight
from adaptive_nets.growth.rules.kernels.dense import KernelRule
from adaptive_nets.keras_internals import KERNEL


def parts(equation: str) -> tuple[str, str, str]:
    """The labels of inputs, kernel and outputs; an ellipsis is a dot."""
    left, _, made = equation.replace(" ", "").replace("...", ".").partition("->")
    read, _, kernel = left.partition(",")
    return read, kernel, made


def axes_by_label(labels: str, x: Features) -> dict[str, Axis | None]:
    """The axis of each label: those before an ellipsis from the front, others from behind."""
    before, _, behind = labels.partition(".")
    if "." not in labels:
        return dict(zip(labels, x.axes, strict=True))
    front = dict(zip(before, x.axes, strict=False))
    return front | dict(zip(behind, x.axes[x.rank - len(behind) :], strict=True))


@register_rule(layers.EinsumDense)
class EinsumDenseRule(KernelRule):
    """A label of the kernel is summed (inputs only), made (outputs only) or kept (both)."""

    def trace(self, call: Call) -> Features:
        layer = call.layer
        read, kernel, made = parts(layer.equation)
        x = call.inputs
        known = axes_by_label(read, x)
        both = [label for label in kernel if label in read and label in made]
        written = [label for label in kernel if label not in read]
        if both and not written and not any(known[label] for label in both):
            # Nothing tells the sources apart in the outputs but a label that has weights.
            behind = read.partition(".")[2] if "." in read else read
            label = both[-1]
            at = behind.find(label) - len(behind) if label in behind else read.find(label)
            x = call.separate(x, at)
            known = axes_by_label(read, x)
        for label in read.replace(".", ""):
            if label not in kernel and label not in made:
                call.fix(known[label], f"it sums over {label!r} without weights")
        shapes = [each.kernel.shape for each in call.layers]
        dimensions: list[Dimension] = []
        for number, label in enumerate(kernel):
            if label in both:
                dimensions.append(Scales(known[label]) if known[label] else Keeps())
            elif label in read:
                dimensions.append(Reads(known[label]))
            else:
                known[label] = call.axis(label, [shape[number] for shape in shapes])
                dimensions.append(Writes(known[label]))
        adapted_weight(call, KERNEL, *dimensions)
        if layer.bias is not None:
            # The bias has the outputs' order, and ones where a label is not among its axes.
            order = [label for label in made if label in layer.bias_axes]
            first = made.find(order[0])
            behind = [label for label in made[first:] if label != "."]
            axes = [known.get(label) if label in order else None for label in behind]
            call.weight("bias", *(Writes(axis) if axis else Keeps() for axis in axes))
        for label, axis in known.items():
            if axis is not None and label in made:
                call.record.axes.setdefault(label, axis)
        result = call.output()
        before, _, behind = made.partition(".")
        axes: list[Axis | None] = [None] * result.rank
        for number, label in enumerate(before):
            axes[number] = known.get(label)
        for number, label in enumerate(reversed(behind), 1):
            axes[-number] = known.get(label)
        return call.activate(dataclasses.replace(result, axes=tuple(axes)), layer.activation)

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        layer = record.layers[0]
        made = parts(layer.equation)[2]
        given = layer.partial_output_shape
        given = list(given) if isinstance(given, list | tuple) else [given]
        # The output shape names the last axes: all but the batch, or those behind an ellipsis.
        labels = made.partition(".")[2] if "." in made and made[0] == "." else made.replace(".", "")
        for number, label in enumerate(reversed(labels), 1):
            if number <= len(given) and label in sizes and given[-number] is not None:
                given[-number] = sizes[label].size
        return {"output_shape": tuple(given)}
