"""Layers that a function makes again each time it is called, kept from its first call."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import keras


@contextlib.contextmanager
def reused_layers(known: list[keras.Layer], grows: bool = True) -> Iterator[None]:
    """Within it, the layers that are called on values are those of the first time, in their order.

    Args:
        known: The layers of the first time, which are added to it.
        grows: Whether there may be more. Defaults to `True`.
    """
    original, thread = keras.layers.Layer.__call__, threading.get_ident()
    # New layers are kept, so that no other gets the id of one.
    places: dict[int, tuple[keras.Layer, keras.Layer]] = {}
    inside = False

    def call(self: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        nonlocal inside
        given = keras.tree.flatten((args, kwargs))
        symbolic = any(isinstance(each, keras.KerasTensor) for each in given)
        if inside or symbolic or threading.get_ident() != thread:
            return original(self, *args, **kwargs)
        if id(self) not in places:
            place = len(places)
            if place == len(known) and grows:
                known.append(self)
            if place >= len(known) or type(known[place]) is not type(self):
                before = type(known[place]).__name__ if place < len(known) else "none"
                raise ValueError(
                    "model_fn must call the same layers in the same order in each mode. "
                    f"Received: as layer {place + 1} a {type(self).__name__}, before {before}."
                )
            places[id(self)] = (self, known[place])
        inside = True
        try:
            return original(places[id(self)][1], *args, **kwargs)
        finally:
            inside = False

    keras.layers.Layer.__call__ = call
    try:
        yield
    finally:
        keras.layers.Layer.__call__ = original
