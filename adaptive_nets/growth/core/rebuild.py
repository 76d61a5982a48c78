"""Makes the grown graph from the plan; weights are not given values yet."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets.graphs.inventory import apart_name
from adaptive_nets.graphs.masks.run_time import same_mask
from adaptive_nets.graphs.read import functional, ordered_nodes
from adaptive_nets.graphs.rebuild import GraphBuilder, Known, input_like, keep_frozen
from adaptive_nets.graphs.scope import again
from adaptive_nets.graphs.state import by_path
from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.calls import Masks, in_order
from adaptive_nets.growth.core.registry import find_rule
from adaptive_nets.growth.core.segments import Features, Segment
from adaptive_nets.growth.core.trace import Trace
from adaptive_nets.growth.core.weight_roles import LayerRecord, held_in
from adaptive_nets.keras_internals import call_of, mask_of, operation_class, origin


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
        self._ends: set[str] = set()
        self._names = {record.layers[0].name for record in trace.records.values()}
        self.layers: dict[int, Any] = {}
        self.groups: dict[int, list[Any]] = {}
        self.copied: list[str] = []
        self.masks = Masks()
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

    def outputs(self, graph: Any, tensors: list[Any]) -> list[Any]:
        """The outputs; some are the mixture of what stands side by side, or in another order."""
        if graph is not self.trace.graphs[0]:
            return tensors
        behind = self.trace.mixed_behind
        made: dict[int, Any] = {}
        for number, (old, tensor, x) in enumerate(
            zip(graph.outputs, tensors, self.trace.outputs, strict=True)
        ):
            if id(old) not in made:
                mixed = number in behind or x.parted
                if mixed:
                    tensor = self._mixed(old, tensor, x)
                elif number in self.trace.reordered:
                    axis, order = self.trace.reordered[number]
                    tensor = features_at(tensor, order, self._end(old, tensor)[0], axis)
                made[id(old)] = tensor
        return [made[id(old)] for old in graph.outputs]

    def _mixed(self, old: keras.KerasTensor, tensor: Any, x: Features) -> Any:
        name, apart = self._end(old, tensor)
        sources = range(len(self.trace.models))
        parts = [self._part(tensor, x, source, f"{apart}_{source}") for source in sources]
        if x.parted:
            # A layer without a rule may give another dtype than it says, such as a mask.
            parts = [keras.ops.cast(part, x.dtype) for part in parts]
        return self._mixture(parts, name)

    def _end(self, old: keras.KerasTensor, tensor: Any) -> tuple[str, str]:
        """The name of what comes behind an output, and the one that its own layer now has.

        The first is that of the output: losses and targets may go by it.
        """
        name = origin(old)[0].name
        if name in self._ends:
            name = self.new_name(name)
        self._ends.add(name)
        apart = self.new_name(apart_name(name))
        _rename(keras.tree.flatten(tensor), name, apart)
        return name, apart

    def stays_in_a_row(self, graph: Any) -> bool:
        if self.trace.mixed_behind or self.trace.reordered:
            return False
        return not any(
            id(node) in self.trace.separated or self.trace.records[id(node.operation)].copies > 1
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
        if id(node) in self.trace.apart:
            outputs = self._apart(node, known)
        else:
            args, kwargs = in_order(node.operation, *node.arguments.fill_in(known))
            if id(node) in self.trace.separated:
                args, kwargs = self._separate(node, args, kwargs)
            record = self.trace.records[id(node.operation)]
            layer = self.layer(node.operation)
            kwargs = self.masks.given(layer, args, kwargs)
            outputs = keras.tree.flatten(record.rule.invoke(record, layer, args, kwargs, self))
            self.masks.pass_on(layer, args, kwargs, outputs)
        known |= {id(t): new for t, new in zip(node.outputs, outputs, strict=True)}

    def layer(self, operation: Any) -> Any:
        """The grown layer, or the copy, made once."""
        if self.trace.records[id(operation)].copies:
            return self.copies(operation)[0]
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

    def copies(self, operation: Any) -> list[Any]:
        """The copies of a layer that is carried, made once: one, or one per source."""
        if id(operation) not in self.groups:
            record = self.trace.records[id(operation)]
            self.groups[id(operation)] = [
                copied(
                    layer,
                    record,
                    self.new_name(f"{layer.name}_{number}") if record.copies > 1 else layer.name,
                    self._given(record, number),
                )
                for number, layer in enumerate(record.layers[: record.copies])
            ]
        return self.groups[id(operation)]

    def _given(self, record: LayerRecord, source: int) -> dict[str, Any]:
        """The copies of layers with which a layer was made, by argument."""
        found = {}
        for other in self.trace.records.values() if record.rule.carries else ():
            if other is not record and other.copies == record.copies:
                held = held_in(record.layers[source], other.layers[source])
                for name, place in held.items():
                    found[name] = by_path(self.copies(other.layers[0])[source])[place]
        return found

    def _apart(self, node: Any, known: Known) -> list[Any]:
        """The results of a call that each source makes on its own features, side by side."""
        call, record = self.trace.apart[id(node)], self.trace.records[id(node.operation)]
        # Names of its own: Keras' counters know nothing of the names in a loaded model.
        name = record.layers[0].name
        name += f"_call_{len(self.copied)}" if name in self.copied else ""
        self.copied.append(name)
        results = []
        for source, layer in enumerate(self.copies(node.operation)):
            inside = {}
            for number, (first, own, x) in enumerate(
                zip(node.input_tensors, call.nodes[source].input_tensors, call.inputs, strict=True)
            ):
                part = f"{name}_{source}_part" + (f"_{number}" if number else "")
                inside[id(own)] = self._part(known[id(first)], x, source, part)
                mask = self._mask(known[id(first)], source)
                if mask is None and mask_of(first) is not None:
                    raise _not_carried(record, "the mask of what it reads would be lost")
                self.masks.lose(inside[id(own)], mask)
            args, kwargs = call.nodes[source].arguments.fill_in(inside)
            kwargs = self.masks.given(layer, args, kwargs)
            results.append(keras.tree.flatten(called(layer, record, args, kwargs)))
        joined = [
            self._joined(parts, x, self.new_name(f"{name}_output_{number}") if number else name)
            for number, (parts, x) in enumerate(
                zip(zip(*results, strict=True), call.outputs, strict=True)
            )
        ]
        for tensor, old in zip(joined, node.outputs, strict=True):
            mask = mask_of(old)
            masked = [x for x in node.input_tensors if mask is not None and mask_of(x) is not None]
            like = [x for x in masked if same_mask(mask_of(x), mask)]
            for first in like[:1]:
                self.masks.lose(tensor, self._mask(known[id(first)], 0))
        return joined

    def _mask(self, tensor: Any, source: int) -> Any:
        """The mask of a tensor, or of what a source has of it where each keeps its own."""
        return self.masks.of(tensor[source] if isinstance(tensor, list) else tensor)

    def _part(self, tensor: Any, x: Features, source: int, name: str) -> Any:
        """What one source sees of a tensor."""
        if x.parted:
            return tensor[source]
        for number, axis in enumerate(x.axes):
            if axis is not None:
                places, index = axis.map(self.maps).positions(source)
                tensor = features_at(
                    tensor, places[np.argsort(index)], f"{name}_axis_{number}", number
                )
        return tensor

    def _joined(self, parts: Sequence[Any], x: Features, name: str) -> Any:
        """The sources' results side by side; or mixed, where they are outputs.

        A list, where each source keeps its own.
        """
        if x.parted:
            return list(parts)
        number = next((i for i, axis in enumerate(x.axes) if axis is not None), None)
        if number is None:
            return parts[0]  # Without elements.
        grown = x.axes[number].map(self.maps)
        if grown.is_shared and "float" not in parts[0].dtype:
            if self.trace.identical:
                return parts[0]
            raise ValueError(
                f"Cannot fuse at {name!r}: its results of {parts[0].dtype} would be mixed, of "
                "which there is no mixture. Expected floating numbers. Put a layer with weights "
                "behind it."
            )
        if grown.is_shared:
            return self._mixture(parts, name)
        places = [grown.positions(source)[0] for source in range(len(parts))]
        joined = operation_class("Concatenate")(axis=number, name=name)(list(parts))
        # Where features of several layers meet, the sources of each stand side by side.
        return features_at(joined, np.argsort(np.concatenate(places)), f"{name}_order", number)

    def _mixture(self, parts: Sequence[Any], name: str) -> Any:
        mean = not np.isclose(self.mix[0], 1.0)
        kind = keras.layers.Average if mean else keras.layers.Add
        return kind(name=name, dtype=parts[0].dtype)(list(parts))

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


def features_at(x: Any, where: np.ndarray, name: str, axis: int) -> Any:
    """Some of an axis' features: a slice where they stand in a row."""
    if axis >= len(x.shape):
        raise ValueError(
            f"Cannot fuse at {name!r}: it is called on a tensor that has another shape in the "
            f"fused model, {tuple(x.shape)}. Expected an axis {axis}. Replace the layer before it."
        )
    start, end = int(where[0]), int(where[0]) + len(where)
    if not np.array_equal(where, np.arange(start, end)):
        return operation_class("Take")(axis=axis, name=name)(x, where.tolist())
    if len(where) == x.shape[axis]:
        return x
    whole = (slice(None),) * axis
    return operation_class("GetItem")(name=name)(x, (*whole, slice(start, end)))


def _rename(tensors: list[Any], name: str, other: str) -> None:
    """Gives the operation of a name another one, if it is among those that made the tensors."""
    waiting, seen = list(tensors), set()
    while waiting:
        tensor = waiting.pop()
        operation = origin(tensor)[0]
        if operation.name == name:
            operation.name = other
            return
        if id(tensor) not in seen:
            seen.add(id(tensor))
            waiting += call_of(tensor).input_tensors


def copied(layer: Any, record: LayerRecord, name: str, given: dict[str, Any]) -> Any:
    """A layer or operation again, as it is; refuses by name one that cannot be made again."""
    try:
        named = isinstance(layer, keras.Layer) or "name" in layer.get_config()
        return again(layer, {**given, "name": name} if named else given)
    except Exception as error:
        raise _not_carried(
            record, f"cannot be made again from its configuration ({error})"
        ) from error


def called(layer: Any, record: LayerRecord, args: tuple, kwargs: dict) -> Any:
    """Calls a copy as its source was called."""
    try:
        return layer(*args, **kwargs)
    except Exception as error:
        raise _not_carried(record, f"cannot be called in another graph ({error})") from error


def _not_carried(record: LayerRecord, reason: str) -> ValueError:
    kind = type(record.layers[0])
    said = " ".join(reason.split())
    return ValueError(
        f"Cannot grow {record.path!r}: it has no growth rule that applies, and {said}. Expected "
        "get_config() and from_config() to fit, and a call that depends on its arguments alone. "
        f"Received: {kind.__module__}.{kind.__name__}."
    )
