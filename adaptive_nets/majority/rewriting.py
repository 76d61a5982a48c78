"""A model again from its configuration, with some layers exchanged for others of their kind."""

import tempfile
from collections.abc import Callable
from typing import Any

import keras
from keras.src.saving.serialization_lib import SafeModeScope

Change = Callable[[dict[str, Any]], dict[str, Any] | None]


def check_graph(model: Any, verb: str) -> None:
    """Refuses what is not a built Sequential or Functional model.

    Args:
        model: What was given.
        verb: What cannot be done to it.
    """
    kind = f"{type(model).__module__}.{type(model).__name__}"
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"Cannot {verb} what is no Keras model. Expected a built keras.Model. Received: {kind}."
        )
    graph = model._functional if isinstance(model, keras.Sequential) else model
    if not model.built or graph is None:
        raise ValueError(
            f"Cannot {verb} {model.name!r}: it is not built, so its weights do not exist. Expected "
            "a built model. Begin the Sequential with keras.Input(shape), or call it once."
        )
    if not hasattr(graph, "_nodes_by_depth"):
        raise ValueError(
            f"Cannot {verb} {model.name!r}: a subclassed model hides its layers' calls. Expected a "
            f"Sequential or Functional model. Received: {kind}. Write it with the functional API, "
            "or use the layers of adaptive_nets.layers in it."
        )


def rewritten(model: keras.Model, change: Change) -> keras.Model:
    """A model of the same graph, with fresh weights, whose layers `change` chose.

    Args:
        model: A built Sequential or Functional model; of a class derived from these (a keras-hub
            backbone) the result is a plain Functional one.
        change: From a layer's serialized form to another's, or to None to leave it as it is.
    """
    kind = type(model)
    if kind not in (keras.Sequential, keras.Model) and kind.__module__.split(".")[0] != "keras":
        model = keras.Model(model.input, model.output, name=model.name)
    config = _changed(model.get_config(), change)
    # What is read here was written here; users' classes need not be registered.
    known = {type(layer).__name__: type(layer) for layer in model._flatten_layers()}
    with SafeModeScope(False), keras.saving.custom_object_scope(known):
        return type(model).from_config(config)


def _changed(config: Any, change: Change) -> Any:
    if isinstance(config, dict):
        if "class_name" in config and isinstance(config.get("config"), dict):
            new = change(config)
            if new is not None:
                return new
        return {key: _changed(value, change) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_changed(value, change) for value in config)
    return config


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


def own_variables(layer: Any) -> list[keras.Variable]:
    """A layer's own weights, without those of layers in it."""
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def carry_state(old: Any, new: Any) -> None:
    """What is no weight: vocabularies, what follows from weights, whether it learns."""
    new._trainable = old._trainable
    if hasattr(old, "save_assets") and hasattr(old, "load_assets"):
        with tempfile.TemporaryDirectory() as folder:
            old.save_assets(folder)
            new.load_assets(folder)
    if hasattr(new, "finalize_state"):
        new.finalize_state()
