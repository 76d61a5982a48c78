"""How a layer was called: its arguments in one form, however they were written."""

import inspect
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import show
from adaptive_nets.growth.core.same import same

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def in_order(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
    """A call's arguments with the first one by position, where `layer(inputs=x)` named it."""
    if args or not kwargs:
        return args, kwargs
    first = next(iter(inspect.signature(operation.call).parameters), None)
    if first not in kwargs:
        return args, kwargs
    rest = {name: value for name, value in kwargs.items() if name != first}
    return (kwargs[first],), rest


def check_same_calls(nodes: Sequence[Any], path: str) -> None:
    """Refuses sources whose calls differ in what they hold beside tensors.

    The fused model makes each call once, with the first source's constants, slices, functions and
    arguments by name.

    Args:
        nodes: The call's record in each source.
        path: The layer.

    Raises:
        ValueError: They differ.
    """
    first, *others = (_constants(node) for node in nodes)
    for other in others:
        if not same(first, other):
            differing = [k for k in first if k not in other or not same(first[k], other[k])]
            shown = ", ".join(show({k: each.get(k) for k in differing}) for each in (first, other))
            raise ValueError(
                f"Cannot fuse at {path!r}: it is called with other arguments in each source. "
                "Expected the same constants, slices and settings, for the fused model calls it "
                f"once. Received: {shown}."
            )


def _constants(node: Any) -> dict[Any, Any]:
    """All arguments by name, with a mark in the place of each tensor."""
    arguments = node.arguments
    args, kwargs = keras.tree.map_structure(
        lambda x: keras.KerasTensor if isinstance(x, keras.KerasTensor) else x,
        (arguments.args, arguments.kwargs),
    )
    try:
        bound = inspect.signature(node.operation.call).bind(*args, **kwargs)
    except TypeError:
        return {"args": args, "kwargs": kwargs}
    bound.apply_defaults()
    return dict(bound.arguments)


def constant_shape(value: Any) -> tuple[int, ...]:
    """The shape of a constant that meets tensors: of an array, or of a list of numbers."""
    return tuple(getattr(value, "shape", None) or np.shape(value))
