"""A layer again from its configuration, whoever wrote its classes."""

import contextlib
import copy
import types
from collections.abc import Iterator
from typing import Any

import keras

from adaptive_nets.graphs.configs.constructor import arguments_of, by_constructor
from adaptive_nets.graphs.configs.incomplete import (
    all_lost,
    carry_values,
    completed,
    lost_settings,
    say_arguments,
    saying,
)
from adaptive_nets.graphs.state import by_path, carry_assets
from adaptive_nets.keras_internals import (
    create_states,
    layers_in,
    states_batch_size,
    unsafe_deserialization,
    without_stateless_scope,
)


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
    settings = settings or {}
    try:
        new = _configured(operation, settings, trust_lambdas)
        lost, said, cause = all_lost(operation, new, settings), saying(operation), None
    except Exception as error:
        lost, cause = ["the class"], error
    if lost:
        new, said, lost = _completed(operation, settings, trust_lambdas, lost)
        if lost:
            raise cause or ValueError(
                f"get_config() of {type(operation).__name__} does not say {', '.join(lost)}"
            )
    keep_name(new, settings.get("name", operation.name))
    _share_functions(operation, new, settings)
    carry_values(operation, new, settings)
    if said:
        news = by_path(new)
        for path in said:
            if path in news:
                say_arguments(news[path])
    carry_assets(operation, new)
    make_states(operation, new)
    return new


def _configured(operation: Any, settings: dict[str, Any], trust_lambdas: bool) -> Any:
    known = names_in(operation)
    given = {**_config_of(operation), **settings}
    if any(True for _ in _stateful(operation)):
        # Keras would build those inside, and make their states, before there is a place for them.
        given = _unbuilt(given)
    with in_scope(known, trust_lambdas):
        try:
            return type(operation).from_config(by_module(given, known))
        except Exception as error:
            return _of_parts(type(operation), by_module(given, known), error)


def _of_parts(kind: type, config: dict[str, Any], error: Exception) -> Any:
    """A layer of a class that does not make objects of the forms in its own configuration.

    Or that takes a form of None for one.

    Raises:
        Exception: What Keras raised, where this is not the reason.
    """
    held = [each for name, each in config.items() if name != "dtype"]
    if not any(_is_form(each) or isinstance(each, keras.Layer) for each in held):
        raise error
    try:
        return kind(**{name: _of_form(each) for name, each in config.items()})
    except Exception:
        raise error from None


def _is_form(value: Any) -> bool:
    """Whether an entry of a configuration is the serialized form of an object."""
    return isinstance(value, dict) and {"class_name", "config"} <= value.keys()


def _of_form(value: Any) -> Any:
    return keras.saving.deserialize_keras_object(value) if _is_form(value) else value


def _completed(
    operation: Any, settings: dict[str, Any], trust_lambdas: bool, lost: list[str]
) -> tuple[Any, list[str], list[str]]:
    """A layer made of what constructors take, where configurations do not say it.

    Returns:
        The layer, the paths in it of those that are to say it from now on, and what is lost still.
    """
    with in_scope(names_in(operation), trust_lambdas), completed(operation) as said:
        try:
            new = _configured(operation, settings, trust_lambdas)
        except Exception:
            new, said = by_constructor(operation, settings), [""]
        return new, said, lost if new is None else all_lost(operation, new, settings)


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
    try:
        given = settings_of(layer) if held else {}
    except Exception:
        return []  # The layer around it gave them.
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
        if arguments_of(layer) is None:
            return form
        if not all_lost(layer, type(layer).from_config(copy.deepcopy(form["config"]))):
            return form
    except Exception:
        if arguments_of(layer) is None:
            raise
    with completed(layer):
        return keras.saving.serialize_keras_object(layer)


def made_of(config: dict[str, Any], like: Any, trust_lambdas: bool = True) -> Any:
    """A layer of a serialized form, whose classes are those of another and registered ones.

    Args:
        config: The serialized form.
        like: The layer from whose serialized form it was made.
        trust_lambdas: As for `again`.
    """
    known = names_in(like)
    with in_scope(known, trust_lambdas):
        try:
            new = keras.saving.deserialize_keras_object(by_module(config, known))
        except Exception as error:
            if config["class_name"] != type(like).__name__:
                raise
            new = _of_parts(type(like), by_module(config["config"], known), error)
    lost = lost_settings(like, new)
    if lost:
        raise ValueError(f"get_config() of {type(like).__name__} does not say {', '.join(lost)}")
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
