"""Follows the axes through a model's graph, in all sources at once; nothing is changed."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras

from adaptive_nets.graphs.inventory import lost_class
from adaptive_nets.graphs.read import functional, ordered_nodes
from adaptive_nets.growth.core.calls import (
    UnruledError,
    check_masks_pass,
    check_same_calls,
    in_order,
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
from adaptive_nets.growth.core.weight_roles import LayerRecord


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
        inputs: The tensors that it reads, in flat order.
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
        self._rules: dict[int, Any] = {}
        self.graphs = [functional(model) for model in self.models]
        for model in {id(model): model for model in self.models}.values():
            check_grown_whole(model, len(self.models))
        self._check_ends()
        while not self._followed():
            pass
        self._check_sharing()

    def graph(self, graphs: Sequence[Any], inputs: list[Features], path: str) -> list[Features]:
        """Traces one graph, of the model itself or of a model inside it."""
        first = graphs[0]
        before = self.graph_inputs.setdefault(id(first), inputs)
        for one, other in zip(before, inputs, strict=True):
            _tie_calls(one, other, path, len(self.models))
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
            self._check_alike(calls, partner)
            node = calls[0]
            operations = tuple(call.operation for call in calls)
            record = self.record(calls, path)
            _check_shared_alike(record, operations)
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
            _check_sizes(record.path, outputs)
            if record.copies > 1:
                check_masks_pass(node, record.path, self.graphs[0].outputs)
                self.apart[id(node)] = Apart(calls, tuple(call.flat_inputs), tuple(outputs))
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
        return [known[id(tensor)] for tensor in first.outputs]

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
            self._rules[id(calls[0])] = rule_of_call(calls)
        return self._rules[id(calls[0])]

    def keep_apart(self, reasons: dict[int, str]) -> None:
        """Follows all again, with some layers carried once a source.

        Args:
            reasons: Why, by the id of the layer in the first source.
        """
        self.carried |= reasons
        self.parted |= set(reasons)
        while not self._followed():
            pass
        self._check_sharing()

    def part(self, call: Call) -> None:
        """From its first call on, each source has its own copy of this layer."""
        self.parted.add(id(call.layer))
        if call.record.copies == 1:
            raise _AgainError
        call.record.copies = call.sources

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
                check_same_calls(call.nodes, record.path)
                _check_masks(call)
            outputs = keras.tree.flatten(record.rule.trace(call))
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

    def _check_sharing(self) -> None:
        """A weight that a carried layer shares with another one would be two weights."""
        owners: dict[int, Any] = {}
        for key, record in self.records.items():
            if record.rule.made_of_layers:
                continue  # its weights are those of its layers
            for variable in getattr(record.layers[0], "weights", ()):
                other = owners.setdefault(id(variable), (key, record))[1]
                if other is not record and (record.rule.carries or other.rule.carries):
                    raise ValueError(
                        f"Cannot grow {record.path!r}: it shares the weight {variable.path!r} with "
                        f"{other.path!r}, and the layers could not share it any more. Expected a "
                        "rule for a layer that holds another (adaptive_nets.growth.register_rule), "
                        "or layers with weights of their own."
                    )

    def _check_ends(self) -> None:
        for what in ("inputs", "outputs"):
            shapes = [[tuple(t.shape) for t in getattr(g, what)] for g in self.graphs]
            if any(each != shapes[0] for each in shapes) and not (
                what == "outputs" and len({len(each) for each in shapes}) == 1
            ):
                raise ValueError(
                    f"Cannot fuse models of different {what}. Expected the same shapes in every "
                    f"source. Received: {', '.join(map(str, shapes))}."
                )

    def _check_alike(self, calls: Sequence[Any], partner: list[dict[int, int]]) -> None:
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

    def _settle_outputs(self) -> None:
        known = len(self.carried)
        for features in self.outputs:
            for axis in features.axes:
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


def _tie_calls(one: Features, other: Features, path: str, sources: int) -> None:
    """A model that is called twice has one input, which grows at each call or never."""
    reason = "it is called on features that grow and on some that do not"
    for a, b in zip(one.axes, other.axes, strict=True):
        if a is not None and b is not None:
            a.tie(b)
        elif (a is not None or b is not None) and sources > 1:
            message = f"Cannot fuse at {path!r}: {reason}. Expected the same at each call."
            raise UnruledError(message, reason)
        elif a is not None or b is not None:
            (b if a is None else a).fix(f"{path!r}: {reason}")


def _check_shared_alike(record: LayerRecord, operations: Sequence[Any]) -> None:
    """What is one layer in the first source is one in every source."""
    if any(one is not other for one, other in zip(record.layers, operations, strict=True)):
        raise ValueError(
            f"Cannot fuse at {record.path!r}: the first source calls one layer more than once, "
            "where another source has several layers. Expected layers that are shared in the same "
            "way. Name a source whose layers are not shared first."
        )


def _check_masks(call: Call) -> None:
    """A layer has one mask, not one a source."""
    for x in call.flat_inputs if isinstance(call.layer, keras.Layer) else ():
        if call.sources > 1 and x.dtype == "bool" and any(x.axes):
            reason = "each source has another mask"
            raise UnruledError(
                f"Cannot fuse at {call.record.path!r}: {reason}. Expected one for all.", reason
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


def _check_sizes(path: str, outputs: Sequence[Features]) -> None:
    """An axis that does not grow is as long in the fused model as in every source."""
    for features in outputs:
        for number, axis in enumerate(features.axes):
            sizes = features.sizes(number)
            if axis is None and len(set(sizes)) > 1:
                raise ValueError(
                    f"Cannot fuse at {path!r}: axis {number} of its output is of another length "
                    f"in each source. Expected the same. Received: {', '.join(map(str, sizes))}."
                )


def carried_notes(trace: Trace) -> list[str]:
    """What is carried as it is without being declared so, and why."""
    found = []
    for key, record in trace.records.items():
        inside = record.layers[0]
        if isinstance(inside, keras.Model) and not record.rule.carries:
            lost = None if makes_whole(inside, len(trace.models)) else lost_class(inside)
            found += [f"{record.path!r} {lost}"] if lost else []
        if not record.rule.carries or record.rule.declared:
            continue
        kind = type(record.layers[0]).__name__
        reason = trace.carried.get(key, "there is no growth rule for it")
        how = "is carried as it is" if record.copies == 1 else "is kept once a source"
        found.append(f"{record.path!r} ({kind}) {how}: {reason}")
    return found
