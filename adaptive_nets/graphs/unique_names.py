"""Models whose layers have names that Keras and TensorFlow take, each its own."""

import re
from collections.abc import Container
from typing import Any

import keras

from adaptive_nets._checks import show
from adaptive_nets.keras_internals import call_of, layers_in, origin


def named_model(inputs: Any, outputs: Any, name: str) -> keras.Model:
    """Creates a Functional model. Layers that share a name are renamed first.

    Names of inputs are kept, as data is given by them: a feature may be called "mixture", as a
    layer behind it is.

    Args:
        inputs: Symbolic inputs, as for `keras.Model`.
        outputs: Symbolic outputs, as for `keras.Model`.
        name: Name of the model.
    """
    given = keras.tree.flatten(inputs)
    taken = {tensor.name for tensor in given}
    ends = {id(tensor) for tensor in given}
    seen = {id(origin(tensor)[0]) for tensor in given}
    waiting = keras.tree.flatten(outputs)
    while waiting:
        tensor = waiting.pop()
        operation = origin(tensor)[0]
        if id(tensor) in ends:
            continue
        ends.add(id(tensor))
        waiting += call_of(tensor).input_tensors
        if id(operation) not in seen:
            seen.add(id(operation))
            operation.name = free_name(operation.name, taken)
            taken.add(operation.name)
    return keras.Model(inputs, outputs, name=name)


def check_names(model: keras.Model, what: str) -> None:
    """Refuses layers whose names TensorFlow refuses once it traces or exports them.

    Args:
        model: The model.
        what: What the model is, for the error.

    Raises:
        ValueError: A layer's name has other characters than `A-Z a-z 0-9 _ . > -`.
    """
    for layer in layers_in(model):
        if not re.fullmatch(r"[A-Za-z0-9_.>-]+", layer.name):
            raise ValueError(
                f"{what} has a layer whose name TensorFlow cannot use. Expected letters from a to "
                f"z, digits, '_', '-' and '.'. Received: name={show(layer.name)}. Rename it."
            )


def free_name(name: str, taken: Container[str]) -> str:
    """A name, or with a number behind it the next one that is not taken."""
    number, free = 1, name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free
