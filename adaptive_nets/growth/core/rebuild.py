"""Makes the grown graph from the plan; weights are not given values yet."""

from typing import Any

import keras
import numpy as np

from adaptive_nets.graphs.read import functional, ordered_nodes
from adaptive_nets.graphs.rebuild import GraphBuilder, Known, input_like, keep_frozen
from adaptive_nets.graphs.scope import again
from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.calls import in_order
from adaptive_nets.growth.core.registry import find_rule
from adaptive_nets.growth.core.segments import Features, Segment
from adaptive_nets.growth.core.trace import Trace
from adaptive_nets.keras_internals import operation_class


class Rebuilder(GraphBuilder):
    """Rebuilds the layers of the first source at their grown sizes, and joins them as they were.

    Args:
        trace: The traced sources.
        maps: The grown map of every segment.
        mix: The share of each source in what is mixed.
    """

    def __init__(
        self, trace: Trace, maps: dict[Segment, AxisMap], mix: tuple[float, ...] = (1.0,)
    ) -> None:
        self.trace = trace
        self.maps = maps
        self.mix = mix
        self._names = {record.layers[0].name for record in trace.records.values()}
        self.layers: dict[int, Any] = {}
        self.groups: dict[int, list[Any]] = {}
        self.copied: list[str] = []
        self._features: dict[int, Features] = {}

    def model(self, source: keras.Model, name: str | None = None) -> keras.Model:
        """A grown Sequential or Functional model, or one of a class that has its own rule."""
        rule = find_rule(type(source))
        grown = None if rule is None else rule.assemble(source, self)
        if grown is None:
            graph = functional(source)
            features = self.trace.graph_inputs[id(graph)]
            self._features |= {id(t): each for t, each in zip(graph.inputs, features, strict=True)}
            grown = super().model(source, name)
            keep_frozen(source, grown)
        return grown

    def stays_in_a_row(self, graph: Any) -> bool:
        return not any(
            id(node) in self.trace.separated
            or self.trace.records[id(node.operation)].grouped is not None
            for node in ordered_nodes(graph)
        )

    def input(self, tensor: keras.KerasTensor) -> keras.KerasTensor:
        axes = self._features[id(tensor)].axes
        shape = [
            size if axis is None else axis.map(self.maps).size
            for size, axis in zip(tensor.shape, axes, strict=True)
        ]
        return input_like(tensor, shape)

    def call(self, node: Any, known: Known) -> None:
        args, kwargs = in_order(node.operation, *node.arguments.fill_in(known))
        if id(node) in self.trace.separated:
            args, kwargs = self._separate(node, args, kwargs)
        outputs = keras.tree.flatten(self._call(node.operation, args, kwargs))
        known |= {id(t): new for t, new in zip(node.outputs, outputs, strict=True)}

    def layer(self, operation: Any) -> Any:
        """The grown layer, made once."""
        if id(operation) not in self.layers:
            record = self.trace.records[id(operation)]
            self.layers[id(operation)] = record.rule.rebuild(record, self.maps, self)
        return self.layers[id(operation)]

    def new_name(self, name: str) -> str:
        """A name for a layer that the sources do not have: this one, or the next free one."""
        number, found = 1, name
        while found in self._names:
            number, found = number + 1, f"{name}_{number}"
        self._names.add(found)
        return found

    def _call(self, operation: Any, args: tuple, kwargs: dict) -> Any:
        record = self.trace.records[id(operation)]
        if record.grouped is None:
            return record.rule.invoke(record, self.layer(operation), args, kwargs, self)
        if id(operation) not in self.groups:
            self.groups[id(operation)] = [
                again(layer, {"name": f"{layer.name}_{number}"})
                for number, layer in enumerate(record.layers)
            ]
        grown = record.grouped.map(self.maps)
        places = [grown.positions(source)[0] for source in range(len(record.layers))]
        # Names of its own: Keras' counters know nothing of the names in a loaded model.
        name = record.layers[0].name
        name += f"_call_{len(self.copied)}" if name in self.copied else ""
        self.copied.append(name)
        parts = [
            layer(features_at(args[0], where, f"{name}_{number}_part"), *args[1:], **kwargs)
            for number, (layer, where) in enumerate(
                zip(self.groups[id(operation)], places, strict=True)
            )
        ]
        joined = keras.layers.Concatenate(name=name, dtype=parts[0].dtype)(parts)
        # Where features of several layers meet, the sources of each stand side by side.
        return features_at(joined, np.argsort(np.concatenate(places)), f"{name}_order")

    def _separate(self, node: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        flat = keras.tree.flatten((args, kwargs))
        tensors = [i for i, value in enumerate(flat) if isinstance(value, keras.KerasTensor)]
        for position, axis in self.trace.separated[id(node)].items():
            where = tensors[position]
            copies = [flat[where]] * len(self.trace.models)
            name = f"{node.operation.name}_copies_{len(self.copied)}"
            self.copied.append(name)
            flat[where] = keras.layers.Concatenate(axis=axis, dtype=flat[where].dtype, name=name)(
                copies
            )
        return keras.tree.pack_sequence_as((args, kwargs), flat)


def features_at(x: Any, where: np.ndarray, name: str) -> Any:
    """Some of the last axis' features: a slice where they stand in a row."""
    start, end = int(where[0]), int(where[0]) + len(where)
    if not np.array_equal(where, np.arange(start, end)):
        return operation_class("Take")(axis=-1, name=name)(x, where.tolist())
    if len(where) == x.shape[-1]:
        return x
    return operation_class("GetItem")(name=name)(x, (..., slice(start, end)))
