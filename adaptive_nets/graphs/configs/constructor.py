"""A layer made by its constructor, of what its attributes hold."""

import inspect
import types
from collections.abc import Container
from typing import Any

import keras

from adaptive_nets.keras_internals import given_arguments

SIMPLE = (bool, int, float, str, type(None))
_MISSING = object()


def by_constructor(layer: Any, settings: dict[str, Any] | None = None) -> Any:
    """A layer of the same class, made by its constructor from what its attributes hold.

    Args:
        layer: The layer. It is not changed.
        settings: Arguments that differ. Defaults to `None`: none.

    Returns:
        The new layer; None where an argument is not an attribute, or the new layer's attributes say
        that it was given others.
    """
    settings = settings or {}
    found = arguments_of(layer, settings)
    if found is None:
        return None
    given = {**found, **settings}
    if "name" not in found:
        given.pop("name", None)
    try:
        new = type(layer)(**given)
    except Exception:
        return None
    new.name = settings.get("name", layer.name)
    return new if is_alike(layer, new, settings) else None


def arguments_of(layer: Any, settings: Container[str] = ()) -> dict[str, Any] | None:
    """The arguments of a layer's constructor; None where its attributes do not say them all.

    Args:
        layer: The layer.
        settings: Names of those that are known otherwise, and left out.
    """
    if not isinstance(layer, keras.Layer) or isinstance(layer, keras.Model):
        return None
    policy = layer.dtype_policy
    found: dict[str, Any] = {
        "name": layer.name,
        "trainable": layer.trainable,
        # By its name, so that Keras notes all arguments and a copy of the copy can be made.
        "dtype": policy.name if type(policy) is keras.DTypePolicy else policy,
    }
    parameters = list(inspect.signature(type(layer).__init__).parameters.values())[1:]
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return None
    takes_more = any(each.kind is each.VAR_KEYWORD for each in parameters)
    by_name = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    named = [each for each in parameters if each.kind in by_name]
    if not takes_more:
        found = {each.name: found[each.name] for each in named if each.name in found}
    for each in named:
        if each.name in found or each.name in settings:
            continue
        value = vars(layer).get(each.name, vars(layer).get(f"_{each.name}", _MISSING))
        if value is _MISSING and type(layer).get_config is keras.Layer.get_config:
            # Keras has noted what the constructor was given.
            value = given_arguments(layer).get(each.name, _MISSING)
            plain = all(isinstance(x, SIMPLE) for x in keras.tree.flatten(value))
            value = value if plain else _MISSING
        if value is _MISSING or _holds_parts(value):
            value = given_arguments(layer).get(each.name, _class_kept(layer, value))
        if value is _MISSING:
            return None
        found[each.name] = value
    return found


def _class_kept(layer: Any, value: Any) -> Any:
    """The class of a layer inside, where the constructor was given that and keeps it."""
    return type(value) if any(x is type(value) for x in vars(layer).values()) else _MISSING


def _holds_parts(value: Any) -> bool:
    """Whether a value holds layers or weights, which two layers would share."""
    return any(
        isinstance(each, keras.Layer | keras.Variable | keras.KerasTensor)
        for each in keras.tree.flatten(value)
    )


def is_alike(old: Any, new: Any, settings: Container[str]) -> bool:
    """Whether the attributes of a new layer are those of another, as far as both have them.

    Args:
        old: The other layer.
        new: The new one.
        settings: Names of arguments that differ.
    """
    known = vars(keras.Layer())
    for name, value in vars(new).items():
        other = vars(old).get(name, _MISSING)
        if name in known or name in settings or other is _MISSING:
            continue
        if name.startswith("_") and value is None:
            continue  # What it is set to when it is built.
        plain = all(isinstance(each, SIMPLE) for each in keras.tree.flatten((value, other)))
        if plain and value != other:
            return False
        if isinstance(value, types.FunctionType) and value is not other:
            return False
    return True
