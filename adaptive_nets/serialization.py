"""Settings and objects as JSON values, and back.

An object is described by the name it is registered with and by its configuration:

    {"registered": "adaptive_nets>Grow", "config": {}}

A class of Keras' own goes by `keras>` and its name. A function that is registered has an empty
configuration; the configuration is `None` of what no file can hold, such as a lambda. No name that
stands in a file is ever imported.
"""

import copy
import numbers
from typing import Any

import keras

from adaptive_nets.contracts import (
    check_kind,
    check_names,
    described_class,
    keras_class,
    registered,
)

# What an argument of `AdaNet` may be, where it is not called so itself.
_KINDS = {
    "ensemble_strategies": "strategy",
    "mixture_weights": "ensembler",
    "preprocessing": "layer",
    "learning_rate": "schedule",
}

# Classes that were described by their module only, as 0.1.0 did.
_OLD_CLASSES = {
    "adaptive_nets.adanet.strategy.Grow": "adaptive_nets>Grow",
    "adaptive_nets.adanet.strategy.Solo": "adaptive_nets>Solo",
    "adaptive_nets.adanet.strategy.All": "adaptive_nets>All",
    "adaptive_nets.adanet.ensemble.UniformEnsembler": "adaptive_nets>UniformEnsembler",
    "adaptive_nets.adanet.ensemble.MixtureEnsembler": "adaptive_nets>MixtureEnsembler",
}

# What 0.1.0 wrote of ensemblers did not hold their penalty. Of the average it is none by default;
# that of a mixture is not known, so that such a state cannot rebuild one.
_NO_PENALTY = {
    "registered": "adaptive_nets>Penalty",
    "config": {"adanet_lambda": 0.0, "adanet_beta": 0.0},
}
_OLD_CONFIGS = {
    "adaptive_nets>UniformEnsembler": {"gamma": _NO_PENALTY},
    "adaptive_nets>MixtureEnsembler": None,
}


def describe_object(value: Any) -> Any:
    """A setting as JSON: plain values as they are, objects by registered name and configuration."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, list | tuple):
        return [describe_object(v) for v in value]
    if isinstance(value, dict):
        return {str(k): describe_object(v) for k, v in value.items()}
    if hasattr(value, "get_config"):
        config = describe_object(value.get_config())
        return {"registered": _name_of(type(value)), "config": config}
    if not hasattr(value, "__name__"):
        return {"registered": _name_of(type(value)), "config": None}
    registered = keras.saving.get_registered_object(_name_of(value)) is value
    return {"registered": _name_of(value), "config": {} if registered else None}


def restore_object(value: Any, setting: str, kind: str | None = None) -> Any:
    """The setting that `describe_object` or Keras described; a description of 0.1.0 will do.

    Args:
        value: The description.
        setting: The constructor argument of `AdaNet` that it is, or is a part of.
        kind: As for `make_object`. Defaults to `None`: what the setting takes.

    Raises:
        ValueError: As for `make_object`. The message says which argument to pass instead.
    """
    try:
        value = normalize(value)
        check_names(value)
        return _made(value, kind or _KINDS.get(setting, setting))
    except ValueError as error:
        if str(error).startswith("The search's "):
            raise
        raise ValueError(
            f"The search's {setting} cannot be rebuilt from its state: "
            f"{str(error).removesuffix('.')}. Pass it: AdaNet.load(model_dir, {setting}=...)."
        ) from error


def make_object(value: Any, kind: str) -> Any:
    """The object, or the list of objects, of a description; other values as they are.

    Names are looked up at every depth, and what they lead to is compared with what is expected,
    before anything is made of a configuration. Where Keras has been told to trust what it reads
    (`safe_mode=False`), a description may hold code.

    Args:
        value: The description.
        kind: What is expected, a key of the contracts, such as `"loss"`.

    Raises:
        ValueError: A class or function is not known or of another kind, or a configuration does
            not say all. The message is one line.
    """
    value = normalize(value)
    if not _keras_trusts():
        check_names(value)
    elif isinstance(value, dict) and "class_name" in value:
        return keras.saving.deserialize_keras_object(copy.deepcopy(value))
    return _made(value, kind)


def _keras_trusts():
    """Whether Keras reads code here; it says so itself when it is given some."""
    try:
        keras.saving.deserialize_keras_object({"class_name": "__lambda__", "config": {"value": 0}})
    except ValueError:
        return False
    except Exception:
        # It has tried to read what was no code.
        return True
    return True


def _made(value, kind):
    if isinstance(value, list):
        return [_made(v, kind) for v in value]
    if _is_description(value):
        name, config = value["registered"], value["config"]
        found = _find(name)
    elif isinstance(value, dict) and {"class_name", "config"} <= value.keys():
        name, config = value.get("registered_name") or value["class_name"], value["config"]
        found = described_class(value)
    else:
        if isinstance(value, str) and registered(value) is not None:
            # Keras takes names for what is registered under them.
            check_kind(registered(value), kind)
        return value
    if not found or config is None:
        raise ValueError(f"{name}: it is not known here")
    if isinstance(config, dict) and config.get("own_data"):
        raise ValueError(f"{name}: its data is not in the state")
    check_kind(found, kind)
    if not isinstance(found, type):
        return found
    try:
        # Keras changes what it reads.
        if "class_name" in value and value.get("module") is not None:
            return keras.saving.deserialize_keras_object(copy.deepcopy(value))
        return found.from_config(copy.deepcopy(config))
    except Exception as error:
        text = " ".join(str(error).split())
        if isinstance(error, ValueError) and text.startswith("The search's "):
            raise
        kept = isinstance(error, ValueError) and text
        text = text if kept else f"{type(error).__name__}: {text}"
        text = text if len(text) <= 400 else f"{text[:400]}..."
        raise ValueError(f"{name}: {text}") from error


def normalize(value: Any) -> Any:
    """JSON values in which each object is described as this version does it.

    0.1.0 described an object by its class's module, which may have moved since:
    `{"class": "adaptive_nets.adanet.strategy.Grow", "registered": "Grow", "config": {}}`. Other
    values come back as they are.
    """
    if isinstance(value, list):
        return [normalize(v) for v in value]
    if not isinstance(value, dict):
        return value
    if not _is_old(value):
        return {k: normalize(v) for k, v in value.items()}
    path, name = value["class"], value.get("registered")
    config = normalize(value["config"])
    if path in _OLD_CLASSES:
        name = _OLD_CLASSES[path]
        config = _OLD_CONFIGS.get(name, config)
    elif name is None:
        name, config = _function_of(path)
    if path.startswith("keras.") and ">" not in name:
        name = f"keras>{name}"
    return {"registered": name, "config": config}


def _is_old(value):
    keys = {"class", "config"}
    return keys <= value.keys() <= keys | {"registered"} and isinstance(value["class"], str)


def _is_description(value):
    if not isinstance(value, dict) or value.keys() != {"registered", "config"}:
        return False
    return isinstance(value["registered"], str) and isinstance(value["config"], dict | None)


def _function_of(path):
    """Name and configuration of what 0.1.0 described by its path alone."""
    for name, known in keras.saving.get_custom_objects().items():
        if path == f"{getattr(known, '__module__', '')}.{getattr(known, '__qualname__', '')}":
            return name, {}
    return path.rpartition(".")[2], None


def _name_of(thing):
    """The registered name of a class or function; its own where it has none."""
    name = keras.saving.get_registered_name(thing)
    ours_or_theirs = getattr(thing, "__module__", "").partition(".")[0]
    return f"keras>{name}" if ours_or_theirs == "keras" and ">" not in name else name


def _find(name):
    """The class or function of that name, or `None`."""
    package, _, plain = name.rpartition(">")
    return keras_class(plain) if package == "keras" else registered(name)


def differences(
    stored: Any, given: Any, path: str = "", words: tuple[str, str] = ("stored", "now")
) -> list[str]:
    """Where two JSON values differ, one line each.

    Args:
        stored: A value.
        given: Another.
        path: What both are called. Defaults to `""`.
        words: What to call the one and the other. Defaults to `("stored", "now")`.
    """
    if isinstance(stored, dict) and isinstance(given, dict):
        found = []
        for key in sorted(stored.keys() | given.keys()):
            where = f"{path}.{key}" if path else key
            if key not in stored or key not in given:
                there, here = stored.get(key, "absent"), given.get(key, "absent")
                found.append(f"{where}: {words[0]} {there!r}, {words[1]} {here!r}")
            else:
                found += differences(stored[key], given[key], where, words)
        return found
    if stored == given:
        return []
    return [f"{path}: {words[0]} {stored!r}, {words[1]} {given!r}"]
