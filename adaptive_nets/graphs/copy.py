"""The one way to copy a model: new layers, called as the old ones were, that hold the same."""

import inspect
from typing import Any

import keras

from adaptive_nets.graphs.inventory import graph_nodes
from adaptive_nets.graphs.read import PLAIN_MODELS, functional
from adaptive_nets.graphs.rebuild import GraphBuilder, Known, call_as, keep_frozen
from adaptive_nets.graphs.scope import again, keep_name
from adaptive_nets.graphs.state import Pair, by_path, carry_state, keep_paths, weight_pairs
from adaptive_nets.keras_internals import has_graph, layers_in


class Copier(GraphBuilder):
    """Copies a model layer by layer.

    A derived class exchanges layers (`made`) or puts others behind tensors (`behind`).

    Attributes:
        verb: What cannot be done to a layer that cannot be made again.
        trust_lambdas: Whether Python lambdas are copied.
        keeps_tied: Whether a layer that others hold is one layer in the copy too.
        layers: The new layer by the id of the old one.
        carried: The old layers that were copied, and their copies.
    """

    verb = "copy"
    trust_lambdas = True
    keeps_tied = True

    def __init__(self) -> None:
        self.layers: dict[int, Any] = {}
        self.carried: list[tuple[Any, Any]] = []
        self._standing: dict[int, tuple[Any, str]] = {}

    def model(self, source: keras.Model, name: str | None = None) -> keras.Model:
        if self.keeps_tied and not self._standing:
            functional(source, self.verb)  # Refuses what has no graph.
            calls = {id(node.operation): node.operation for node in graph_nodes(source)}
            for operation in calls.values():
                self._note(operation, calls)
        return super().model(source, name)

    def _note(self, operation: Any, calls: dict[int, Any]) -> None:
        """Notes where layers stand: in the graph, or in a layer of it that made them for itself."""
        if not isinstance(operation, keras.Layer):
            return
        inside = {"": operation} if self.by_graph(operation) else by_path(operation)
        given = [x for each in inside.values() for x in held_arguments(each).values()]
        given_ids = {id(each) for x in given if id(x) in calls for each in layers_in(x)}
        row = isinstance(operation, keras.Sequential) and operation.built
        if len(inside) > 1 and (row or has_graph(operation)):
            # A model of a class of its own has made the layers that its graph calls.
            given_ids -= {id(node.operation) for node in graph_nodes(operation)}
        for path, layer in inside.items():
            known = self._standing.setdefault(id(layer), (operation, path))
            if known[0] is layer and path and id(layer) not in given_ids:
                self._standing[id(layer)] = operation, path

    def given(self, operation: Any) -> dict[str, Any]:
        """The copies of layers of the graph with which a layer was made, by argument.

        So a layer that uses the weights of another one uses those of its copy.
        """
        own = self._standing.get(id(operation), (operation, ""))[0]
        found = {}
        for name, held in held_arguments(operation).items():
            other, path = self._standing.get(id(held), (operation, ""))
            if other in (own, operation):
                continue
            found[name] = _at(self.layer(other), path)
            if found[name] is None:
                reason = ValueError(f"it was given {held.name!r}, which is exchanged")
                raise self.refusal(operation, reason)
        return found

    def _held_copy(self, operation: Any) -> Any:
        """The copy of a layer that another layer of the graph made for itself, or None."""
        other, path = self._standing.get(id(operation), (operation, ""))
        return None if other is operation else _at(self.layer(other), path)

    def by_graph(self, operation: Any) -> bool:
        """Whether a model in the model is copied call by call, as plain ones are."""
        return type(operation) in PLAIN_MODELS

    def layer(self, operation: Any) -> Any:
        """The copy of a layer, made once."""
        if id(operation) not in self.layers:
            new = self._held_copy(operation)
            if new is None and self.by_graph(operation):
                new = self.model_inside(operation)
            elif new is None:
                new = self.made(operation)
            keep_name(new, operation.name)
            self.layers[id(operation)] = new
        return self.layers[id(operation)]

    def made(self, operation: Any) -> Any:
        """A new layer in place of one that is not a plain model."""
        new = self.rebuilt(operation, self.given(operation))
        self.carried.append((operation, new))
        return new

    def model_inside(self, source: keras.Model) -> keras.Model:
        """A new model in the place of one inside."""
        new = self.model(source)
        keep_frozen(source, new)
        return new

    def behind(self, tensor: keras.KerasTensor, new: Any, known: Known) -> Any:
        """What is read where an old tensor was read: the new one in its place."""
        return new

    def call(self, node: Any, known: Known) -> None:
        layer = self.layer(node.operation)
        try:
            call_as(node, layer, known)
        except Exception as error:
            raise self.refusal(node.operation, error) from error
        for tensor in node.outputs:
            known[id(tensor)] = self.behind(tensor, known[id(tensor)], known)

    def rebuilt(self, operation: Any, settings: dict[str, Any] | None = None) -> Any:
        """A layer of the same class and configuration, except for some settings; fresh weights."""
        try:
            return again(operation, settings, self.trust_lambdas)
        except Exception as error:
            raise self.refusal(operation, error) from error

    def refusal(self, operation: Any, error: Exception) -> ValueError:
        """What is raised for a layer that its configuration does not make again."""
        reason = " ".join(str(error).split())
        return ValueError(
            f"Cannot {self.verb} the model of {operation.name!r}: the layer cannot be made again "
            f"from its configuration ({reason}). Expected get_config() and from_config() to fit. "
            f"Received: {type(operation).__module__}.{type(operation).__name__}."
        )

    def pairs(self) -> list[Pair]:
        """Every weight that was copied, with the one that has its value."""
        return [pair for old, new in self.carried for pair in weight_pairs(old, new)]


def held_arguments(layer: Any) -> dict[str, Any]:
    """The layers with which a layer was made, by argument, as far as its attributes say it."""
    if not isinstance(layer, keras.Layer):
        return {}
    names = inspect.signature(type(layer).__init__).parameters
    return {
        name: held
        for name, held in list(vars(layer).items())
        if name in names and isinstance(held, keras.Layer)
    }


def _at(copy: Any, path: str) -> Any:
    """The layer at a place in the copy of another, which may be wrapped now or no more."""
    inside = by_path(copy)
    places = (path, f"/.layer{path}", path.removeprefix("/.layer"))
    return next((inside[each] for each in places if each in inside), None)


def fresh_copy(model: Any, name: str | None = None) -> Any:
    """A model or layer of the same kind with fresh weights; not compiled.

    A Sequential or Functional model is copied call by call, and so is built. One of a class derived
    from these, a subclassed model and a layer are made again from their configuration and keep
    their class; they may have to be built, or called, before `carry_state(model, copy)`.

    Args:
        model: A built model or layer. It is not changed.
        name: The copy's name. Defaults to `None`: the same.

    Raises:
        ValueError: A layer cannot be made again from its configuration.
    """
    copier = Copier()
    if type(model) in PLAIN_MODELS:
        return copier.model(model, name)
    return copier.rebuilt(model, None if name is None else {"name": name})


def copy_model(model: Any, name: str | None = None) -> Any:
    """A model or layer that computes the same and shares nothing with it; not compiled.

    Args:
        model: As for `fresh_copy`.
        name: As for `fresh_copy`.

    Raises:
        ValueError: A layer cannot be made again from its configuration, or then holds other
            layers or weights.

    Example:

    ```python
    import keras
    from adaptive_nets.graphs import copy_model

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    copy = copy_model(model)
    ```
    """
    new = fresh_copy(model, name)
    if model.built and not new.built:
        new.build_from_config(model.get_build_config())
    carry_state(model, new)
    keep_paths(model, new)
    return new
