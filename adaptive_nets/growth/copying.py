"""A model again, layer by layer, with new layers put into its graph."""

from collections.abc import Callable
from typing import Any

import keras
from keras.src.models.functional import Functional

from adaptive_nets.growth.core.rebuild import keep_frozen
from adaptive_nets.growth.core.shared_memory import read
from adaptive_nets.growth.core.trace import functional, ordered_nodes

Values = Callable[[Any], dict[int, Any]]
MODELS = (Functional, keras.Model, keras.Sequential)


class Copier:
    """Makes a copy of a model that takes in new layers on the way.

    Args:
        insertions: What is put behind a tensor, by the tensor's id, in order.
        names: All layer names that are taken.
    """

    def __init__(self, insertions: dict[int, list[Any]], names: set[str]) -> None:
        self.insertions = insertions
        self.names = set(names)
        self.layers: dict[int, Any] = {}
        self.carried: list[tuple[Any, Any]] = []
        self.made: list[tuple[Any, Values]] = []

    def model(self, source: keras.Model) -> keras.Model:
        """The copy of a Sequential or Functional model."""
        graph = functional(source)
        nodes = ordered_nodes(graph)
        if isinstance(source, keras.Sequential):
            behind = {
                id(node.operation): self.insertions.get(id(node.outputs[0]), ()) for node in nodes
            }
            # A model without an insertion that branches stays a plain row of layers.
            if all(each.is_chain for many in behind.values() for each in many):
                layers = [self._input(graph.inputs[0])]
                for layer in source.layers:
                    layers.append(self.layer(layer))
                    for insertion in behind.get(id(layer), ()):
                        layers += insertion.chain(self)
                return keras.Sequential(layers, name=source.name)
        inputs = [self._input(tensor) for tensor in graph.inputs]
        known = {id(t): new for t, new in zip(graph.inputs, inputs, strict=True)}
        for node in nodes:
            self.call(node, self.layer(node.operation), known)
            for tensor in node.outputs:
                for insertion in self.insertions.get(id(tensor), ()):
                    known[id(tensor)] = insertion.insert(self, known[id(tensor)], known)
        outputs = [known[id(t)] for t in graph.outputs]
        return keras.Model(
            keras.tree.pack_sequence_as(graph._inputs_struct, inputs),
            keras.tree.pack_sequence_as(graph._outputs_struct, outputs),
            name=source.name,
        )

    def layer(self, operation: Any) -> Any:
        """The copy of an old layer, made once, with its name and its weights."""
        if id(operation) not in self.layers:
            if type(operation) in MODELS:
                inserted = len(self.made)
                new = self.model(operation)
                # What is inserted has to learn, also where the old layers are frozen.
                if len(self.made) == inserted:
                    keep_frozen(operation, new)
            else:
                new = rebuilt(operation, {})
                self.carried.append((operation, new))
            self.layers[id(operation)] = new
        return self.layers[id(operation)]

    def new(self, operation: Any, name: str, values: Values, **config: Any) -> Any:
        """A new layer configured like another.

        Args:
            operation: The other.
            name: The name it would like; a number makes it unique.
            values: From the built layer to the values of its variables, by their ids; variables
                left out get their initializers' values.
            **config: Settings that differ.
        """
        if "name" in operation.get_config():
            config["name"] = self.unique(name)
        new = rebuilt(operation, config)
        self.made.append((new, values))
        return new

    def unique(self, name: str) -> str:
        """A name that no layer has."""
        number, found = 1, name
        while found in self.names:
            number += 1
            found = f"{name}_{number}"
        self.names.add(found)
        return found

    def call(self, node: Any, operation: Any, known: dict[int, Any]) -> None:
        """Calls a layer as another was called, on the tensors that stand for the old ones."""
        args, kwargs = node.arguments.fill_in(known)
        outputs = keras.tree.flatten(operation(*args, **kwargs))
        for tensor, new in zip(node.outputs, outputs, strict=True):
            known[id(tensor)] = new

    def pairs(self) -> list[tuple[keras.Variable, keras.Variable]]:
        """Every weight of the source with the weight that carries its value."""
        pairs = [pair for old, new in self.carried for pair in _weights(old, new)]
        for old, new in pairs:
            # A frozen variable inside a layer is not written in the layer's configuration.
            new.trainable = old.trainable
        return pairs

    @staticmethod
    def _input(tensor: keras.KerasTensor) -> keras.KerasTensor:
        layer = tensor._keras_history.operation
        return keras.Input(
            batch_shape=tensor.shape,
            dtype=tensor.dtype,
            sparse=tensor.sparse,
            name=layer.name,
            optional=getattr(layer, "optional", False),
        )


def copied(operation: Any) -> Values:
    """The values of a layer for another of the same kind."""
    return lambda new: {id(to): read(old) for old, to in _weights(operation, new)}


def rebuilt(operation: Any, config: dict[str, Any]) -> Any:
    """A layer of the same class and configuration, but for some settings."""
    try:
        return type(operation).from_config({**operation.get_config(), **config})
    except Exception as error:
        raise ValueError(
            f"Cannot deepen the model of {operation.name!r}: the layer cannot be made again from "
            f"its configuration ({error}). Expected get_config() and from_config() to fit. "
            f"Received: {type(operation).__module__}.{type(operation).__name__}."
        ) from error


def _weights(old: Any, new: Any) -> list[tuple[Any, Any]]:
    olds, news = getattr(old, "weights", []), getattr(new, "weights", [])
    if [tuple(w.shape) for w in olds] != [tuple(w.shape) for w in news]:
        raise ValueError(
            f"Cannot deepen the model of {old.name!r}: made again from its configuration, the "
            f"layer has weights of shapes {[tuple(w.shape) for w in news]}. Expected "
            f"{[tuple(w.shape) for w in olds]}. Let get_config() return all that shapes them."
        )
    return list(zip(olds, news, strict=True))
