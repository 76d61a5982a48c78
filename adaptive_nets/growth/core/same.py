"""Whether what two sources hold beside weights is the same: constants, settings, functions."""

import contextlib
import functools
import inspect
import types
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np


def same(one: Any, other: Any) -> bool:
    """Whether two values that a graph or a configuration holds compute the same.

    Numbers, arrays and tensors are the same if they have the same type, shape and values (NaN is
    equal to NaN); functions if they are one object, or of the same code that sees the same values.
    """
    if one is other:
        return True
    if isinstance(one, keras.Variable) or isinstance(other, keras.Variable):
        return False
    if _is_array(one) or _is_array(other):
        return _is_array(one) and _is_array(other) and _same_arrays(one, other)
    if type(one) is not type(other):
        return False
    if isinstance(one, slice):
        return same((one.start, one.stop, one.step), (other.start, other.stop, other.step))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, types.FunctionType):
        with contextlib.suppress(RecursionError):
            return _same_functions(one, other)
        return False
    if isinstance(one, types.MethodType):
        return one.__func__ is other.__func__ and same(one.__self__, other.__self__)
    if isinstance(one, functools.partial):
        parts = [(each.func, each.args, each.keywords) for each in (one, other)]
        return same(*parts)
    if hasattr(one, "get_config"):
        return same(one.get_config(), other.get_config())
    return _equal(one, other)


def _is_array(value: Any) -> bool:
    tensor = keras.ops.is_tensor(value) and not isinstance(value, keras.KerasTensor)
    return tensor or isinstance(value, np.ndarray | np.generic)


def _same_arrays(one: Any, other: Any) -> bool:
    arrays = [np.asarray(keras.ops.convert_to_numpy(value)) for value in (one, other)]
    if arrays[0].dtype != arrays[1].dtype or arrays[0].shape != arrays[1].shape:
        return False
    return np.array_equal(*arrays, equal_nan=arrays[0].dtype.kind in "fc")


def _same_functions(one: types.FunctionType, other: types.FunctionType) -> bool:
    """By what they do and what they see; the lines and files where they stand do not matter."""
    seen = [inspect.getclosurevars(function) for function in (one, other)]
    return (
        _same_code(one.__code__, other.__code__)
        and same(one.__defaults__, other.__defaults__)
        and same(one.__kwdefaults__, other.__kwdefaults__)
        and same(dict(seen[0].nonlocals), dict(seen[1].nonlocals))
        and same(dict(seen[0].globals), dict(seen[1].globals))
    )


def _same_code(one: types.CodeType, other: types.CodeType) -> bool:
    if one.co_code != other.co_code or one.co_names != other.co_names:
        return False
    if len(one.co_consts) != len(other.co_consts):
        return False
    return all(
        _same_code(a, b) if isinstance(a, types.CodeType) and type(b) is type(a) else same(a, b)
        for a, b in zip(one.co_consts, other.co_consts, strict=True)
    )


def _equal(one: Any, other: Any) -> bool:
    # NaN is no other constant than NaN.
    return bool(one == other) or (one != one and other != other)
