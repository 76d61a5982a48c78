"""Models as Keras needs them to load what it saves: without layers in common, and known to it.

A file holds a shared layer's weights once, at the first place where it stands, but reads them at
every place. So a model in which a layer stands at several places is saved, and cannot be loaded.
Layers are copied apart (`separated`), or a model inside is put into the graph around
it (`loadable`), which keeps them shared.
"""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import keras

from adaptive_nets.graphs.copy import Copier
from adaptive_nets.graphs.inventory import (
    graph_nodes,
    held_layers,
    is_made_of_graph,
    keeps_class,
)
from adaptive_nets.graphs.read import PLAIN_MODELS, functional, given_to, ordered_nodes
from adaptive_nets.graphs.rebuild import GraphBuilder, Known, call_as
from adaptive_nets.graphs.scope import names_in
from adaptive_nets.graphs.state import carry_state
from adaptive_nets.graphs.unique_names import free_name
from adaptive_nets.keras_internals import (
    direct_layers,
    forget_calls,
    layers_in,
    own_trainable,
    own_variables,
    seeded,
    set_own_trainable,
)

# Packages whose layers Keras can load.
_KNOWN = ("keras", "keras_hub", "adaptive_nets")


class _Separator(Copier):
    """Copies a model so that no two models inside, nor two layers, hold one layer."""

    verb = "separate the layers of"
    keeps_tied = False

    def model(self, source: keras.Model, name: str | None = None) -> keras.Model:
        # Within one model a layer that is called twice stays one.
        outer, self.layers = self.layers, {}
        new = super().model(source, name)
        self.layers = outer
        return new


def separated(model: keras.Model, taken: set[int] | None = None) -> keras.Model:
    """Returns a model that computes the same and that Keras can save and load.

    Args:
        model: A Sequential or Functional model. It is not changed.
        taken: Ids of layers that stand elsewhere in what is saved. The ids of this model's layers
            are added. Defaults to `None`: no others.

    Returns:
        The model itself where it shares no layer; else a copy, not compiled. A model that cannot
        be copied is returned as it is: Keras says why when it is saved.
    """
    taken = set() if taken is None else taken
    own = {id(layer) for layer in layers_in(model)}
    shared = not own.isdisjoint(taken) or _shares(model)
    taken |= own
    if not shared:
        return model
    try:
        return copied_apart(model)
    except ValueError:
        return model


def copied_apart(model: keras.Model) -> keras.Model:
    """Returns a copy of a model that shares no layer with it, nor within itself; not compiled.

    Args:
        model: A Sequential or Functional model. It is not changed.

    Raises:
        ValueError: A layer cannot be made again from its configuration.
    """
    copier = _Separator()
    new = copier.model(model)
    for old, copy in copier.carried:
        carry_state(old, copy)
    set_own_trainable(new, own_trainable(model))
    return new


def loadable(model: keras.Model, source: keras.Model) -> tuple[keras.Model, list[str]]:
    """Puts the layers of models inside into the graph around them, where the two share layers.

    The layers stay the same ones and are called once more: all computes and trains as before.

    Args:
        model: A model that was made of `source`, not compiled; only the result is used afterwards.
        source: The other. Models inside that its attributes hold stay, if its class does.

    Returns:
        The model that can be saved and loaded, which is the same one where nothing is shared; and
        what a person should know: which models inside could not be put into the graph.
    """
    # A class that makes its layers itself is loaded by its settings.
    found = _holders(model) if keeps_class(model) else []
    if not found:
        return model, []
    held = {id(each) for each in found}
    kept = {layer.name for layer in held_layers(source)} if keeps_class(source) else set()
    unclear = any(_given(node) is None for node in graph_nodes(model) if id(node.operation) in held)
    if unclear or any(each.name in kept for each in found):
        names = ", ".join(repr(each.name) for each in found)
        return model, [
            f"a file of it cannot be loaded: {names} inside shares layers with the model around it"
        ]
    trained = {id(variable) for variable in model.trainable_variables}
    new = _Inliner(found).model(model)
    for layer in layers_in(new):
        own = own_variables(layer)
        if own and not any(id(variable) in trained for variable in own):
            # The model that held it was frozen.
            set_own_trainable(layer, False)
    return new, []


class _Inliner(GraphBuilder):
    """Calls the layers of a model again, those of some models inside in the graph around them."""

    verb = "inline the layers of"

    def __init__(self, holders: list[Any]) -> None:
        self.holders = {id(each) for each in holders}
        self.again: dict[int, Any] = {}
        self.placed: dict[str, Any] = {}
        self.training: list[bool] = []
        self.called: set[int] = set()

    def model(self, source: keras.Model, name: str | None = None) -> keras.Model:
        outer = self.placed
        self.placed = {x.name: x for x in functional(source).operations}
        new = super().model(source, name)
        self.placed = outer
        return new

    def stays_in_a_row(self, graph: Any) -> bool:
        return not any(id(node.operation) in self.holders for node in ordered_nodes(graph))

    def layer(self, operation: Any) -> Any:
        if not _is_graph(operation) or self.holders.isdisjoint(map(id, layers_in(operation))):
            return operation
        if id(operation) not in self.again:
            self.again[id(operation)] = self.model(operation)
            set_own_trainable(self.again[id(operation)], own_trainable(operation))
        return self.again[id(operation)]

    def call(self, node: Any, known: Known) -> None:
        operation = node.operation
        if id(operation) not in self.holders:
            new = self.layer(operation)
            if id(new) not in self.called:
                self.called.add(id(new))
                forget_calls(new)
            call_as(node, new, known, **self._told(node))
            return
        graph, told = functional(operation), node.arguments.kwargs.get("training")
        inside = {id(a): known[id(b)] for a, b in zip(graph.inputs, _given(node), strict=True)}
        outer, self.training = self.training, self.training if told is None else [told]
        for each in ordered_nodes(graph):
            if id(each.operation) not in self.holders:
                self._place(each.operation, operation.name)
            self.call(each, inside)
        self.training = outer
        outputs = [inside[id(tensor)] for tensor in graph.outputs]
        known |= {id(old): new for old, new in zip(node.outputs, outputs, strict=True)}

    def _told(self, node: Any) -> dict[str, bool]:
        """What the call of a model inside said of training, for a layer that asks."""
        operation = node.operation
        if not self.training or not isinstance(operation, keras.Layer):
            return {}
        # Like Keras, whatever the layer was told when the model inside was made.
        asks = "training" in inspect.signature(operation.call).parameters
        return {"training": self.training[0]} if asks else {}

    def _place(self, operation: Any, holder: str) -> None:
        """Gives a layer that comes from inside a name that no other has."""
        if any(each is operation for each in self.placed.values()):
            return
        name = operation.name
        if name in self.placed:
            name = free_name(inlined_name(holder, name), self.placed)
            self.layer(operation).name = name
        self.placed[name] = operation


def inlined_name(holder: str, name: str) -> str:
    """What a layer of a model inside is called in the graph around, where its name is taken."""
    return f"{holder}_{name}"


def _holders(model: keras.Model) -> list[Any]:
    """The models inside that hold a layer which stands outside of them too."""
    inside = {id(node.operation): node.operation for node in graph_nodes(model)}
    return [
        each
        for each in inside.values()
        if _is_graph(each) and not (_held(each) - {id(each)}).isdisjoint(_held(model, each))
    ]


def _held(model: Any, without: Any = None) -> set[int]:
    """Ids of the layers in a model, except for what only one model in it holds."""
    found: set[int] = set()
    waiting = [model]
    while waiting:
        each = waiting.pop()
        if each is without or id(each) in found or isinstance(each, keras.layers.InputLayer):
            continue
        found.add(id(each))
        waiting += functional(each).layers if _is_graph(each) else direct_layers(each)
    return found


def _is_graph(operation: Any) -> bool:
    return type(operation) is keras.Sequential or is_made_of_graph(operation)


def _given(node: Any) -> list[Any] | None:
    """What a model inside reads in a call; None where it changes what it is given."""
    given = given_to(node)
    # Keras says of each input that it has no mask.
    told = {key: x for key, x in node.arguments.kwargs.items() if key != "training"}
    if given is None or any(x is not None for x in keras.tree.flatten(told)):
        return None
    pairs = zip(functional(node.operation).inputs, given, strict=True)
    same = all(a.dtype == b.dtype and len(a.shape) == len(b.shape) for a, b in pairs)
    return given if same else None


def _shares(model) -> bool:
    """Whether a layer stands at more than one place in a model."""
    found: dict[int, tuple[int, int]] = {}
    return any(found.setdefault(id(layer), place) != place for layer, place in _places(model))


def _places(model: Any) -> Iterator[tuple[keras.Layer, tuple[int, int]]]:
    """Layers with their places: the model inside that holds them, and the layer there."""
    models, seen = [model], set()
    while models:
        holder = models.pop()
        if id(holder) in seen:
            continue
        seen.add(id(holder))
        for layer in holder.layers:
            place = (id(holder), id(layer))
            yield layer, place
            if type(layer) in PLAIN_MODELS:
                models.append(layer)
            else:
                yield from ((inner, place) for inner in layers_in(layer, include_self=False))


def why_not_loaded(model: keras.Model) -> str | None:
    """Returns why a saved model could not be loaded, or `None` if it could.

    Only layers, and functions in layers, that are not Keras' own are tried.

    Args:
        model: A built model.
    """
    for layer in layers_in(model):
        if type(layer) in PLAIN_MODELS or not _is_own(layer):
            continue
        try:
            with seeded(0):
                config = keras.saving.serialize_keras_object(layer)
                # Models are loaded without what they were compiled with.
                config.pop("compile_config", None)
                keras.saving.deserialize_keras_object(config)
        except Exception as error:
            # Keras' own words go on for lines.
            reason = re.split(r"(?<=\.)\s|\n", str(error).strip())[0] or type(error).__name__
            return f"its layer '{layer.name}' ({type(layer).__name__}) cannot be. {reason}"
    return None


def _is_own(layer: Any) -> bool:
    """Whether a layer is the user's own, or holds a class or function that is."""
    if isinstance(layer, keras.layers.Lambda):
        return True
    found = names_in(layer).values()
    return any(each.__module__.partition(".")[0] not in _KNOWN for each in found)
