"""A model's graph again, on other layers: they are called as the old ones were."""

from typing import Any

import keras

from adaptive_nets.graphs.inventory import class_of_new
from adaptive_nets.graphs.read import functional, ordered_nodes
from adaptive_nets.keras_internals import (
    input_structure,
    origin,
    output_structure,
    own_trainable,
    set_own_trainable,
)

Known = dict[int, Any]


class GraphBuilder:
    """Makes Sequential and Functional models again; a derived class says of which layers.

    Tensors are known by their ids: `known` gives the new tensor that stands for an old one.

    Attributes:
        verb: What cannot be done to a model without a graph.
    """

    verb = "grow"

    def model(self, source: keras.Model, name: str | None = None) -> keras.Model:
        """The new model: a Sequential stays one where `stays_in_a_row` says so."""
        graph = functional(source, self.verb)
        name = name or source.name
        if isinstance(source, keras.Sequential) and self.stays_in_a_row(graph):
            row = [self.input(graph.inputs[0])]
            for layer in source.layers:
                row += self.in_a_row(layer)
            return class_of_new(source, row=True)(row, name=name)
        inputs = [self.input(tensor) for tensor in graph.inputs]
        known = {id(t): new for t, new in zip(graph.inputs, inputs, strict=True)}
        for node in ordered_nodes(graph):
            self.call(node, known)
        outputs = self.outputs(graph, [known[id(tensor)] for tensor in graph.outputs])
        return class_of_new(source, row=False)(
            keras.tree.pack_sequence_as(input_structure(graph), inputs),
            keras.tree.pack_sequence_as(output_structure(graph), outputs),
            name=name,
        )

    def layer(self, operation: Any) -> Any:
        """The new layer in the place of an old one."""
        raise NotImplementedError(f"{type(self).__name__} must implement `layer`.")

    def stays_in_a_row(self, graph: Any) -> bool:
        """Whether a Sequential of this graph becomes a Sequential."""
        return True

    def in_a_row(self, layer: Any) -> list[Any]:
        """What stands for a layer of a Sequential that stays one."""
        return [self.layer(layer)]

    def input(self, tensor: keras.KerasTensor) -> keras.KerasTensor:
        """The new input in the place of an old one."""
        return input_like(tensor)

    def outputs(self, graph: Any, tensors: list[Any]) -> list[Any]:
        """The outputs of the new model, given the tensors that stand for those of the old one."""
        return tensors

    def call(self, node: Any, known: Known) -> None:
        """Calls the new layer as the old one was called."""
        call_as(node, self.layer(node.operation), known)


def call_as(node: Any, operation: Any, known: Known, **more: Any) -> None:
    """Calls a layer as another was called, on the tensors that stand for the old ones."""
    args, kwargs = node.arguments.fill_in(known)
    found = keras.tree.flatten(operation(*args, **{**kwargs, **more}))
    known |= {id(tensor): new for tensor, new in zip(node.outputs, found, strict=True)}


def input_like(tensor: keras.KerasTensor, shape: Any = None) -> keras.KerasTensor:
    """A new input of a model, like another one.

    Args:
        tensor: The other.
        shape: Its shape with the batch axis. Defaults to `None`: the other's.
    """
    layer = origin(tensor)[0]
    return keras.Input(
        batch_shape=tensor.shape if shape is None else shape,
        dtype=tensor.dtype,
        sparse=tensor.sparse,
        name=layer.name,
        optional=getattr(layer, "optional", False),
    )


def keep_frozen(source: keras.Model, new: keras.Model) -> None:
    """Freezes a model made of a frozen one; its layers have their own setting already."""
    # The public setter would also freeze those layers that were thawed inside a frozen model.
    set_own_trainable(new, own_trainable(source))
