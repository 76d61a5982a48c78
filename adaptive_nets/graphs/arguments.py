"""What a layer's constructor was given, read from its attributes, where its config is wrong."""

import inspect
import types
from typing import Any

import keras

_SIMPLE = (bool, int, float, str, type(None))


def by_constructor(layer: Any, settings: dict[str, Any] | None = None) -> Any:
    """A layer of the same class, made by its constructor from what its attributes hold.

    Args:
        layer: The layer. It is not changed.
        settings: Arguments that differ. Defaults to `None`: none.

    Returns:
        The new layer; None where an argument is no attribute, or the new layer's attributes say
        that it was given others.
    """
    found = arguments_of(layer)
    if found is None:
        return None
    settings = settings or {}
    try:
        new = type(layer)(**{**found, **settings})
    except Exception:
        return None
    return new if _is_alike(layer, new, settings) else None


def arguments_of(layer: Any) -> dict[str, Any] | None:
    """The arguments of a layer's constructor; None where its attributes do not say them all."""
    if not isinstance(layer, keras.Layer) or isinstance(layer, keras.Model):
        return None
    found: dict[str, Any] = {
        "name": layer.name,
        "trainable": layer.trainable,
        "dtype": layer.dtype_policy,
    }
    parameters = list(inspect.signature(type(layer).__init__).parameters.values())[1:]
    takes_more = any(each.kind is each.VAR_KEYWORD for each in parameters)
    by_name = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    named = [each for each in parameters if each.kind in by_name]
    if not takes_more:
        found = {each.name: found[each.name] for each in named if each.name in found}
    for each in named:
        if each.name in found:
            continue
        value = vars(layer).get(each.name, vars(layer).get(f"_{each.name}", _MISSING))
        if value is _MISSING or _holds_parts(value):
            return None
        found[each.name] = value
    return found


_MISSING = object()


def _holds_parts(value: Any) -> bool:
    """Whether a value holds layers or weights, which two layers would share."""
    return any(
        isinstance(each, keras.Layer | keras.Variable | keras.KerasTensor)
        for each in keras.tree.flatten(value)
    )


def _is_alike(old: Any, new: Any, settings: dict[str, Any]) -> bool:
    """Whether the attributes of a new layer are those of another, as far as both have them."""
    known = vars(keras.Layer())
    for name, value in vars(new).items():
        other = vars(old).get(name, _MISSING)
        if name in known or name in settings or name.startswith("_") or other is _MISSING:
            continue
        plain = all(isinstance(each, _SIMPLE) for each in keras.tree.flatten((value, other)))
        if plain and value != other:
            return False
        if isinstance(value, types.FunctionType) and value is not other:
            return False
    return True
