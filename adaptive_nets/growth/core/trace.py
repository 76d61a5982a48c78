"""Follows the axes through a model's graph, in all sources at once; nothing is changed."""

from collections.abc import Sequence
from typing import Any

import keras

from adaptive_nets.graphs.read import functional, ordered_nodes
from adaptive_nets.growth.core.calls import check_same_calls, in_order
from adaptive_nets.growth.core.registry import check_grown_whole, find_rule, rule_of_call
from adaptive_nets.growth.core.rule import Call
from adaptive_nets.growth.core.segments import Axis, Features, Segment
from adaptive_nets.growth.core.weight_roles import LayerRecord


def input_features(tensors: Sequence[keras.KerasTensor]) -> Features:
    """An input as growth sees it: no axis grows."""
    shapes = tuple(tuple(tensor.shape) for tensor in tensors)
    return Features(shapes, (None,) * len(shapes[0]), tensors[0].dtype)


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
        self.records: dict[int, LayerRecord] = {}
        self.separated: dict[int, dict[int, int]] = {}
        self.graph_inputs: dict[int, list[Features]] = {}
        self.constraints: list[Any] = []
        self.mixing: list[tuple[str, str, Axis]] = []
        self.graphs = [functional(model) for model in self.models]
        for model in {id(model): model for model in self.models}.values():
            check_grown_whole(model)
        self._check_ends()
        first = self.graphs[0]
        inputs = [
            input_features([graph.inputs[i] for graph in self.graphs])
            for i in range(len(first.inputs))
        ]
        self.outputs = self.graph(self.graphs, inputs, "")
        self._settle_outputs()

    def graph(self, graphs: Sequence[Any], inputs: list[Features], path: str) -> list[Features]:
        """Traces one graph, of the model itself or of a model inside it."""
        first = graphs[0]
        self.graph_inputs.setdefault(id(first), inputs)
        nodes = [ordered_nodes(graph) for graph in graphs]
        if len({len(each) for each in nodes}) > 1:
            raise ValueError(
                f"Cannot fuse models of different depth: {path or 'the sources'} have "
                f"{[len(each) for each in nodes]} layer calls. Expected the same topology. "
                "Deepen the shallower one first (adaptive_nets.growth.deepen)."
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
            check_same_calls(calls, record.path)
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
                nodes=tuple(calls),
            )
            outputs = keras.tree.flatten(record.rule.trace(call))
            _check_sizes(record.path, outputs)
            if call.separated:
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
        operations = tuple(call.operation for call in calls)
        key = id(operations[0])
        if key not in self.records:
            name = f"{path}/{operations[0].name}" if path else operations[0].name
            self.records[key] = LayerRecord(operations, rule_of_call(calls, name), name)
        return self.records[key]

    def segments(self) -> list[Segment]:
        """Every distinct segment of the model."""
        axes: list[Axis | None] = []
        for record in self.records.values():
            axes += record.axes.values()
            axes += [d.axis for w in record.weights.values() for d in w.dimensions]
            axes.append(record.grouped)
        for features in (*self.outputs, *(f for fs in self.graph_inputs.values() for f in fs)):
            axes += features.axes
        found = (segment for axis in axes if axis is not None for segment in axis.segments())
        return list(dict.fromkeys(found))

    def coupled(self, call: Call, axis: Axis, function: str) -> None:
        """A function mixes all features of an axis: sound at an output only."""
        self.mixing.append((call.record.path, function, axis))

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
        for features in self.outputs:
            for axis in features.axes:
                for segment in axis.segments() if axis is not None else ():
                    segment.output = True
        for path, function, axis in self.mixing:
            hidden = [segment for segment in axis.segments() if not segment.output]
            if hidden and len(self.models) > 1:
                raise ValueError(
                    f"Cannot fuse at {path!r}: {function} mixes the features of all sources. "
                    "Expected it at an output only."
                )
            for segment in hidden:
                segment.fixed = segment.fixed or f"{path!r}: {function} mixes all features"


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
