"""How the axes of fused sources stand side by side, and where their outputs are mixed."""

from collections import Counter

import keras

from adaptive_nets.graphs.inventory import graph_nodes
from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.segments import INPUT, Axis, Segment
from adaptive_nets.growth.core.trace import Trace
from adaptive_nets.keras_internals import origin


def allowed_maps(trace: Trace, output: str, mixed: bool) -> dict[Segment, AxisMap]:
    """How the sources stand side by side where no layer forbids it.

    A layer that does is kept once per source; and an output that is read as well, or stands behind
    a function, is mixed behind the graph.
    """
    while True:
        behind = _mixed_behind(trace, output) if mixed else set()
        if behind - trace.mixed_behind:
            trace.mix_behind(behind)
            continue
        maps = _maps(trace, output)
        broken = {}
        for constraint in trace.constraints:
            reason = constraint.broken(maps)
            operation = trace.constrained[id(constraint)]
            if reason is not None and operation in trace.parted:
                raise ValueError(f"Cannot fuse {trace.models[0].name!r}: {reason}.")
            if reason is not None:
                broken[operation] = reason
        if not broken:
            return maps
        trace.keep_apart(broken)


def _mixed_behind(trace: Trace, output: str) -> set[int]:
    """The outputs that cannot be mixed where they are written."""
    found = {number: [axis for axis in x.axes if axis] for number, x in enumerate(trace.outputs)}
    segments = {number: {s for a in axes for s in a.segments()} for number, axes in found.items()}
    # What one weight gives for all sources, as the logits of a tied embedding, is mixed in it.
    within = {number for number, each in segments.items() if any(map(_is_mixed, each))}
    within = _in_common(within, segments)
    behind = set(trace.mixed_behind)
    for number, axes in found.items():
        read = any(segment.readers for segment in segments[number])
        # What all sources have in common is in each term of their sum.
        common = output == "sum" and any(x.shared and x.fixed == INPUT for x in segments[number])
        if read or common or any(bent_by(axis, output) is not None for axis in axes):
            behind.add(number)
    return _in_common(behind - within, segments)


def _is_mixed(segment: Segment) -> bool:
    return segment.shared and segment.fixed != INPUT


def _in_common(numbers: set[int], segments: dict[int, set[Segment]]) -> set[int]:
    """These outputs, and those that have features in common with them."""
    while True:
        held = {segment for number in numbers for segment in segments[number]}
        found = {number for number, each in segments.items() if each & held} | numbers
        if found == numbers:
            return found
        numbers = found


def _maps(trace: Trace, output: str) -> dict[Segment, AxisMap]:
    count, maps = len(trace.models), {}
    for segment in trace.segments():
        if segment.shared or (segment.output and output != "concatenate"):
            if len(set(segment.sizes)) > 1:
                raise ValueError(
                    f"Cannot fuse models of different outputs: {segment.owners[0]!r} has "
                    f"{segment.sizes} units. Expected the same number in every source."
                )
            maps[segment] = AxisMap.shared(segment.sizes[0], count)
        else:
            maps[segment] = AxisMap.side_by_side(segment.sizes)
    return maps


def bent_by(axis: Axis, output: str) -> str | None:
    """What is done to an output behind the layer that writes it, which no mixture passes."""
    if axis.nonlinear is None and output == "sum" and not axis.zero_kept:
        return "a constant that is added"
    return axis.nonlinear


def bent_ends(trace: Trace, output: str) -> dict[int, str]:
    """The last layers, by their ids, whose outputs could only be mixed before a function."""
    graph, found = trace.graphs[0], {}
    calls = Counter(id(node.operation) for node in graph_nodes(trace.models[0]))
    for tensor, features in zip(graph.outputs, trace.outputs, strict=True):
        axis, last = features.axis(-1), origin(tensor)[0]
        single = calls[id(last)] == 1 and not isinstance(last, keras.Model)
        bent = None if axis is None else bent_by(axis, output)
        if bent is not None and single:
            read = [s for s in axis.segments() if s.readers]
            if not read and not trace.records[id(last)].rule.carries:
                found[id(last)] = f"{bent} comes before the outputs are mixed"
    return found
