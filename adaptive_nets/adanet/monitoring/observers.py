"""Callbacks that follow every `fit`, without being passed to it."""

from collections.abc import Callable

import keras

_makers: dict[type, Callable[[], keras.callbacks.Callback]] = {}


def observe(kind: type, make: Callable[[], keras.callbacks.Callback] | None) -> None:
    """Sets what follows every `fit` from now on.

    Args:
        kind: Class of the callback. A `fit` that is passed one of this class gets no second one.
        make: Function that returns a new callback, or `None` for none any more.
    """
    _makers.pop(kind, None)
    if make is not None:
        _makers[kind] = make


def with_observers(given: list[keras.callbacks.Callback]) -> list[keras.callbacks.Callback]:
    """Returns the callbacks of a `fit`, and those that follow every one.

    Args:
        given: The callbacks that were passed.
    """
    made = [
        make() for kind, make in _makers.items()
        if not any(isinstance(each, kind) for each in given)
    ]  # fmt: skip
    return [*given, *made]
