"""A model copied layer by layer, with new layers put into its graph."""

from collections.abc import Callable
from typing import Any

import keras

from adaptive_nets.graphs.copy import Copier
from adaptive_nets.graphs.read import ordered_nodes
from adaptive_nets.graphs.rebuild import Known, keep_frozen
from adaptive_nets.graphs.shared_memory import read
from adaptive_nets.graphs.state import weight_pairs

Values = Callable[[Any], dict[int, Any]]


class Inserter(Copier):
    """Makes a copy of a model that takes in new layers on the way.

    Args:
        insertions: What is put behind a tensor, by the tensor's id, in order.
        names: All layer names that are taken.
    """

    verb = "deepen"

    def __init__(self, insertions: dict[int, list[Any]], names: set[str]) -> None:
        super().__init__()
        self.insertions = insertions
        self.names = set(names)
        self.new_layers: list[tuple[Any, Values]] = []
        self._behind_layers: dict[int, list[Any]] = {}

    def stays_in_a_row(self, graph: Any) -> bool:
        """A model without an insertion that branches stays a plain row of layers."""
        for node in ordered_nodes(graph):
            behind = self.insertions.get(id(node.outputs[0]), [])
            self._behind_layers[id(node.operation)] = behind
            if not all(each.is_chain for each in behind):
                return False
        return True

    def in_a_row(self, layer: Any) -> list[Any]:
        row = [self.layer(layer)]
        for insertion in self._behind_layers.get(id(layer), ()):
            row += insertion.chain(self)
        return row

    def behind(self, tensor: keras.KerasTensor, new: Any, known: Known) -> Any:
        for insertion in self.insertions.get(id(tensor), ()):
            new = insertion.insert(self, new, known)
            known[id(tensor)] = new
        return new

    def model_inside(self, source: keras.Model) -> keras.Model:
        inserted = len(self.new_layers)
        new = self.model(source)
        # What is inserted has to learn, also where the old layers are frozen.
        if len(self.new_layers) == inserted:
            keep_frozen(source, new)
        return new

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
        new = self.rebuilt(operation, config)
        if "name" not in config and isinstance(new, keras.Layer):
            new.name = self.unique(name)
        self.new_layers.append((new, values))
        return new

    def unique(self, name: str) -> str:
        """A name that no layer has."""
        number, found = 1, name
        while found in self.names:
            number += 1
            found = f"{name}_{number}"
        self.names.add(found)
        return found


def values_of(operation: Any) -> Values:
    """The values of a layer for another of the same kind."""
    return lambda new: {id(to): read(old) for old, to in weight_pairs(operation, new)}
