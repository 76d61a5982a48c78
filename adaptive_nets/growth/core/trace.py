"""Follows the axes through a model's graph, in all sources at once; nothing is changed."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets.graphs.inventory import layers_in_several, lost_class
from adaptive_nets.graphs.masks.run_time import masks_behind
from adaptive_nets.graphs.read import functional, ordered_nodes
from adaptive_nets.growth.core.calls import (
    UnruledError,
    check_ends,
    check_masks,
    check_masks_pass,
    check_same_calls,
    check_shared_alike,
    check_sizes,
    in_order,
    parted,
    tie_calls,
)
from adaptive_nets.growth.core.registry import (
    check_grown_whole,
    default_rule,
    find_rule,
    makes_whole,
    rule_of_call,
)
from adaptive_nets.growth.core.rule import Call
from adaptive_nets.growth.core.segments import Axis, Features, Segment
from adaptive_nets.growth.core.weight_roles import LayerRecord, carried_with


def input_features(tensors: Sequence[keras.KerasTensor]) -> Features:
    """An input as growth sees it: no axis grows."""
    shapes = tuple(tuple(tensor.shape) for tensor in tensors)
    return Features(shapes, (None,) * len(shapes[0]), tensors[0].dtype)


class _AgainError(Exception):
    """A layer that is carried after all: all is followed once more."""


@dataclasses.dataclass(frozen=True)
class Apart:
    """One call that each source makes on its own.

    Args:
        nodes: The call in the graph of each source.
        inputs: The tensors that it reads, in the order of the first source's call.
        outputs: Its results, each with one axis on which those of the sources stand side by side.
    """

    nodes: tuple[Any, ...]
    inputs: tuple[Features, ...]
    outputs: tuple[Features, ...]


class Trace:
    """All layers of the sources, and which of their axes belong together.

    Args:
        models: The sources: one for growth, several for fusion.
        norm: What happens where features are normalised together: "joint" or "grouped".
        identical: Whether the sources are the same model, so that joint norms are exact.
    """

    def __init__(
        self, models: Sequence[keras.Model], norm: str = "joint", identical: bool = False
    ) -> None:
        self.models = tuple(models)
        self.norm = norm
        self.identical = identical
        self.carried: dict[int, str] = {}
        self.parted: set[int] = set()
        self.mixed_behind: set[int] = set()
        # Outputs whose features are put in another order: the axis, and the order.
        self.reordered: dict[int, tuple[int, np.ndarray]] = {}
        self._rules: dict[int, Any] = {}
        self.graphs = [functional(model) for model in self.models]
        self.in_several = layers_in_several(self.models[0])
        for model in {id(model): model for model in self.models}.values():
            check_grown_whole(model, len(self.models))
        check_ends(self.graphs)
        self._follow_again()

    def graph(self, graphs: Sequence[Any], inputs: list[Features], path: str) -> list[Features]:
        """Traces one graph, of the model itself or of a model inside it."""
        first = graphs[0]
        before = self.graph_inputs.setdefault(id(first), inputs)
        for one, other in zip(before, inputs, strict=True):
            tie_calls(one, other, path, len(self.models))
        nodes = [ordered_nodes(graph) for graph in graphs]
        if len({len(each) for each in nodes}) > 1:
            raise ValueError(
                f"Cannot fuse models of different depth: {path or 'the sources'} have "
                f"{[len(each) for each in nodes]} layer calls. Expected the same topology. "
                "Behind layers that are linear or end in a relu, deepen the shallower one first: "
                "adaptive_nets.growth.deepen(model, after=[their names], method='identity')."
            )
        known = {id(t): x for t, x in zip(first.inputs, inputs, strict=True)}
        partner = [
            {id(t): id(t0) for t, t0 in zip(graph.inputs, first.inputs, strict=True)}
            for graph in graphs
        ]
        for calls in zip(*nodes, strict=True):
            _check_alike(calls, partner)
            node = calls[0]
            operations = tuple(call.operation for call in calls)
            record = self.record(calls, path)
            record.graphs.add(id(first))
            masks = masks_behind(node, self.masks, self.masks, *record.rule.graphs[:1])
            self.masks |= {id(t): m for t, m in zip(node.outputs, masks, strict=False)}
            check_shared_alike(record, operations)
            args, kwargs = in_order(operations[0], *node.arguments.fill_in(known))
            call = Call(
                record=record,
                args=args,
                kwargs=kwargs,
                shapes=[
                    tuple(tuple(t.shape) for t in tensors)
                    for tensors in zip(*(call.outputs for call in calls), strict=True)
                ],
                dtypes=[tensor.dtype for tensor in node.outputs],
                trace=self,
                nodes=calls,
            )
            outputs = self._traced(call)
            check_sizes(record.path, outputs)
            if record.copies > 1:
                check_masks_pass(node, record.path, self.graphs[0].outputs, self.masks)
                # Not in the order of the call's own arguments, of which one may have been named.
                inputs = tuple(known[id(tensor)] for tensor in node.input_tensors)
                self.apart[id(node)] = Apart(calls, inputs, tuple(outputs))
            elif call.separated:
                self.separated[id(node)] = call.separated
            for tensor, features in zip(node.outputs, outputs, strict=True):
                known[id(tensor)] = features
            for each, back in zip(calls, partner, strict=True):
                for tensor, tensor0 in zip(each.outputs, node.outputs, strict=True):
                    back[id(tensor)] = id(tensor0)
        rule = find_rule(type(first))
        if rule is not None:
            rule.bind(self, graphs)
        outputs = [known[id(tensor)] for tensor in first.outputs]
        if path and any(x.parted for x in outputs):
            raise parted(path, "gives")
        return outputs

    def record(self, calls: Sequence[Any], path: str) -> LayerRecord:
        """The record of a called layer, made at its first call."""
        layers = tuple(call.operation for call in calls)
        return self.record_of(layers, path, lambda: self._rule_of(calls))

    def record_of(
        self, layers: Sequence[Any], path: str, find: Callable[[], Any] | None = None
    ) -> LayerRecord:
        """The record of a layer in each source; without `find`, its rule is that of its class."""
        key = id(layers[0])
        if key not in self.records:
            name = f"{path}/{layers[0].name}" if path else layers[0].name
            rule = default_rule()
            if key not in self.carried:
                rule = find_rule(type(layers[0])) or rule if find is None else find()
            self.records[key] = LayerRecord(tuple(layers), rule, name)
        return self.records[key]

    def _rule_of(self, calls: Sequence[Any]) -> Any:
        # Found once, for what a layer calls is not seen for nothing.
        if id(calls[0]) not in self._rules:
            self._rules[id(calls[0])] = rule_of_call(calls, self.masks)
        return self._rules[id(calls[0])]

    def keep_apart(self, reasons: dict[int, str]) -> None:
        """Follows all again, with some layers carried once per source.

        Args:
            reasons: Why, by the id of the layer in the first source.
        """
        self.carried |= reasons
        self.parted |= set(reasons)
        self._follow_again()

    def mix_behind(self, numbers: set[int]) -> None:
        """Follows all again, with some outputs mixed behind the graph: in it all stays apart.

        Args:
            numbers: Which outputs, in flat order.
        """
        self.mixed_behind |= numbers
        self._follow_again()

    def _follow_again(self) -> None:
        while True:
            while not self._followed():
                pass
            held = carried_with(self.records)
            if not held:
                return
            self.carried = {**held, **self.carried}
            if len(self.models) > 1:
                self.parted |= set(held)

    def part(self, call: Call) -> None:
        """From its first call on, each source has its own copy of this layer."""
        self.parted.add(id(call.layer))
        if call.record.copies == 1:
            raise _AgainError
        call.record.copies = call.sources

    def makes_whole(self, model: keras.Model) -> bool:
        """Whether the grown model is of the same class as this source, made by its constructor.

        It is not where layers are kept once per source, which the constructor cannot say.
        """
        behind = self.mixed_behind and model is self.models[0]
        if behind or not makes_whole(model, len(self.models)):
            return False
        held = (self.records.get(id(layer)) for layer in model.layers)
        return not any(record is not None and record.copies > 1 for record in held)

    def segments(self) -> list[Segment]:
        """Every distinct segment of the model."""
        axes: list[Axis | None] = []
        for record in self.records.values():
            axes += record.axes.values()
            axes += [d.axis for w in record.weights.values() for d in w.dimensions]
        for features in (*self.outputs, *(f for fs in self.graph_inputs.values() for f in fs)):
            axes += features.axes
        for call in self.apart.values():
            axes += [axis for x in (*call.inputs, *call.outputs) for axis in x.axes]
        found = (segment for axis in axes if axis is not None for segment in axis.segments())
        return list(dict.fromkeys(found))

    def coupled(self, call: Call, axis: Axis, function: str) -> None:
        """A function mixes all features of an axis: sound at an output only."""
        self.mixing.append((call.record.path, function, axis, self.current))

    def _followed(self) -> bool:
        """Follows all axes; False if a layer is to be carried, so that all is followed again."""
        self.records: dict[int, LayerRecord] = {}
        self.separated: dict[int, dict[int, int]] = {}
        self.apart: dict[int, Apart] = {}
        self.graph_inputs: dict[int, list[Features]] = {}
        self.constraints: list[Any] = []
        self.constrained: dict[int, int] = {}
        self.masks: dict[int, Any] = {}
        self.mixing: list[tuple[str, str, Axis, int]] = []
        self.current = 0
        inputs = [
            input_features([graph.inputs[i] for graph in self.graphs])
            for i in range(len(self.graphs[0].inputs))
        ]
        try:
            self.outputs = self.graph(self.graphs, inputs, "")
            self._settle_outputs()
        except _AgainError:
            return False
        return True

    def _traced(self, call: Call) -> list[Features]:
        """The axes of a call's outputs by its layer's rule; what has none is carried."""
        record, operation = call.record, call.nodes[0].operation
        self.current = id(operation)
        try:
            if not record.rule.carries:
                if any(x.parted for x in call.flat_inputs):
                    raise parted(record.path, "reads")
                check_same_calls(call.nodes, record.path)
                check_masks(call)
            known = len(self.constraints)
            outputs = keras.tree.flatten(record.rule.trace(call))
            for constraint in self.constraints[known:]:
                # A layer inside this one comes first.
                self.constrained.setdefault(id(constraint), id(operation))
            if call.sources > 1 and not all(_is_joint(call, x) for x in outputs):
                raise UnruledError(
                    # What one source would make of another's features would be among the results.
                    f"Cannot fuse at {record.path!r}: the sources would stand side by side on "
                    "several axes of its output. Expected one.",
                    "the sources would stand side by side on several axes",
                )
        except UnruledError as error:
            if record.rule.carries:
                raise
            self.carried[id(operation)] = error.reason
            raise _AgainError from error
        return outputs

    def _settle_outputs(self) -> None:
        known = len(self.carried)
        for number, features in enumerate(self.outputs):
            for axis in () if number in self.mixed_behind else features.axes:
                for segment in axis.segments() if axis is not None else ():
                    segment.output = True
                    if segment.separated is not None:
                        # What is copied for each source is not mixed in front of an output.
                        self.carried[segment.separated] = "it gives an output"
        for path, function, axis, operation in self.mixing:
            hidden = [segment for segment in axis.segments() if not segment.output]
            if hidden and len(self.models) > 1:
                self.carried[operation] = f"{function} mixes the features of all sources"
            for segment in hidden:
                segment.fixed = segment.fixed or f"{path!r}: {function} mixes all features"
        if len(self.carried) > known:
            raise _AgainError


def _check_alike(calls: Sequence[Any], partner: list[dict[int, int]]) -> None:
    first = calls[0]
    for call, back in zip(calls[1:], partner[1:], strict=True):
        same = type(call.operation) is type(first.operation) and [
            back.get(id(t)) for t in call.input_tensors
        ] == [id(t) for t in first.input_tensors]
        if not same:
            raise ValueError(
                f"Cannot fuse models of different topology: {first.operation.name!r} "
                f"({type(first.operation).__name__}) meets {call.operation.name!r} "
                f"({type(call.operation).__name__}). Expected the same layers, joined in the "
                "same way; only widths may differ."
            )


def _is_joint(call: Call, x: Features) -> bool:
    """Whether sources stand side by side on one axis, or on several that one weight makes zero.

    Where the axes of an output belong to different sources, it is zero if one weight writes all of
    these axes; it is not if a layer sees some of them only.
    """
    grown = _segments(x.axes)
    if sum(axis is not None for axis in x.axes) < 2:
        return True
    made = [[d.axis for d in weight.dimensions] for weight in call.record.weights.values()]
    sets = [*(each.axes for each in call.flat_inputs), *made]
    return not call.record.copies and any(grown <= _segments(axes) for axes in sets)


def _segments(axes: Iterable[Axis | None]) -> set[Segment]:
    return {segment for axis in axes if axis is not None for segment in axis.segments()}


def carried_notes(trace: Trace) -> list[str]:
    """What is carried as it is without being declared so, and why."""
    found = []
    for key, record in trace.records.items():
        inside = record.layers[0]
        if isinstance(inside, keras.Model) and not record.rule.carries:
            lost = None if trace.makes_whole(inside) else lost_class(inside)
            found += [f"{record.path!r} {lost}"] if lost else []
        if not record.rule.carries or record.rule.declared:
            continue
        kind = type(record.layers[0]).__name__
        reason = trace.carried.get(key, "there is no growth rule for it")
        how = "is carried as it is" if record.copies == 1 else "is kept once per source"
        found.append(f"{record.path!r} ({kind}) {how}: {reason}")
    return found
