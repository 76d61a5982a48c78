"""How Keras keeps a model's graph."""

import functools
from typing import Any

import keras


def functional_class() -> type:
    """The class of models made of symbolic inputs and outputs."""
    from keras.src.models.functional import Functional

    return Functional


def has_graph(model: Any) -> bool:
    """Whether a model knows its layers' calls."""
    return hasattr(model, "_nodes_by_depth")


def graph_inside(model: keras.Sequential) -> Any:
    """The Functional model that a Sequential builds for itself; None before it is built."""
    return model._functional


def nodes_by_depth(graph: Any) -> dict[int, list[Any]]:
    """The records of all calls, by their distance from the outputs."""
    return graph._nodes_by_depth


def input_structure(graph: Any) -> Any:
    """The inputs, nested as they were given."""
    return graph._inputs_struct


def output_structure(graph: Any) -> Any:
    """The outputs, nested as they were given."""
    return graph._outputs_struct


def origin(tensor: keras.KerasTensor) -> tuple[Any, int, int]:
    """The operation that made a symbolic tensor, the number of its call, and that of its output."""
    operation, call, output = tensor._keras_history
    return operation, call, output


def call_of(tensor: keras.KerasTensor) -> Any:
    """The record of the call that made a symbolic tensor."""
    operation, call, _ = origin(tensor)
    return operation._inbound_nodes[call]


def forget_calls(operation: Any) -> None:
    """Lets a layer stand in no graph, so that its next call is its first one again.

    Args:
        operation: A layer or operation of models that are not used any more.
    """
    operation._inbound_nodes.clear()
    operation._outbound_nodes.clear()


def mask_of(tensor: keras.KerasTensor) -> Any:
    """The mask that comes with a symbolic tensor, or None."""
    return getattr(tensor, "_keras_mask", None)


def takes_a_graph(kind: type) -> bool:
    """Whether Keras makes models of a class from inputs and outputs, or from a row of layers."""
    from keras.src.models.functional import functional_like_constructor

    if issubclass(kind, keras.Sequential):
        return kind.__init__ is keras.Sequential.__init__
    return functional_like_constructor(kind)


@functools.cache
def attributes_of_keras() -> frozenset[str]:
    """The names of all attributes that Keras gives a model of its own."""
    found = {
        "history", "stop_training", "stop_evaluating", "stop_predicting", "train_function",
        "test_function", "predict_function", "_eval_epoch_iterator", "_jax_state",
    }  # fmt: skip
    for row in (False, True):
        inputs = keras.Input((1,))
        layer = keras.layers.Dense(1)
        model = keras.Sequential([inputs, layer]) if row else keras.Model(inputs, layer(inputs))
        model.compile("sgd", "mse")
        model.make_train_function()
        found |= set(vars(model))
    return frozenset(found)


# What makes up a model's graph; all else (compilation, history, strategy) stays the model's own.
_STRUCTURE = (
    "_inputs_struct",
    "_outputs_struct",
    "_inputs",
    "_outputs",
    "_nodes",
    "_nodes_by_depth",
    "_operations",
    "_operations_by_depth",
    "_functional",
    "output_names",
    "_build_shapes_dict",
)


def take_graph(model: keras.Model, other: keras.Model) -> None:
    """Makes a model's graph and layers another's, in memory and for saving."""
    mine, theirs = vars(model), vars(other)
    for name in _STRUCTURE:
        if name in theirs:
            mine[name] = theirs[name]
    # Tracked lists refuse changes of a built model, so their contents are exchanged beneath.
    list.__setitem__(mine["_layers"], slice(None), list(theirs["_layers"]))
    model._tracker.stored_ids["layers"] = {id(layer) for layer in theirs["_layers"]}
    _take_dependencies(model, other)


def _take_dependencies(model: keras.Model, other: keras.Model) -> None:
    """Makes what a TensorFlow checkpoint holds of a model's graph another's."""
    mine, theirs = vars(model), vars(other)
    names = mine.get("_self_unconditional_dependency_names")
    if names is None:
        return  # kept by TensorFlow's backend only
    for name, value in theirs["_self_unconditional_dependency_names"].items():
        if name in _STRUCTURE:
            dict.__setitem__(names, name, value)
    references = mine["_self_unconditional_checkpoint_dependencies"]
    for number, reference in enumerate(references):
        if reference.name in _STRUCTURE and reference.name in names:
            new = type(reference)(reference.name, names[reference.name])
            list.__setitem__(references, number, new)
