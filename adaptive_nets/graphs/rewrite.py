"""A model copied with some layers exchanged for others, by their serialized forms."""

from collections.abc import Callable
from typing import Any

import keras

from adaptive_nets.graphs.configs.constructor import arguments_of
from adaptive_nets.graphs.copy import Copier
from adaptive_nets.graphs.inventory import is_made_of_graph
from adaptive_nets.graphs.scope import form_of, made_of
from adaptive_nets.keras_internals import layers_in

# From a layer to the one in its place, and from the serialized form of a layer inside another (with
# the layers of that name in it) to another's form; None leaves it as it is.
Change = Callable[[Any], Any]
ChangeInside = Callable[[dict[str, Any], list[Any]], dict[str, Any] | None]


class Rewriter(Copier):
    """Copies a model and exchanges the layers that functions choose.

    Args:
        change: For a layer of the graph.
        inside: For a layer inside such a layer, by its serialized form.
        holds: Whether a layer is to be exchanged, or holds one that is. Models of a class derived
            from Functional that do are made again from their graph, as plain Functional ones.
        verb: What cannot be done to a layer that cannot be made again. Defaults to "copy".
    """

    def __init__(
        self,
        change: Change,
        inside: ChangeInside,
        holds: Callable[[Any], bool],
        verb: str = "copy",
    ) -> None:
        super().__init__()
        self.verb = verb
        self.change = change
        self.inside = inside
        self.holds = holds

    def by_graph(self, operation: Any) -> bool:
        changes = is_made_of_graph(operation) and self.holds(operation)
        return changes or super().by_graph(operation)

    def made(self, operation: Any) -> Any:
        if not isinstance(operation, keras.Layer) or not self.holds(operation):
            return super().made(operation)
        self.given(operation)  # Refuses what cannot be given first.
        try:
            new = self.change(operation)
            new = self.changed(operation) if new is None else new
        except Exception as error:
            raise self.refusal(operation, error) from error
        return super().made(operation) if new is None else new

    def changed(self, operation: Any) -> Any:
        """A layer in which others are exchanged; None where its configuration names none."""
        given = self.given(operation)
        try:
            form = form_of(operation)
        except Exception:
            if arguments_of(operation) is None:
                raise
            return None  # What its constructor takes, such as a class, has no form, and no layers.
        held: dict[str, list[Any]] = {}
        for layer in layers_in(operation, include_self=False):
            held.setdefault(layer.name, []).append(layer)
        config = self._changed(form["config"], held)
        if all(config[name] is form["config"][name] for name in config if name not in given):
            return None
        # It is built when it is called, as the old one was.
        form = {**form, "config": {**config, **given}, "build_config": None}
        return made_of(form, operation, self.trust_lambdas)

    def _changed(self, config: Any, held: dict[str, list[Any]]) -> Any:
        """The form after all changes in it; itself where there are none."""
        if isinstance(config, dict):
            if "class_name" in config and isinstance(config.get("config"), dict):
                new = self.inside(config, held.get(config["config"].get("name"), []))
                if new is not None:
                    return new
            new = {key: self._changed(value, held) for key, value in config.items()}
            return new if any(new[key] is not config[key] for key in new) else config
        if type(config) in (list, tuple):
            new = type(config)(self._changed(value, held) for value in config)
            return new if any(a is not b for a, b in zip(new, config, strict=True)) else config
        return config


def made_as(kind: type, config: dict[str, Any], like: Any) -> Any:
    """A layer of another class than one that it is made like, whose functions it uses."""
    form = serialized(kind, config, keras.saving.serialize_keras_object(like))
    return made_of({**form, "build_config": None}, like)


def class_of(config: dict[str, Any]) -> type | None:
    """The class of a serialized layer that keras itself can name, or None."""
    name = config.get("registered_name")
    found = keras.saving.get_registered_object(name) if name else None
    if found is None and str(config.get("module", "")).startswith("keras.layers"):
        found = getattr(keras.layers, config["class_name"], None)
    return found if isinstance(found, type) else None


def serialized(kind: type, config: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    """A layer's serialized form, of another class than that of `like`."""
    package = keras.saving.get_registered_name(kind)
    registered = package if ">" in package else None
    module = kind.__module__ if registered else "keras.layers"
    return {
        **like,
        "module": module,
        "class_name": kind.__name__,
        "config": config,
        "registered_name": registered,
    }
