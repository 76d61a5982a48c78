"""A layer again from its configuration, whoever wrote its classes."""

import contextlib
import copy
import inspect
import types
from collections.abc import Container, Iterator
from typing import Any

import keras

from adaptive_nets.graphs.state import by_path, carry_assets
from adaptive_nets.keras_internals import (
    create_states,
    given_arguments,
    layers_in,
    states_batch_size,
    unsafe_deserialization,
    without_stateless_scope,
)

_SIMPLE = (bool, int, float, str, type(None))
_MISSING = object()


def again(
    operation: Any, settings: dict[str, Any] | None = None, trust_lambdas: bool = True
) -> Any:
    """A new layer, model or operation of the same class and configuration, with fresh weights.

    Classes and functions that it is made of need not be registered: they are found by the names of
    their modules, so that two of one name do not meet. Tables (vocabularies) come along. Where
    `get_config` and `from_config` do not fit, its constructor is given what its attributes hold.

    Args:
        operation: The layer, model or operation. It is not changed.
        settings: What differs from its configuration. Defaults to `None`: nothing.
        trust_lambdas: Whether Python lambdas in it are copied. Defaults to `True`.

    Raises:
        Exception: Whatever its `get_config` or `from_config` raises, where its attributes do not
            say it either.
    """
    try:
        known = names_in(operation)
        config = by_module({**_config_of(operation), **(settings or {})}, known)
        if any(True for _ in _stateful(operation)):
            # Keras would build those inside, and make their states, before there is a place for
            # them.
            config = _unbuilt(config)
        with in_scope(known, trust_lambdas):
            new = type(operation).from_config(config)
    except Exception:
        new = by_constructor(operation, settings)
        if new is None:
            raise
    keep_name(new, (settings or {}).get("name", operation.name))
    _share_functions(operation, new, settings or {})
    carry_assets(operation, new)
    make_states(operation, new)
    return new


def keep_name(new: Any, name: str) -> None:
    """Gives a layer a name that its constructor may have made longer."""
    if isinstance(new, keras.Layer) and new.name != name:
        new.name = name


def make_states(old: Any, new: Any) -> None:
    """Makes the states of stateful layers, also while a model is made whose variables wait.

    States are tensors from the start, which Keras does not allow in such a scope.

    Args:
        old: A built layer, which may hold stateful ones.
        new: One that was made of it, not built.
    """
    news = by_path(new)
    for path, layer in _stateful(old):
        batch = states_batch_size(layer)
        if batch is not None and type(news.get(path)) is type(layer):
            with without_stateless_scope():
                create_states(news[path], batch)


def _stateful(operation: Any) -> Iterator[tuple[str, Any]]:
    found = by_path(operation) if isinstance(operation, keras.layers.Layer) else {}
    for path, layer in found.items():
        if isinstance(layer, keras.layers.RNN) and layer.stateful:
            yield path, layer


def _unbuilt(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _unbuilt(value) for key, value in config.items() if key != "build_config"}
    return [_unbuilt(value) for value in config] if type(config) is list else config


def _config_of(operation: Any) -> dict[str, Any]:
    """A configuration in which an activation that is a lambda stands as it is.

    Keras writes it in a form that it does not read.
    """
    config = operation.get_config()
    held = config.get("activation")
    unread = isinstance(held, dict) and "class_name" not in held
    return {**config, "activation": operation.activation} if unread else config


def _share_functions(old: Any, new: Any, settings: dict[str, Any]) -> None:
    """Lets a layer and those in it call the very functions that another calls.

    A configuration knows functions by a name, which several may have, or as code without the
    names that it sees where it was written.
    """
    news = by_path(new)
    for path, layer in by_path(old).items():
        other = vars(news[path]) if path in news else {}
        for name in _configured_functions(layer):
            if name not in settings and isinstance(other.get(name), types.FunctionType):
                other[name] = vars(layer)[name]


def _configured_functions(layer: Any) -> list[str]:
    """The attributes of a layer that hold functions which were given to it.

    Functions that it has made for itself may use its own weights.
    """
    held = [name for name, x in vars(layer).items() if isinstance(x, types.FunctionType)]
    # What stands in the class too is a method, which Keras has wrapped.
    held = [name for name in held if not hasattr(type(layer), name)]
    given = settings_of(layer) if held else {}
    return [name for name in held if name in given]


def settings_of(operation: Any) -> dict[str, Any]:
    """The configuration of a layer, or what its constructor takes if it has no sound one.

    Raises:
        Exception: Whatever its `get_config` raises, where its attributes do not say it either.
    """
    try:
        return operation.get_config()
    except Exception:
        found = arguments_of(operation)
        if found is None:
            raise
        return found


def form_of(layer: Any) -> dict[str, Any]:
    """A layer's serialized form, of which its class can be made again.

    Where its configuration is wrong, the form holds what its constructor takes.

    Raises:
        Exception: Whatever its `get_config` raises, where its attributes do not say it either.
    """
    try:
        form = keras.saving.serialize_keras_object(layer)
        if arguments_of(layer) is not None:
            type(layer).from_config(copy.deepcopy(form["config"]))
        return form
    except Exception:
        given = arguments_of(layer)
        if given is None:
            raise
    kind = type(layer)
    config = {name: keras.saving.serialize_keras_object(each) for name, each in given.items()}
    return {
        "module": kind.__module__,
        "class_name": kind.__name__,
        "config": config,
        "registered_name": keras.saving.get_registered_name(kind),
    }


def made_of(config: dict[str, Any], like: Any, trust_lambdas: bool = True) -> Any:
    """A layer of a serialized form, whose classes are those of another and registered ones.

    Args:
        config: The serialized form.
        like: The layer from whose serialized form it was made.
        trust_lambdas: As for `again`.
    """
    known = names_in(like)
    with in_scope(known, trust_lambdas):
        new = keras.saving.deserialize_keras_object(by_module(config, known))
    _share_functions(like, new, {})
    return new


def names_in(operation: Any) -> dict[str, Any]:
    """The classes and functions that a layer holds, by module and name."""
    parts = layers_in(operation) if isinstance(operation, keras.Layer) else [operation]
    held = [*parts, *(value for part in parts for value in list(vars(part).values()))]
    found: dict[str, Any] = {}
    unclear = set()
    for value in held:
        if isinstance(value, types.FunctionType):
            each, name = value, keras.saving.get_registered_name(value)
        elif hasattr(value, "get_config") and not isinstance(value, type):
            each, name = type(value), type(value).__name__
        else:
            continue
        key = f"{each.__module__}.{name}"
        if found.setdefault(key, each) is not each:
            unclear.add(key)
    # Of two that are made in one module under one name, a configuration does not say which it was.
    return {key: each for key, each in found.items() if key not in unclear}


def by_module(config: Any, known: dict[str, Any]) -> Any:
    """A configuration with classes and functions named by their modules, as in `names_in`."""
    if isinstance(config, dict):
        new = {key: by_module(value, known) for key, value in config.items()}
        kind, module = config.get("class_name"), config.get("module")
        if kind == "function":
            new["config"] = _function(new["config"], known)
        elif "registered_name" in config and _is_foreign(known.get(f"{module}.{kind}")):
            new["registered_name"] = f"{module}.{kind}"
        return new
    if type(config) in (list, tuple):
        return type(config)(by_module(value, known) for value in config)
    return config


def _function(name: str, known: dict[str, Any]) -> str:
    """A function's name with its module, which Keras does not write down."""
    found = [
        key
        for key, each in known.items()
        if isinstance(each, types.FunctionType) and key == f"{each.__module__}.{name}"
    ]
    return next((key for key in found if _is_foreign(known[key])), name)


def _is_foreign(each: Any) -> bool:
    """Whether a class or function is of another package than Keras, which finds its own."""
    return each is not None and each.__module__.partition(".")[0] != "keras"


@contextlib.contextmanager
def in_scope(known: dict[str, Any], trust_lambdas: bool) -> Iterator[None]:
    """Within it Keras finds what `names_in` found."""
    trusting = unsafe_deserialization() if trust_lambdas else contextlib.nullcontext()
    foreign = {key: each for key, each in known.items() if _is_foreign(each)}
    with trusting, keras.saving.custom_object_scope(foreign):
        yield


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
    settings = settings or {}
    given = {**found, **settings}
    if "name" not in found:
        given.pop("name", None)
    try:
        new = type(layer)(**given)
    except Exception:
        return None
    new.name = settings.get("name", layer.name)
    return new if _is_alike(layer, new, settings) else None


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
            value = layer.get_config().get(each.name, each.default)
            plain = all(isinstance(x, _SIMPLE) for x in keras.tree.flatten(value))
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


def _is_alike(old: Any, new: Any, settings: dict[str, Any]) -> bool:
    """Whether the attributes of a new layer are those of another, as far as both have them."""
    known = vars(keras.Layer())
    for name, value in vars(new).items():
        other = vars(old).get(name, _MISSING)
        if name in known or name in settings or other is _MISSING:
            continue
        if name.startswith("_") and value is None:
            continue  # What it is set to when it is built.
        plain = all(isinstance(each, _SIMPLE) for each in keras.tree.flatten((value, other)))
        if plain and value != other:
            return False
        if isinstance(value, types.FunctionType) and value is not other:
            return False
    return True
