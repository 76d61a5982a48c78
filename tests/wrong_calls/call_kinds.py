"""What an argument may be: one valid value, values that are wrong, and what else is right.

The wrong values are tried one by one. What is right decides, where `tests/fuzz` passes any value at
all and it is accepted, whether that was nonsense.
"""

import dataclasses
import math
import os
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
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
        right: Function of a value and a valid one that says whether it may be accepted.
    """

    make: Any
    wrong: tuple
    right: Callable[[Any, Any], bool] = lambda value, valid: False

    def but(self, *wrong, allow=()):
        """The same with more wrong values, and without those of some types or values."""
        kept = [w for w in (*self.wrong, *wrong) if not any(_same(w, a) for a in allow)]
        return Argument(self.make, tuple(kept), self._or(lambda v: any(_same(v, a) for a in allow)))

    def where(self, right):
        """The same, where more values are right: those for which a function is true."""
        return Argument(self.make, self.wrong, self._or(right))

    def _or(self, right):
        before = self.right
        return lambda value, valid: _holds(before, value, valid) or _holds(right, value)

    def admits(self, value):
        """Whether a value may be accepted."""
        valid = self.make()
        return _holds(_same, value, valid) or _holds(self.right, value, valid)


def _holds(right, *values):
    """Whether a function says so; values that it cannot look at are wrong."""
    try:
        return bool(right(*values))
    except Exception:
        return False


def _same(value, allowed):
    value = bool(value) if isinstance(value, np.bool_) else value
    if isinstance(allowed, type):
        return type(value) is allowed
    return value is allowed or (type(value) is type(allowed) and repr(value) == repr(allowed))


def whole(value):
    """Whether a value is an integer; NumPy's are."""
    value = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    return isinstance(value, Integral) and not isinstance(value, bool)


def real(value):
    """Whether a value is a finite number; NumPy's are."""
    value = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def is_text(value):
    """Whether a value is text of one character or more."""
    return isinstance(value, str) and len(value) > 0


def listed(right, empty=True):
    """Whether a value is a collection of such values as a function says."""

    def of(value):
        flat = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
        return flat and (empty or len(value) > 0) and all(map(right, value))

    return of


def keyed(right, empty=True):
    """Whether a value is a mapping from text to such values as a function says."""

    def of(value):
        found = isinstance(value, Mapping) and all(map(is_text, value))
        return found and (empty or len(value) > 0) and all(map(right, value.values()))

    return of


def _or_none(right, none):
    return lambda value, valid: none if value is None else right(value, valid)


def _of(value):
    return value if callable(value) and getattr(value, "lazy", False) else (lambda: value)


def lazy(function):
    """Marks a function that makes a value, where it is not itself the value."""

    def make():
        return function()

    make.lazy = True
    return make


def fixed(value):
    """An argument that is not spoilt: another call spoils it, or `but` says what is wrong."""
    return Argument(_of(value), ())


def count(value, least=1, none=False):
    """An integer with a least value."""
    wrong = [2.5, NAN, INF, "3", "soup", True, [2], {}, THING, 1j, np.ones(2), np.float64(1.5)]
    if least is not None:
        wrong += [least - 1, least - 1000, np.int64(least - 1)]

    def right(value, valid):
        return whole(value) and (least is None or value >= least)

    return Argument(_of(value), (*wrong, *([] if none else [None])), _or_none(right, none))


def number(value, low=None, high=None, none=False):
    """A finite number between limits, which are themselves wrong."""
    wrong = ["0.5", "soup", NAN, INF, -INF, True, [0.5], {}, THING, 1j, np.ones(2), np.float32(NAN)]
    wrong += [] if low is None else [low, low - 7.5]
    wrong += [] if high is None else [high, high + 7.5]

    def right(value, valid):
        within = real(value) and (low is None or value > low) and (high is None or value < high)
        # Nearly all numbers without a stated limit may be 0 and not below.
        return within and (low is not None or value >= 0)

    return Argument(_of(value), (*wrong, *([] if none else [None])), _or_none(right, none))


def flag(value, none=False):
    """True or False."""
    wrong = ["yes", "True", 2, 0.5, [], {}, THING, NAN, np.ones(2)]

    def right(value, valid):
        value = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
        return isinstance(value, bool | np.bool_)

    return Argument(_of(value), (*wrong, *([] if none else [None])), _or_none(right, none))


def choice(value, none=False):
    """One of some strings."""
    wrong = ["soup", "", 3, -1.5, True, [value], {}, THING, NAN, np.ones(2), f"{value}_"]
    right = _or_none(lambda value, valid: isinstance(value, str) and value == valid, none)
    return Argument(_of(value), (*wrong, *([] if none else [None])), right)


def text(value, none=False):
    """Any text but none at all."""
    wrong = [3, "", [], {}, THING, True, NAN, np.ones(2)]
    right = _or_none(lambda value, valid: is_text(value), none)
    return Argument(_of(value), (*wrong, *([] if none else [None])), right)


def path(value, none=False):
    """The path of a file or folder."""
    wrong = [3, "", [], {}, THING, True, NAN, np.ones(2), "a\0b"]

    def right(value, valid):
        named = isinstance(value, str | os.PathLike) and isinstance(os.fspath(value), str)
        return named and bool(os.fspath(value).strip()) and "\0" not in os.fspath(value)

    return Argument(_of(value), (*wrong, *([] if none else [None])), _or_none(right, none))


def instance(value, none=False, kind=None):
    """An object of a class, whose class is not one; `kind` where others than its own will do."""
    wrong = [3, "soup", [], {}, (), THING, Thing, True, NAN, np.ones((2, 2)), keras.layers.Dense]
    right = _or_none(lambda value, valid: isinstance(value, kind or type(valid)), none)
    return Argument(_of(value), (*wrong, *([] if none else [None])), right)


def is_some(value):
    """Whether a value has one element or more."""
    return hasattr(value, "__len__") and not isinstance(value, str | bytes) and len(value) > 0


def is_none_of(value):
    """Whether a value is an array or list of no rows, which some functions of rows take."""
    kind = hasattr(value, "dtype") or isinstance(value, list | tuple | range)
    return kind and len(value) == 0


def has_rows(value):
    """Whether a value is an array, or one of text, whatever it is for."""
    array = np.asarray(value)
    return array.ndim > 0 and array.dtype.kind in "biufUSOV" and is_some(value)


def is_built_model(value):
    """Whether a value is a Keras model with weights."""
    return isinstance(value, keras.Model) and value.built


def model(value, none=False):
    """A built Keras model."""
    given = instance(value, none)
    unbuilt = keras.Sequential([keras.layers.Dense(2)])
    wrong = (*given.wrong, keras.layers.Dense(2), unbuilt, lambda x: x)
    return Argument(given.make, wrong, _or_none(lambda value, _: is_built_model(value), none))


def function(value, none=False):
    """Something to call."""
    wrong = [3, "soup", [], {}, THING, True, NAN, np.ones(2)]
    right = _or_none(lambda value, valid: callable(value), none)
    return Argument(lambda: value, (*wrong, *([] if none else [None])), right)


def listing(value, none=False, empty=False):
    """A list or tuple of something."""
    wrong = [3, 2.5, THING, True, NAN, [THING], [None], [NAN], {"a": THING}]
    wrong += [] if empty else [[], ()]

    def right(value, valid):
        kinds = tuple({type(v) for v in valid or ()})
        return listed(lambda v: isinstance(v, kinds), empty)(value)

    return Argument(_of(value), (*wrong, *([] if none else [None])), _or_none(right, none))


def mapping(value, none=False, empty=False):
    """A dict by text."""
    wrong = [3, "soup", [1], THING, True, NAN, {"a": THING}, {3: THING}, {None: None}]
    wrong += [] if empty else [{}]

    def right(value, valid):
        kinds = tuple({type(v) for v in (valid or {}).values()})
        return keyed(lambda v: isinstance(v, kinds), empty)(value)

    return Argument(_of(value), (*wrong, *([] if none else [None])), _or_none(right, none))


def is_none_in_an_array(value):
    """Whether a value is an array that holds `None` alone."""
    return isinstance(value, np.ndarray) and value.ndim == 0 and value.item() is None


def is_arrow(value):
    """Whether a value is a table of Arrow, which is an array though it cannot be gone through."""
    return type(value).__module__.partition(".")[0] == "pyarrow"


def rows(value, none=False, finite=True, width=True, text=False):
    """Numbers, one row of some for each example."""
    array = np.zeros((24, 3), "float32") if value is None else np.asarray(value, "float32")
    wrong = ["soup", 3, THING, True, NAN, [[1.0], [1.0, 2.0]], array.astype(complex)]
    wrong += [np.full(array.shape, None), [THING]]
    wrong += [] if text else [np.array([["a"] * 2] * len(array))]
    wrong += [np.full(array.shape, NAN), np.where(array > 0, INF, array)] if finite else []
    if width and array.ndim > 1:
        wrong += [np.concatenate([array, array], axis=-1), array[0]]

    def right(value, valid):
        # A variable of Keras is an array, though it cannot be gone through.
        listed = isinstance(value, Iterable | keras.Variable) or is_arrow(value)
        if not listed or isinstance(value, str | bytes | Mapping):
            return False
        read = np.asarray(value)
        if read.dtype.kind == "O":
            read = read.astype(float)
        numbers = read.dtype.kind in "biuf" and read.ndim > 0 and len(read) > 0
        fits = not width or array.ndim < 2 or read.shape[1:] == array.shape[1:]
        return numbers and fits and (not finite or bool(np.isfinite(read).all()))

    return Argument(_of(value), (*wrong, *([] if none else [None])), _or_none(right, none))
