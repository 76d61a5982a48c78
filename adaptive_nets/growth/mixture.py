"""The mean of fused models' outputs, each behind the source's own head and last function."""

from typing import Any

import keras
import numpy as np

from adaptive_nets.graphs.read import PLAIN_MODELS, ordered_nodes
from adaptive_nets.graphs.rebuild import Known
from adaptive_nets.graphs.scope import again
from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.rebuild import Rebuilder, features_at
from adaptive_nets.growth.core.segments import Segment
from adaptive_nets.growth.core.trace import Trace
from adaptive_nets.keras_internals import convolution_classes

# Functions of all features of a source that keep their number.
_OVER_FEATURES = ("softmax", "log_softmax", "sparsemax")


class Mixture:
    """What stands at the outputs of fused models whose features lie side by side until there.

    Args:
        trace: The traced sources.

    Attributes:
        last: The layers, by their ids, whose function is applied to each source's features on
            their own, behind all other layers.

    Raises:
        ValueError: An output's last axis is not the one that grows.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.last: dict[int, Any] = {}
        self._renamed: set[int] = set()
        self._free: set[str] = set()
        graph = trace.graphs[0]
        nodes = ordered_nodes(graph)
        self._ends = [next((n for n in nodes if _holds(n.outputs, t)), None) for t in graph.outputs]
        functions = {path: function for path, function, *_ in trace.mixing}
        for number, (node, tensor) in enumerate(zip(self._ends, graph.outputs, strict=True)):
            axes = trace.outputs[number].axes
            if node is None or axes[-1] is None or any(axis is not None for axis in axes[:-1]):
                raise ValueError(
                    f"Cannot fuse {trace.models[0].name!r} with output='mixture': output {number} "
                    "does not hold the features of a layer on its last axis, and on that alone. "
                    "Expected an output that a layer with weights writes. Pass output='mean'."
                )
            operation = node.operation
            once = sum(each.operation is operation for each in nodes) == 1
            plain = isinstance(operation, keras.Layer) and type(operation) not in PLAIN_MODELS
            if not (once and plain):
                continue
            read = any(_holds(each.input_tensors, tensor) for each in nodes)
            function = functions.get(trace.records[id(operation)].path)
            alone = len(node.input_tensors) == 1 and _has_function(operation)
            # A function of a user's own may read all features, so each source has its own too.
            if function in (None, *_OVER_FEATURES) and alone and not read:
                self.last[id(operation)] = operation
            if self.is_passed_over(operation):
                self._free.add(operation.name)
            elif function is None or id(operation) in self.last:
                self._renamed.add(id(operation))

    def rebuilder(self, maps: dict[Segment, AxisMap]) -> Rebuilder:
        """What makes the fused model, given the grown map of every segment."""
        return MixtureRebuilder(self.trace, maps, self)

    def is_passed_over(self, operation: Any) -> bool:
        """Whether a layer is nothing but a function that stands at the outputs instead."""
        return id(operation) in self.last and isinstance(operation, keras.layers.Softmax)

    def prepare(self, operation: Any, grown: Any, rebuilder: Rebuilder) -> None:
        """Takes from a grown layer, not called yet, the function and name that the outputs have."""
        if id(operation) in self.last:
            grown.activation = keras.activations.linear
        if id(operation) in self._renamed:
            grown.name = rebuilder.new_name(f"{operation.name}_of_each_source")
            self._free.add(operation.name)

    def outputs(self, tensors: list[Any], rebuilder: Rebuilder) -> list[Any]:
        """The mean of the sources' parts of each output."""
        found: dict[int, Any] = {}
        for number, tensor in enumerate(tensors):
            if id(tensor) not in found:
                found[id(tensor)] = self._mean(number, tensor, rebuilder)
        return [found[id(tensor)] for tensor in tensors]

    def _mean(self, number: int, tensor: Any, rebuilder: Rebuilder) -> Any:
        operation = self._ends[number].operation
        grown = self.trace.outputs[number].axis(-1).map(rebuilder.maps)
        function, parts = self.last.get(id(operation)), []
        for source in range(len(self.trace.models)):
            places, features = grown.positions(source)
            stem = f"{operation.name}_{source}"
            where = places[np.argsort(features)]
            part = features_at(tensor, where, rebuilder.new_name(f"{stem}_part"))
            if function is not None:
                part = _function_of(function, rebuilder.new_name(stem))(part)
            parts.append(part)
        # The outputs keep their names, which losses and metrics may be given by.
        name = operation.name
        name = name if name in self._free else rebuilder.new_name(f"{name}_mean")
        return keras.layers.Average(name=name, dtype=parts[0].dtype)(parts)


class MixtureRebuilder(Rebuilder):
    """Rebuilds the sources with their features side by side, and puts a mixture at the outputs.

    Args:
        trace: The traced sources.
        maps: The grown map of every segment.
        mixture: What stands at the outputs.
    """

    def __init__(self, trace: Trace, maps: dict[Segment, AxisMap], mixture: Mixture) -> None:
        # No kernel takes a share of a source: their outputs are mixed last.
        super().__init__(trace, maps, (1.0,) * len(trace.models))
        self.mixture = mixture
        self._prepared: set[int] = set()

    def layer(self, operation: Any) -> Any:
        grown = super().layer(operation)
        if id(operation) not in self._prepared:
            self._prepared.add(id(operation))
            self.mixture.prepare(operation, grown, self)
        return grown

    def call(self, node: Any, known: Known) -> None:
        if self.mixture.is_passed_over(node.operation):
            known[id(node.outputs[0])] = known[id(node.input_tensors[0])]
        else:
            super().call(node, known)

    def outputs(self, graph: Any, tensors: list[Any]) -> list[Any]:
        return self.mixture.outputs(tensors, self) if self._is_whole(graph) else tensors

    def stays_in_a_row(self, graph: Any) -> bool:
        return not self._is_whole(graph) and super().stays_in_a_row(graph)

    def _is_whole(self, graph: Any) -> bool:
        return graph is self.trace.graphs[0]


def _holds(tensors: Any, tensor: Any) -> bool:
    return any(each is tensor for each in tensors)


def _has_function(layer: Any) -> bool:
    """Whether a layer ends in a function that could stand behind it as well."""
    if isinstance(layer, keras.layers.Softmax):
        return True
    kinds = (keras.layers.Dense, keras.layers.EinsumDense, keras.layers.Activation)
    ends = isinstance(layer, (*kinds, *convolution_classes()))
    return ends and layer.activation not in (None, keras.activations.linear)


def _function_of(layer: Any, name: str) -> Any:
    """A new layer that applies the function of another and nothing else."""
    if isinstance(layer, keras.layers.Softmax):
        return again(layer, {"name": name})
    return keras.layers.Activation(layer.activation, name=name, dtype=layer.dtype_policy)
