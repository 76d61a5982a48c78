"""What an argument may be: one valid value, and values that are wrong for every such argument."""

import dataclasses
from typing import Any

import keras
import numpy as np

NAN, INF = float("nan"), float("inf")


class Thing:
    """An object of no meaning to anybody."""

    def __repr__(self):
        return "<Thing>"


THING = Thing()


@dataclasses.dataclass(frozen=True)
class Argument:
    """An argument of a call.

    Args:
        make: Function that makes a valid value.
        wrong: Values that must be refused.
    """

    make: Any
    wrong: tuple

    def but(self, *wrong, allow=()):
        """The same with more wrong values, and without those of some types or values."""
        kept = [w for w in (*self.wrong, *wrong) if not any(_same(w, a) for a in allow)]
        return Argument(self.make, tuple(kept))


def _same(value, allowed):
    if isinstance(allowed, type):
        return type(value) is allowed
    return type(value) is type(allowed) and repr(value) == repr(allowed)


def _of(value):
    return value if callable(value) and getattr(value, "lazy", False) else (lambda: value)


def lazy(function):
    """Marks a function that makes a value, where it is not itself the value."""

    def make():
        return function()

    make.lazy = True
    return make


def fixed(value):
    """An argument that is not spoilt: any value is allowed, or another call spoils it."""
    return Argument(_of(value), ())


def count(value, least=1, none=False):
    """An integer with a least value."""
    wrong = [2.5, NAN, INF, "3", "soup", True, [2], {}, THING, 1j, np.ones(2), np.float64(1.5)]
    if least is not None:
        wrong += [least - 1, least - 1000, np.int64(least - 1)]
    return Argument(_of(value), (*wrong, *([] if none else [None])))


def number(value, low=None, high=None, none=False):
    """A finite number between limits, which are themselves wrong."""
    wrong = ["0.5", "soup", NAN, INF, -INF, True, [0.5], {}, THING, 1j, np.ones(2), np.float32(NAN)]
    wrong += [] if low is None else [low, low - 7.5]
    wrong += [] if high is None else [high, high + 7.5]
    return Argument(_of(value), (*wrong, *([] if none else [None])))


def flag(value, none=False):
    """True or False."""
    wrong = ["yes", "True", 2, 0.5, [], {}, THING, NAN, np.ones(2)]
    return Argument(_of(value), (*wrong, *([] if none else [None])))


def choice(value, none=False):
    """One of some strings."""
    wrong = ["soup", "", 3, -1.5, True, [value], {}, THING, NAN, np.ones(2), f"{value}_"]
    return Argument(_of(value), (*wrong, *([] if none else [None])))


def text(value, none=False):
    """Any text but none at all."""
    wrong = [3, "", [], {}, THING, True, NAN, np.ones(2)]
    return Argument(_of(value), (*wrong, *([] if none else [None])))


def path(value, none=False):
    """The path of a file or folder."""
    wrong = [3, "", [], {}, THING, True, NAN, np.ones(2), "a\0b"]
    return Argument(_of(value), (*wrong, *([] if none else [None])))


def instance(value, none=False):
    """An object of a class, whose class is not one."""
    wrong = [3, "soup", [], {}, (), THING, Thing, True, NAN, np.ones((2, 2)), keras.layers.Dense]
    return Argument(_of(value), (*wrong, *([] if none else [None])))


def model(value, none=False):
    """A built Keras model."""
    given = instance(value, none)
    unbuilt = keras.Sequential([keras.layers.Dense(2)])
    return Argument(given.make, (*given.wrong, keras.layers.Dense(2), unbuilt, lambda x: x))


def function(value, none=False):
    """Something to call."""
    wrong = [3, "soup", [], {}, THING, True, NAN, np.ones(2)]
    return Argument(lambda: value, (*wrong, *([] if none else [None])))


def listing(value, none=False, empty=False):
    """A list or tuple of something."""
    wrong = [3, 2.5, THING, True, NAN, [THING], [None], [NAN], {"a": THING}]
    wrong += [] if empty else [[], ()]
    return Argument(_of(value), (*wrong, *([] if none else [None])))


def mapping(value, none=False, empty=False):
    """A dict by text."""
    wrong = [3, "soup", [1], THING, True, NAN, {"a": THING}, {3: THING}, {None: None}]
    wrong += [] if empty else [{}]
    return Argument(_of(value), (*wrong, *([] if none else [None])))


def rows(value, none=False, finite=True, width=True, text=False):
    """Numbers, one row of some for each example."""
    array = np.zeros((24, 3), "float32") if value is None else np.asarray(value, "float32")
    wrong = ["soup", 3, THING, True, NAN, [[1.0], [1.0, 2.0]], array.astype(complex)]
    wrong += [np.full(array.shape, None), [THING]]
    wrong += [] if text else [np.array([["a"] * 2] * len(array))]
    wrong += [np.full(array.shape, NAN), np.where(array > 0, INF, array)] if finite else []
    if width and array.ndim > 1:
        wrong += [np.concatenate([array, array], axis=-1), array[0]]
    return Argument(_of(value), (*wrong, *([] if none else [None])))
