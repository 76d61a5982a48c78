"""What a model is beside the layers of its graph: its class, its attributes, weights, constants."""

import types
from collections import Counter
from collections.abc import Iterator
from typing import Any

import keras

from adaptive_nets.graphs.read import PLAIN_MODELS, functional, ordered_nodes
from adaptive_nets.keras_internals import (
    attributes_of_keras,
    functional_class,
    has_graph,
    layers_in,
    takes_a_graph,
)

# What Keras calls in `fit`, `evaluate` and `predict`: a class that has its own trains otherwise.
_STEPS = frozenset(
    [
        *("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics"),
        *("make_train_function", "make_test_function", "make_predict_function"),
        *("stateless_call", "stateless_compute_loss", "get_metrics_result", "reset_metrics"),
        *("metrics", "jax_train_step", "tensorflow_train_step", "symbolic_call"),
    ]
)
# Of keras-hub they prepare raw text and images, which a plain model refuses.
_LOOPS = frozenset(
    [
        *("fit", "evaluate", "predict", "__call__"),
        *("train_on_batch", "test_on_batch", "predict_on_batch"),
    ]
)
_SIMPLE = (bool, int, float, str, type(None), types.FunctionType)


def check_whole(model: Any, verb: str, otherwise: str, made_whole: bool = False) -> None:
    """Refuses a model that holds what a new graph of its layers would lose without a word.

    Args:
        model: A built Sequential or Functional model, or one of a class derived from these.
        verb: What cannot be done to it.
        otherwise: What to do with a subclassed model other than rewriting it.
        made_whole: Whether a rule makes a model of the same class by its constructor.

    Raises:
        ValueError: Its class computes or trains in a way of its own and cannot be kept; it has
            weights that no layer of its graph holds; or its graph holds a variable.
    """
    functional(model, verb, otherwise)
    kind = f"{type(model).__module__}.{type(model).__name__}"
    if "call" in _own(model, {"call"}):
        raise ValueError(
            f"Cannot {verb} {model.name!r}: its class has a `call` of its own, so its graph does "
            f"not say what it computes. Expected a model that is its graph. Received: {kind}. Make "
            "a keras.Model of its inputs and outputs."
        )
    methods = _own(model, _STEPS | _LOOPS)
    if methods and not (made_whole or keeps_class(model)):
        raise ValueError(
            f"Cannot {verb} {model.name!r}: it would become a plain Functional model and lose "
            f"{', '.join(sorted(methods))} of its class. Expected a class that is made of inputs "
            f"and outputs, as keras.Model is. Received: {kind}. Make a keras.Model of its inputs "
            "and outputs, or take these as arguments of its constructor."
        )
    _check_weights(model, verb)


def keeps_class(model: Any) -> bool:
    """Whether a new graph can be made into a model of the same class."""
    kind = type(model)
    if kind in PLAIN_MODELS:
        return True
    own_form = any(
        name in vars(each)
        for each in kind.__mro__[: _first_of_keras(kind)]
        for name in ("get_config", "from_config")
    )
    return not own_form and takes_a_graph(kind)


def is_made_of_graph(layer: Any) -> bool:
    """Whether a layer is a model that computes its graph and nothing more, whatever its class."""
    return isinstance(layer, functional_class()) and "call" not in _own(layer, {"call"})


def class_of_new(source: Any, row: bool) -> type:
    """The class of a model that is made like another: its own, or a plain one.

    Args:
        source: The other.
        row: Whether the new one is made of a row of layers.
    """
    if keeps_class(source) and isinstance(source, keras.Sequential) == row:
        return type(source)
    return keras.Sequential if row else keras.Model


def lost_class(model: Any) -> str | None:
    """What a person should know of a model whose class is not kept; None where it is."""
    if keeps_class(model):
        return None
    return (
        f"becomes a plain Functional model: the methods and attributes of {type(model).__name__} "
        "are not carried"
    )


def held_attributes(model: Any) -> dict[str, Any]:
    """The attributes of a model, beside those of Keras, that hold layers, weights or tensors."""
    known = attributes_of_keras()
    return {
        name: value
        for name, value in list(vars(model).items())
        if name not in known and any(_is_part(each) for each in _leaves(value))
    }


def held_layers(model: Any) -> list[Any]:
    """The layers and weights that the attributes of a model hold, beside those of Keras."""
    found = [each for value in held_attributes(model).values() for each in _leaves(value)]
    return [each for each in found if _is_part(each)]


def carry_attributes(source: Any, new: Any) -> list[str]:
    """Gives a model made of another's layers the other's attributes.

    Layers are those of the same name in the new graph. A class that is kept gets the simple values
    as well, such as a rate that its `train_step` reads.

    Returns:
        The names of attributes that hold what the new graph does not have.
    """
    left = []
    for name, value in held_attributes(source).items():
        try:
            vars(new)[name] = moved(value, source, new)
        except KeyError:
            left.append(name)
    if type(new) is type(source) and type(new) not in PLAIN_MODELS:
        known = attributes_of_keras()
        for name, value in list(vars(source).items()):
            if name not in known and all(isinstance(each, _SIMPLE) for each in _leaves(value)):
                vars(new)[name] = value
    return left


def adopted_attributes(model: Any, new: Any) -> dict[str, Any]:
    """What the attributes of a model become when it takes over another's graph.

    Args:
        model: The model.
        new: The other. One that was made by the constructor of the model's class has them all.
    """
    if keeps_class(model):
        return {k: moved(value, model, new) for k, value in held_attributes(model).items()}
    known = attributes_of_keras()
    return {name: value for name, value in vars(new).items() if name not in known}


def check_adoptable(model: Any, verb: str) -> None:
    """Refuses a model that cannot take over another graph and stay of its class.

    Raises:
        ValueError: It could not be loaded once saved, or an attribute holds what is not a layer of
            its graph and would stay as it is.
    """
    kind = f"{type(model).__module__}.{type(model).__name__}"
    if not keeps_class(model):
        raise ValueError(
            f"Cannot {verb} {model.name!r} in the middle of training: {kind} makes its layers from "
            "settings of its own, which would still say the old ones. Expected a model of a class "
            "that is made of inputs and outputs. Make a keras.Model of its inputs and outputs, and "
            "train that."
        )
    for name, value in held_attributes(model).items():
        try:
            moved(value, model, model)
        except KeyError as error:
            raise ValueError(
                f"Cannot {verb} {model.name!r} in the middle of training: its attribute {name!r} "
                f"holds {error.args[0]!r}, which is not a layer of its graph and would stay as it "
                "is. Expected layers of the graph. Delete the attribute, and make it again after "
                "training."
            ) from error


def moved(value: Any, source: Any, new: Any) -> Any:
    """The layers of one model in the places of another's.

    Raises:
        KeyError: One of them is not in the graph.
    """
    if isinstance(value, list | tuple):
        found = [moved(each, source, new) for each in value]
        return tuple(found) if isinstance(value, tuple) else found
    if isinstance(value, dict):
        return {key: moved(each, source, new) for key, each in value.items()}
    if not _is_part(value):
        return value
    if not any(value is each for each in functional(source).layers):
        raise KeyError(getattr(value, "name", type(value).__name__))
    found = {x.name: x for x in functional(new).layers}
    if value.name not in found:
        raise KeyError(value.name)
    return found.get(apart_name(value.name), found[value.name])


def apart_name(name: str) -> str:
    """What a layer of a fused model is called whose results are mixed by a layer of its name."""
    return f"{name}_of_sources"


def graph_nodes(model: Any) -> Iterator[Any]:
    """The calls of a model's graph and of all graphs in it."""
    for node in ordered_nodes(functional(model)):
        yield node
        inside = node.operation
        if has_graph(inside) or (isinstance(inside, keras.Sequential) and inside.built):
            yield from graph_nodes(inside)


def layers_in_several(model: Any) -> set[int]:
    """Ids of layers that several layers hold which a model's graph calls, or these and the graph.

    What models inside hold is in their graphs.
    """
    calls = {id(node.operation): node.operation for node in graph_nodes(model)}
    held: list[int] = []
    for layer in calls.values():
        if isinstance(layer, keras.Layer):
            is_model = has_graph(layer) or isinstance(layer, keras.Sequential)
            held += {id(layer)} if is_model else {id(each) for each in layers_in(layer)}
    return {key for key, number in Counter(held).items() if number > 1}


def _check_weights(model: Any, verb: str) -> None:
    held: set[int] = set()
    for node in graph_nodes(model):
        held |= {id(variable) for variable in getattr(node.operation, "variables", ())}
        for value in keras.tree.flatten((node.arguments.args, node.arguments.kwargs)):
            if isinstance(value, keras.Variable):
                raise ValueError(
                    f"Cannot {verb} {model.name!r}: {node.operation.name!r} is called with the "
                    f"variable {value.path!r}, which belongs to no layer, so the new model would "
                    "share it with this one. Expected weights of layers. Put it into a layer."
                )
    for variable in model.weights:
        if id(variable) not in held:
            raise ValueError(
                f"Cannot {verb} {model.name!r}: no layer of its graph holds the weight "
                f"{variable.path!r}, so the new model would not have it. Expected all weights in "
                "the graph. Make a keras.Model of its inputs and outputs."
            )


def _own(model: Any, names: Any) -> set[str]:
    """Which methods a model or its class overrides."""
    kind = type(model)
    found = {name for name in names if name in vars(model)}
    for each in kind.__mro__[: _first_of_keras(kind)]:
        hub = each.__module__.partition(".")[0] == "keras_hub"
        found |= {name for name in names if name in vars(each) and not (hub and name in _LOOPS)}
    return found


def _first_of_keras(kind: type) -> int:
    mro = kind.__mro__
    return next(n for n, each in enumerate(mro) if each.__module__.partition(".")[0] == "keras")


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each)
    else:
        yield value


def _is_part(value: Any) -> bool:
    return isinstance(value, keras.Layer | keras.Variable | keras.KerasTensor)
