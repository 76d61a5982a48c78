"""Checks of JSON values: functions that take a value and where it stands, and raise."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from adaptive_nets._checks import show
from adaptive_nets.adanet.checkpoints.files.sealed_json import NotWholeError

Check = Callable[[Any, str], None]

# No number that a search counts or measures needs more digits.
_MOST = 2**63 - 1
_DEEPEST = 64


def integer(low: int = 0) -> Check:
    """Integers of at least `low`."""

    def check(value, where):
        if type(value) is not int or not low <= value <= _MOST:
            _refuse(value, where, f"an integer >= {low}")

    return check


def number(finite: bool = True, low: float = -math.inf) -> Check:
    """Numbers of at least `low`, by default finite ones."""
    words = "a finite number" if finite else "a number"
    words += "" if low == -math.inf else f" >= {low:g}"

    def check(value, where):
        good = type(value) is float or (type(value) is int and abs(value) <= _MOST)
        if not good or (finite and not math.isfinite(value)) or value < low:
            _refuse(value, where, words)

    return check


def text(value: Any, where: str) -> None:
    """Any text."""
    if type(value) is not str:
        _refuse(value, where, "text")


def boolean(value: Any, where: str) -> None:
    """`true` or `false`."""
    if type(value) is not bool:
        _refuse(value, where, "true or false")


def anything(value: Any, where: str, depth: int = 0) -> None:
    """Any JSON value that is not nested too deeply."""
    if depth > _DEEPEST:
        raise NotWholeError(f"is nested too deeply in '{where}'")
    if type(value) is int and abs(value) > _MOST:
        _refuse(value, where, "a number of fewer digits")
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            anything(part, where, depth + 1)


def mapping(value: Any, where: str) -> None:
    """Any JSON object."""
    _check_type(value, where, dict, "an object")
    anything(value, where)


def array(value: Any, where: str) -> None:
    """A finite number, or a table of them in lists of equal lengths, of two axes at most."""
    try:
        found = np.asarray(value)
    except ValueError:
        found = np.asarray("")
    if found.dtype.kind not in "iuf" or found.ndim > 2 or not np.isfinite(found).all():
        _refuse(value, where, "finite numbers, in lists of equal lengths")


def optional(check: Check) -> Check:
    """`null`, or what another check takes."""
    return lambda value, where: None if value is None else check(value, where)


def either(check: Check, *words: str) -> Check:
    """One of some words, or what another check takes."""

    def checked(value, where):
        if not (isinstance(value, str) and value in words):
            check(value, where)

    return checked


def listed(check: Check) -> Check:
    """A list of what another check takes."""

    def checked(value, where):
        _check_type(value, where, list, "a list")
        for place, part in enumerate(value):
            check(part, f"{where}[{place}]")

    return checked


def floats(value: Any, where: str) -> None:
    """A list of numbers, which may be long."""
    _check_type(value, where, list, "a list")
    if not all(type(part) is float for part in value):
        listed(number(finite=False))(value, where)


def named(check: Check) -> Check:
    """An object with any keys, whose values another check takes."""

    def checked(value, where):
        _check_type(value, where, dict, "an object")
        for key, part in value.items():
            check(part, f"{where}.{key}")

    return checked


def fields(required: Mapping[str, Check], more: Mapping[str, Check] | None = None) -> Check:
    """An object with certain keys. Keys of other names are not looked at.

    Args:
        required: Checks by key.
        more: Those of keys that may be absent. Defaults to none.
    """
    more = more or {}

    def checked(value, where):
        _check_type(value, where, dict, "an object")
        for key in required:
            if key not in value:
                raise NotWholeError(f"lacks '{where}.{key}'".replace("'.", "'"))
        for key, part in value.items():
            check = required.get(key) or more.get(key)
            if check is not None:
                check(part, f"{where}.{key}" if where else key)
            else:
                anything(part, key)

    return checked


def _check_type(value, where, kind, words):
    if not isinstance(value, kind):
        _refuse(value, where, words)


def _refuse(value, where, words):
    raise NotWholeError(f"holds no valid '{where}': expected {words}, not {show(value)}")
