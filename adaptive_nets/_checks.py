"""Checks of arguments: one wording and one exception for all public functions.

NumPy's scalars count as Python's. A bool is not a number, though Python makes it an integer.
"""

import inspect
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from adaptive_nets._values import elements, is_shallow, show, tried

# What a computer's integers hold.
_INTEGERS = range(-(2**63), 2**63)


def check_choice(name: str, value: Any, choices: Sequence[Any]) -> Any:
    """Refuses a value that is not among the choices.

    Args:
        name: Name of the argument.
        value: What was passed for it.
        choices: The values that are allowed.

    Returns:
        The choice: Python's value where NumPy's was passed.

    Raises:
        ValueError: If it is another value.
    """
    # What is compared must be a scalar: an array would raise an error of its own.
    value = _scalar(value)
    scalar = value is None or isinstance(value, str | Real | np.generic)
    same = [c for c in choices if scalar and _is_bool(value) == _is_bool(c) and value == c]
    if not same:
        allowed = ", ".join(map(repr, choices))
        raise ValueError(f"{name} must be one of {allowed}. Received: {name}={show(value)}.")
    return same[0]


def check_integer(name: str, value: Any, minimum: int | None = None) -> int:
    """Refuses what is not an integer, or one below a minimum.

    Args:
        name: Name of the argument.
        value: What was passed for it.
        minimum: The least allowed value. Default: no limit.

    Returns:
        The value as Python's int.

    Raises:
        ValueError: If it is not an integer, too small, or needs more than 64 bits.
    """
    value = _scalar(value)
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or (minimum is not None and value < minimum):
        bound = "" if minimum is None else f" >= {minimum}"
        raise ValueError(f"{name} must be an integer{bound}. Received: {name}={show(value)}.")
    if int(value) not in _INTEGERS:
        raise ValueError(f"{name} must be an integer of 64 bits. Received: {name}={show(value)}.")
    return int(value)


def check_number(
    name: str,
    value: Any,
    low: float | None = None,
    high: float | None = None,
    inclusive: bool | str = True,
) -> float:
    """Refuses what is not a finite number within limits.

    Args:
        name: Name of the argument.
        value: What was passed for it.
        low: The lower limit. Default: none.
        high: The upper limit. Default: none.
        inclusive: Whether the limits themselves are allowed; `"low"` or `"high"` allows one.

    Returns:
        The value as Python's float.

    Raises:
        ValueError: If it is not a number, not finite or out of range.
    """
    value = _scalar(value)
    number = isinstance(value, Real) and not isinstance(value, bool)
    with_low, with_high = inclusive in (True, "low"), inclusive in (True, "high")
    if number and _is_finite(value):
        above = low is None or value > low or (with_low and value == low)
        below = high is None or value < high or (with_high and value == high)
        if above and below:
            return float(value)
    limits = [] if low is None else [f"{'>=' if with_low else '>'} {low}"]
    limits += [] if high is None else [f"{'<=' if with_high else '<'} {high}"]
    bound = " and ".join(limits)
    raise ValueError(
        f"{name} must be a finite number{bound and ' ' + bound}. Received: {name}={show(value)}."
    )


def check_bool(name: str, value: Any) -> bool:
    """Refuses what is neither true nor false.

    Args:
        name: Name of the argument.
        value: What was passed for it.

    Returns:
        The value as Python's bool.

    Raises:
        ValueError: If it is something else, such as 1 or `"yes"`.
    """
    value = _scalar(value)
    if not _is_bool(value):
        raise ValueError(f"{name} must be True or False. Received: {name}={show(value)}.")
    return bool(value)


def check_path(name: str, value: Any) -> str:
    """Refuses what is not a path, and makes it absolute.

    Done once, where a path is passed, so that changing the working directory later moves nothing.

    Args:
        name: Name of the argument.
        value: What was passed for it: a string or `os.PathLike`, which may begin with `~`.

    Returns:
        The absolute path as a string; a URL such as `gs://bucket/run` as it is.

    Raises:
        ValueError: If it is something else, or empty.
    """
    path = None
    if isinstance(value, str | os.PathLike):
        path = tried(lambda: os.fspath(value))
        # Half of a pair of UTF-16 is not a name of a file.
        path = path if tried(lambda: os.fsencode(path)) is not None else None
    if not isinstance(path, str) or not path.strip() or "\0" in path:
        raise ValueError(f"{name} must be a path. Received: {name}={show(value)}.")
    return path if "://" in path else os.path.abspath(os.path.expanduser(path))


def check_text(name: str, value: Any) -> str:
    """Refuses what is not text, and empty text.

    Args:
        name: Name of the argument.
        value: What was passed for it.

    Returns:
        The value as Python's str.

    Raises:
        ValueError: If it is something else.
    """
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be a non-empty string. Received: {name}={show(value)}.")
    return str(value)


def check_function(name: str, value: Any) -> Any:
    """Refuses what cannot be called.

    Args:
        name: Name of the argument.
        value: What was passed for it.

    Returns:
        The value.

    Raises:
        TypeError: If it is not a function.
    """
    if not callable(value):
        raise TypeError(f"{name} must be a function. Received: {name}={show(value)}.")
    return value


def check_instance(name: str, value: Any, kind: Any, words: str) -> Any:
    """Refuses what is not an object of a class.

    Args:
        name: Name of the argument.
        value: What was passed for it.
        kind: A class, or several as for `isinstance`.
        words: What is expected, such as `"a heads.Head"`.

    Returns:
        The value.

    Raises:
        TypeError: If it is something else.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {words}. Received: {name}={show(value)}.")
    return value


def check_list(name: str, value: Any, kind: Any, words: str, least: int = 0) -> list:
    """Refuses what is not a list or tuple of objects of a class.

    Args:
        name: Name of the argument.
        value: What was passed for it.
        kind: Class of the elements, or several as for `isinstance`.
        words: What is expected, such as `"a list of models"`.
        least: The least number of elements. Default: 0.

    Returns:
        The elements as a list.

    Raises:
        TypeError: If it is something else, or an element is.
        ValueError: If it is too short.
    """
    listed = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
    found = elements(value) if listed else None
    if found is None or not all(isinstance(element, kind) for element in found):
        raise TypeError(f"{name} must be {words}. Received: {name}={show(value)}.")
    if len(found) < least:
        raise ValueError(f"{name} must be {words}, at least {least}. Received: {len(found)}.")
    return found


def check_array(name: str, value: Any, words: str = "an array of rows") -> np.ndarray:
    """Refuses what NumPy cannot read as one array.

    Args:
        name: Name of the argument.
        value: What was passed for it: an array, tensor, table or nested list.
        words: What is expected.

    Returns:
        The array, of any dtype.

    Raises:
        ValueError: If NumPy cannot read it.
    """
    try:
        return np.asarray(value)
    except Exception as error:
        # Objects run code of their own when they are read, which may raise anything.
        raise ValueError(f"{name} must be {words}. Received: {name}={show(value)}.") from error


def check_dict(name: str, value: Any, kind: Any, words: str, least: int = 0) -> dict:
    """Refuses what is not a dict from text to objects of a class.

    Args:
        name: Name of the argument.
        value: What was passed for it.
        kind: Class of the values, or several as for `isinstance`.
        words: What is expected, such as `"a dict of models by name"`.
        least: The least number of entries. Default: 0.

    Returns:
        A copy of the dict.

    Raises:
        TypeError: If it is something else, or a key or value is.
        ValueError: If it is too short.
    """
    found = tried(lambda: dict(value.items())) if isinstance(value, Mapping) else None
    if found is None or not all(
        isinstance(key, str) and isinstance(entry, kind) for key, entry in found.items()
    ):
        raise TypeError(f"{name} must be {words}. Received: {name}={show(value)}.")
    if len(found) < least:
        raise ValueError(
            f"{name} must be {words}, at least {least}. Received: {name}={show(value)}."
        )
    return found


def check_config(kind: type, config: Any) -> dict[str, Any]:
    """Refuses what cannot be the configuration of a class.

    Args:
        kind: The class.
        config: What was passed to its `from_config`.

    Returns:
        A copy of the configuration.

    Raises:
        ValueError: If it is not a dict of the constructor's arguments.
    """
    known = inspect.signature(kind).parameters.values()
    names = {p.name for p in known}
    needed = {p.name for p in known if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD}
    others = any(p.kind is p.VAR_KEYWORD for p in known)
    found = tried(lambda: dict(config.items())) if isinstance(config, Mapping) else None
    if (
        found is None
        or not needed <= found.keys()
        or (not others and not found.keys() <= names)
        or not all(isinstance(key, str) for key in found)
    ):
        raise ValueError(
            f"config must be the output of {kind.__name__}.get_config, a dict of "
            f"{', '.join(sorted(names))}. Received: config={show(config)}."
        )
    return found


def or_none(check: Callable[..., Any], name: str, value: Any, *limits: Any) -> Any:
    """Returns `None` for `None`, and for other values what another check returns.

    Args:
        check: One of the checks of this module.
        name: Name of the argument.
        value: What was passed for it.
        *limits: Further arguments of the check.
    """
    return None if value is None else check(name, value, *limits)


def plain(value: Any) -> Any:
    """Returns NumPy's scalars as Python's, also in dicts, lists and tuples that have an end."""
    return _plain(value) if is_shallow(value) else value


def _plain(value):
    if isinstance(value, np.generic):
        return value.item()
    if type(value) is dict:
        return {key: _plain(entry) for key, entry in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return value


def _scalar(value: Any) -> Any:
    """Returns an array without axes as the scalar that it holds."""
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _is_finite(value: Real) -> bool:
    """Whether a number is finite as a float."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


def check_nesting(args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Refuses a list or dict that holds itself, or is nested more deeply than arguments are.

    Keras' layers walk through all arguments before any is checked, and would end with a
    `RecursionError`: so this is for their `__new__`.

    Args:
        args: The positional arguments.
        kwargs: The arguments by name.

    Raises:
        ValueError: If one has more than 64 levels.
    """
    positions = {f"argument {k}": value for k, value in enumerate(args, start=1)}
    for name, value in {**positions, **kwargs}.items():
        if not is_shallow(value):
            raise ValueError(
                f"{name} must not hold itself or be nested more than 64 times. "
                f"Received: {name}={show(value)}."
            )
