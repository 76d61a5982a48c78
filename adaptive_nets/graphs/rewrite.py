"""A model copied with some layers exchanged for others, by their serialized forms."""

from collections.abc import Callable
from typing import Any

import keras

from adaptive_nets.graphs.copy import Copier
from adaptive_nets.graphs.scope import made_of

Change = Callable[[dict[str, Any]], dict[str, Any] | None]


class Rewriter(Copier):
    """Copies a model and exchanges the layers that a function chooses.

    Args:
        change: From a layer's serialized form to another's, or to None to leave it as it is.
    """

    def __init__(self, change: Change) -> None:
        super().__init__()
        self.change = change

    def made(self, operation: Any) -> Any:
        if isinstance(operation, keras.Layer):
            form = keras.saving.serialize_keras_object(operation)
            new = self._changed(form)
            if new is not form:
                # It is built when it is called, as the old one was.
                return made_of({**new, "build_config": None}, operation, self.trust_lambdas)
        return super().made(operation)

    def _changed(self, config: Any) -> Any:
        """The form after all changes in it; itself where there are none."""
        if isinstance(config, dict):
            if "class_name" in config and isinstance(config.get("config"), dict):
                new = self.change(config)
                if new is not None:
                    return new
            new = {key: self._changed(value) for key, value in config.items()}
            return new if any(new[key] is not config[key] for key in new) else config
        if type(config) in (list, tuple):
            new = type(config)(map(self._changed, config))
            return new if any(a is not b for a, b in zip(new, config, strict=True)) else config
        return config


def rewritten(model: keras.Model, change: Change) -> keras.Model:
    """A model of the same graph, with fresh weights, whose layers `change` chose.

    Args:
        model: A built Sequential or Functional model; of a class derived from these (a keras-hub
            backbone) the result is a plain Functional one.
        change: From a layer's serialized form to another's, or to None to leave it as it is.
    """
    return Rewriter(change).model(model)


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
