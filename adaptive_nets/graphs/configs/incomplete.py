"""Layers whose configuration does not say all that their constructor was given."""

import contextlib
import copy
import functools
import inspect
import types
from collections.abc import Container, Iterator
from typing import Any

import keras

from adaptive_nets.graphs.configs.constructor import SIMPLE, arguments_of, is_alike
from adaptive_nets.graphs.state import by_path
from adaptive_nets.keras_internals import given_arguments

_MISSING = object()
# What every layer takes, and what is carried from layer to layer in another way.
_COMMON = frozenset(["name", "trainable", "dtype"])
# What Keras gives every layer.
_KEPT = frozenset(vars(keras.Layer()))


def lost_settings(old: Any, new: Any, known: Container[str] = ()) -> list[str]:
    """What a layer lacks that was made from the configuration of another.

    Args:
        old: The other layer. A configuration of Keras' own layers is complete.
        new: The layer, of the same class.
        known: Names of settings that were changed on purpose.

    Returns:
        The names of arguments that have their defaults again, or of another dtype.
    """
    if not isinstance(old, keras.Layer) or type(new) is not type(old) or _is_stock(old):
        return []
    if isinstance(old, keras.Model) and type(old).get_config.__module__.startswith("keras."):
        return []  # It is its graph; attributes are carried.
    if _takes_any_number(type(old)) and not is_alike(old, new, known):
        return ["its arguments"]  # A configuration has no names for them.
    named = [x for x in _parameters(type(old)) if x.name not in _COMMON and x.name not in known]
    said = _said_by(old) if named else {}
    lost = [each.name for each in named if _is_lost(old, new, each, said)]
    if "dtype" not in known and new.dtype_policy.name != old.dtype_policy.name:
        lost.append("dtype")
    return lost


def all_lost(old: Any, new: Any, known: Container[str] = ()) -> list[str]:
    """As `lost_settings`, also of the layers inside; these follow where settings were changed."""
    found = lost_settings(old, new, known)
    if not isinstance(old, keras.Layer) or set(known) - _COMMON:
        return found
    news = by_path(new)
    for path, layer in by_path(old).items():
        if layer is not old and path in news:
            found += [f"{layer.name}.{name}" for name in lost_settings(layer, news[path])]
    return found


def carry_values(old: Any, new: Any, known: Container[str] = ()) -> None:
    """Carries numbers and words that a layer, and those in it, hold beside their arguments.

    Such a value was changed after the layer was made, or made of an argument that nothing says.

    Args:
        old: The layer.
        new: One that was made like it.
        known: Names of settings that were changed on purpose: then values follow from these.
    """
    if not isinstance(old, keras.Layer) or set(known) - _COMMON:
        return
    news = by_path(new)
    for path, layer in by_path(old).items():
        other = news.get(path)
        if _is_stock(layer) or isinstance(layer, keras.Model) or type(other) is not type(layer):
            continue
        for name, value in vars(layer).items():
            held = vars(other).get(name, _MISSING)
            # Whole numbers and booleans may count calls, or say what is built.
            carried = type(value) in (float, str) and type(held) is type(value)
            if carried and value != held and name not in _KEPT:
                vars(other)[name] = value


@contextlib.contextmanager
def completed(layer: Any) -> Iterator[list[str]]:
    """Within it `get_config()` of a layer, and of those in it, says what the constructors take.

    The list has the paths of the layers that could not be made from what they say of themselves.
    """
    found = by_path(layer) if isinstance(layer, keras.Layer) else {}
    changed = {path: each for path, each in found.items() if _is_incomplete(each)}
    passing = [each for each in changed.values() if "get_config" not in vars(each)]
    try:
        for each in passing:
            say_arguments(each)
        yield list(changed)
    finally:
        for each in passing:
            vars(each).pop("get_config", None)


def say_arguments(layer: Any) -> None:
    """From now on `get_config()` of a layer returns what its constructor takes, where it is known.

    So a file of its model can be loaded, also without this package.
    """
    given = arguments_of(layer)
    if given is not None:
        # Keras need not track it, and the layer may be locked.
        vars(layer)["get_config"] = functools.partial(_said, layer, given)


def _said(layer: Any, given: dict[str, Any]) -> dict[str, Any]:
    now = {"name": layer.name, "trainable": layer.trainable}
    return {**given, **{name: value for name, value in now.items() if name in given}}


def saying(layer: Any) -> list[str]:
    """The paths in a layer of those for which `say_arguments` was called."""
    found = by_path(layer) if isinstance(layer, keras.Layer) else {}
    return [path for path, each in found.items() if "get_config" in vars(each)]


def _is_incomplete(layer: Any) -> bool:
    if "get_config" in vars(layer):
        return True
    if _is_stock(layer) or arguments_of(layer) is None:
        return False
    try:
        config = keras.saving.serialize_keras_object(layer)["config"]
        return bool(lost_settings(layer, type(layer).from_config(copy.deepcopy(config))))
    except Exception:
        return True


def _is_stock(layer: Any) -> bool:
    return type(layer).__module__.partition(".")[0] == "keras"


def _parameters(kind: type) -> list[inspect.Parameter]:
    by_name = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    return [each for each in parameters if each.kind in by_name]


def _takes_any_number(kind: type) -> bool:
    if kind.get_config is not keras.Layer.get_config:
        return False  # It says them itself.
    parameters = inspect.signature(kind.__init__).parameters.values()
    return any(each.kind is each.VAR_POSITIONAL for each in parameters)


def _said_by(layer: Any) -> dict[str, Any] | None:
    """A layer's configuration; None where it has none: the layer around it made it by itself."""
    try:
        return layer.get_config()
    except Exception:
        return None


def _is_lost(old: Any, new: Any, parameter: inspect.Parameter, said: Container[str] | None) -> bool:
    """Whether an argument has its default again, which it had not."""
    name, default = parameter.name, parameter.default
    held = [_held(each, name) for each in (old, new)]
    if all(x is not _MISSING for x in held):
        if _is_same(*held):
            return False
        # Its constructor was given another number than its attribute holds, which is not carried.
        if all(type(x) in (int, bool) for x in held):
            return True
    # What Keras has noted comes before attributes, which `build` may have set.
    given = [given_arguments(each).get(name, _MISSING) for each in (old, new)]
    before, after = given if given[0] is not _MISSING else held
    if before is _MISSING or _is_same(before, default):
        return False
    after = held[1] if after is _MISSING else after
    is_unsaid = said is not None and name not in said
    return is_unsaid or (after is not _MISSING and _is_same(after, default))


def _held(layer: Any, name: str) -> Any:
    found = vars(layer).get(name, vars(layer).get(f"_{name}", _MISSING))
    is_part = isinstance(found, keras.Layer | keras.Variable | keras.KerasTensor)
    return _MISSING if is_part else found


def _is_same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if isinstance(one, types.FunctionType) or isinstance(other, types.FunctionType):
        return False
    flat = [keras.tree.flatten(each) for each in (one, other)]
    if not all(isinstance(each, SIMPLE) for each in (*flat[0], *flat[1])):
        return False
    return len(flat[0]) == len(flat[1]) and all(a == b for a, b in zip(*flat, strict=True))
