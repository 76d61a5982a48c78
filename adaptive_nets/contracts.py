"""What a file may name: classes and functions that are there already, and of the expected kind.

Files describe an object by a name and a configuration. A name is looked up in the Keras registry,
in the `custom_objects` of the caller, and among Keras' own layers, optimizers, losses and the like.
No module is imported because a file names it, and no class makes an object before its name and all
names in its configuration have been checked.
"""

import contextlib
import functools
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from adaptive_nets._checks import show

# Deeper than any model, and well within what Python can follow by recursion.
MAX_DEPTH = 300

# What registers the classes of this package.
_OWN_ROOMS = (
    "data", "heads", "generators", "adanet", "growth", "majority", "energy", "callbacks",
    "estimator",
)  # fmt: skip
# Layers of keras-hub, which is loaded for them, as Keras does.
_HUB = "keras_hub"

# What may stand in a place that takes an object: classes that it may be derived from, by room and
# name, and whether a function will do.
_CONTRACTS: dict[str, tuple[tuple[tuple[str, str], ...], bool]] = {
    "head": ((("adaptive_nets.heads", "Head"),), False),
    "generator": ((("adaptive_nets.adanet", "Generator"),), False),
    "strategy": ((("adaptive_nets.adanet", "Strategy"),), False),
    "ensembler": ((("adaptive_nets.adanet", "Ensembler"),), False),
    "penalty": ((("adaptive_nets.adanet", "Penalty"),), True),
    "complexity": ((("adaptive_nets.adanet", "Complexity"),), True),
    "evaluator": ((("adaptive_nets.adanet", "Evaluator"),), False),
    "early_stopping": ((("adaptive_nets.adanet", "EarlyStopping"),), False),
    "layer": ((("keras", "Layer"),), False),
    "optimizer": ((("keras.optimizers", "Optimizer"),), False),
    "schedule": ((("keras.optimizers.schedules", "LearningRateSchedule"),), False),
    "loss": ((("keras.losses", "Loss"),), True),
    "metric": ((("keras.metrics", "Metric"),), False),
    "initializer": ((("keras.initializers", "Initializer"),), True),
    "regularizer": ((("keras.regularizers", "Regularizer"),), True),
    "constraint": ((("keras.constraints", "Constraint"),), True),
}

# Where Keras keeps functions that a layer, a loss or a metric may be given.
_FUNCTIONS = (
    "keras.activations", "keras.losses", "keras.metrics", "keras.initializers",
    "keras.regularizers", "keras.constraints", "keras.ops", "keras.ops.image", "keras.ops.linalg",
    "keras.ops.nn", "keras.ops.numpy", "keras.random",
)  # fmt: skip
# Functions there that make objects themselves.
_MAKERS = frozenset(("deserialize", "get", "serialize"))

# Where a class of Keras is looked up that a file names without its module, as older files do.
_CLASSES = (
    "keras.layers", "keras", "keras.optimizers", "keras.optimizers.schedules", "keras.losses",
    "keras.metrics", "keras.initializers", "keras.regularizers", "keras.constraints",
    "keras.utils",
)  # fmt: skip
# Keras has more names for a model than it exports.
_OTHER_NAMES = {"Functional": "Model"}

# Values, not objects: Keras makes these itself.
_VALUES = frozenset(
    ("__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__")
)
# Settings of Keras' and keras-hub's layers that are read from a file if they are text.
_PATHS = frozenset(
    ("vocabulary", "idf_weights", "merges", "proto", "special_tokens", "language_tokens")
)


@functools.cache
def _kinds() -> tuple[type, ...]:
    """What Keras' own classes in a file may be derived from."""
    named = (keras.quantizers, "QuantizationConfig"), (keras.optimizers, "OptimizerMap")
    newer = [getattr(module, name, None) for module, name in named]
    space = keras.utils.FeatureSpace
    features = type(space.float()), type(space.cross(("a", "b"), 2))
    return (
        keras.Operation, keras.optimizers.Optimizer, keras.losses.Loss, keras.metrics.Metric,
        keras.optimizers.schedules.LearningRateSchedule, keras.initializers.Initializer,
        keras.regularizers.Regularizer, keras.constraints.Constraint, keras.DTypePolicy,
        keras.quantizers.Quantizer, keras.random.SeedGenerator, *features,
        *(kind for kind in newer if kind is not None),
    )  # fmt: skip


@functools.cache
def _running() -> tuple[type, ...]:
    """Layers that run code of the file, or of a file that it names."""
    names = ("TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
    found = [getattr(keras.layers, name, None) for name in names]
    return tuple(kind for kind in found if kind is not None)


def registered(name: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The class or function that is registered, or passed by the caller, under a name, or `None`.

    Args:
        name: The name, such as `"my_package>MyLayer"`.
        custom_objects: Classes and functions by name that the caller has passed.
    """
    if not isinstance(name, str):
        return None
    found = keras.saving.get_registered_object(name, dict(custom_objects or {}))
    if found is None and _load(name.partition(">")[0]):
        found = keras.saving.get_registered_object(name)
    return found


@functools.cache
def _load(package: str) -> bool:
    """Loads what registers the classes of this package or of keras-hub; no other is loaded."""
    if package == "adaptive_nets":
        for room in _OWN_ROOMS:
            importlib.import_module(f"adaptive_nets.{room}")
        return True
    if package == _HUB and _is_installed(_HUB):
        importlib.import_module(_HUB)
        return True
    return False


def _is_installed(package: str) -> bool:
    """Whether a package lies beside Keras, and not, say, in the working folder."""
    found = importlib.util.find_spec(package)
    places = (found and found.origin, keras.__file__)
    return len({place and os.path.dirname(os.path.dirname(place)) for place in places}) == 1


def check_kind(found: Any, kind: str) -> None:
    """Refuses a class or function that does not fit where it stands.

    Args:
        found: What a name has led to.
        kind: What is expected, such as `"head"` or `"optimizer"`.

    Raises:
        ValueError: It is something else. The message is one line without an end.
    """
    if kind not in _CONTRACTS:
        raise ValueError(f"{kind} takes no object")
    bases, functions = _CONTRACTS[kind]
    if isinstance(found, type):
        wanted = tuple(getattr(importlib.import_module(room), name) for room, name in bases)
        if issubclass(found, wanted) or (functions and _is_like_function(found)):
            return
    elif functions and callable(found):
        return
    words = " or ".join([*(name for _, name in bases), *(["a function"] if functions else [])])
    shown = getattr(found, "__name__", type(found).__name__)
    raise ValueError(f"a {kind} was expected ({words}), and it names {shown}")


@contextlib.contextmanager
def custom_scope(custom_objects: Mapping[str, Any] | None) -> Iterator[None]:
    """Within it, names also lead to the classes and functions that the caller has passed.

    Unlike in Keras' own scope, those of a scope that is open already still hold.
    """
    with keras.saving.custom_object_scope({}) as scope:
        held = dict(scope.backup)
    with keras.saving.custom_object_scope({**held, **(custom_objects or {})}):
        yield


def keras_class(name: str, module: str | None = None) -> type | None:
    """A class of Keras' own, or of keras-hub's, by its name, if a file may name it, or `None`.

    Args:
        name: Name of the class, such as `"Dense"`.
        module: Its module, such as `"keras.layers"`. Defaults to `None`: wherever it is public.
    """
    places = _CLASSES if module is None else (module,)
    if module is None:
        name = _OTHER_NAMES.get(name, name)
    for place in places:
        # What is not loaded is not looked at: loading it would run what it imports.
        found = getattr(sys.modules.get(place), name, None) if _is_keras(place) else None
        if isinstance(found, type) and issubclass(found, _kinds()):
            return found
    return None


def _keras_function(name: str, module: Any) -> Any:
    places = _FUNCTIONS if module == "builtins" else (module,)
    if name in _MAKERS or name.startswith("_"):
        return None
    found = (getattr(sys.modules.get(place), name, None) for place in places if place in _FUNCTIONS)
    return next((each for each in found if callable(each)), None)


def _is_keras(module: Any) -> bool:
    if not isinstance(module, str):
        return False
    # Not all layers of keras-hub are registered.
    return _top(module) == "keras" or (_top(module) == _HUB and _load(_HUB))


def _top(module: str) -> str:
    return module.partition(".")[0]


def check_names(
    value: Any, custom_objects: Mapping[str, Any] | None = None, *, of_model: bool = False
) -> None:
    """Refuses a description that names what a file may not name, at any depth.

    Args:
        value: JSON values: a configuration, or the description of an object, as Keras writes it
            (`{"module": ..., "class_name": ..., "config": ...}`) or as this package does
            (`{"registered": ..., "config": ...}`).
        custom_objects: Classes and functions by name that the caller has passed. Defaults to
            `None`.
        of_model: Whether a model is described, in which no head, generator or the like of this
            package has a place. Defaults to `False`.

    Raises:
        ValueError: A class or function is not known, runs code of the file or reads another file,
            or the description is nested too deeply. The message is one line without an end.
    """
    for part in _parts(value):
        if "class_name" in part and "config" in part:
            _check_keras(part, custom_objects, of_model)
        elif part.keys() == {"registered", "config"}:
            _check_ours(part, custom_objects)


def _parts(value: Any) -> Iterator[dict]:
    """All dicts in a JSON value."""
    left = [(value, 0)]
    while left:
        value, depth = left.pop()
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
        if isinstance(value, dict):
            yield value
            left += [(each, depth + 1) for each in value.values()]
        elif isinstance(value, list | tuple):
            left += [(each, depth + 1) for each in value]


def _check_keras(part: dict, custom_objects: Mapping[str, Any] | None, of_model: bool) -> None:
    name, config = part["class_name"], part["config"]
    if not isinstance(name, str):
        raise ValueError(f"a class in it is named {show(name)}")
    if name in _VALUES:
        return
    if name == "__lambda__":
        raise ValueError("it holds a Python lambda, which is code")
    if name == "function":
        if not callable(described_class(part, custom_objects)):
            raise ValueError(
                f"it names the function {show(config)}, which is neither an activation, loss or "
                "operation of Keras nor registered with keras.saving.register_keras_serializable"
            )
        return
    found = described_class(part, custom_objects)
    shown = part.get("registered_name") or name
    _check_class(found, shown if found is None else found.__name__, config, custom_objects)
    if of_model and _top(found.__module__) == "adaptive_nets" and not issubclass(found, _kinds()):
        raise ValueError(f"it names {shown}, which is not part of a model")


def _is_like_function(found: type) -> bool:
    """Whether objects of a class are called as functions are, and are nothing of Keras besides."""
    called = any("__call__" in vars(base) for base in found.__mro__)
    return called and not issubclass(found, _kinds())


def described_class(part: Mapping[str, Any], custom_objects: Any = None) -> Any:
    """What the description of an object names, or `None`.

    Args:
        part: A dict with `"class_name"`, as Keras writes it.
        custom_objects: Classes and functions by name that the caller has passed.
    """
    name, module = part["class_name"], part.get("module")
    if name == "function":
        found = registered(part["config"], custom_objects)
        return found or (
            isinstance(part["config"], str) and _keras_function(part["config"], module)
        )
    # Keras looks for a class of its own only where none is registered.
    found = registered(part.get("registered_name", name), custom_objects)
    if found is None and isinstance(name, str) and (module is None or _is_keras(module)):
        found = keras_class(name, module)
    return found


def _check_ours(part: dict, custom_objects: Mapping[str, Any] | None) -> None:
    name, config = part["registered"], part["config"]
    if not isinstance(name, str):
        raise ValueError(f"an object in it is named {show(name)}")
    package, _, plain = name.rpartition(">")
    found = registered(name, custom_objects)
    if found is None and package == "keras":
        found = keras_class(plain)
    if config is None:
        raise ValueError(f"it is {name}, which no file can hold")
    if found is None:
        raise ValueError(
            f"{name}: no class or function of that name is registered with "
            "keras.saving.register_keras_serializable; import the module that does"
        )
    if isinstance(found, type):
        _check_class(found, name, config, custom_objects)


def _check_class(found: Any, name: Any, config: Any, custom_objects: Any) -> None:
    if found is None:
        raise ValueError(
            f"it names {show(name)}, which is neither a layer of Keras nor registered with "
            "keras.saving.register_keras_serializable"
        )
    if not isinstance(found, type) or not hasattr(found, "from_config"):
        raise ValueError(f"it names {name} where a class with from_config was expected")
    if issubclass(found, _running()):
        raise ValueError(f"it holds a {found.__name__}, which runs code that a file names")
    if not isinstance(config, dict):
        return
    if issubclass(found, keras.layers.Lambda):
        _check_lambda(config, custom_objects)
    if _reads_files(found):
        named = [key for key in sorted(_PATHS & config.keys()) if isinstance(config[key], str)]
        if named:
            raise ValueError(
                f"the {named[0]} of its {found.__name__} is the path {show(config[named[0]])}, "
                "and a model file may not name other files"
            )


def _reads_files(found: type) -> bool:
    """Whether settings of a class may be paths: of Keras' and keras-hub's, and what derives so."""
    tables = keras.layers.StringLookup, keras.layers.IntegerLookup, keras.layers.TextVectorization
    of_hub = any(_top(base.__module__) == _HUB for base in found.__mro__)
    return of_hub or _top(found.__module__) == "keras" or issubclass(found, tables)


def _check_lambda(config: dict, custom_objects: Mapping[str, Any] | None) -> None:
    for key in ("function", "output_shape", "mask"):
        given = config.get(key)
        if key != "function" and not isinstance(given, dict):
            continue
        known = isinstance(given, dict) and given.get("class_name") == "function"
        if not known or not callable(registered(given.get("config"), custom_objects)):
            raise ValueError("it holds a Lambda layer whose function is not registered")
