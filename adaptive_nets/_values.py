"""What may be asked of any object at all, without an error.

Objects run code of their own when they are printed, compared or walked through, which may raise
anything; lists may hold themselves, and iterators have no end.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

MOST = 1_000_000  # More elements than any list of objects needs.


def tried(function: Callable[[], Any]) -> Any:
    """Returns what a function of no arguments returns, or `None` where it fails.

    Objects run code of their own when they are looked at, which may raise anything.
    """
    try:
        return function()
    except Exception:
        return None


def elements(value: Iterable[Any]) -> list | None:
    """Returns the elements as a list, or `None` where they cannot be read or have no end.

    A table has none: Python would take the names of its columns.
    """
    if type(value) in (list, tuple):
        return [*value]
    if tried(lambda: callable(value.columns.__len__)):
        return None
    found = tried(lambda: [*itertools.islice(iter(value), MOST + 1)])
    return found if found is not None and len(found) <= MOST else None


def show(value: Any) -> str:
    """Returns a value as text that is short enough for one line of an error message."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of shape {list(value.shape)} and dtype {value.dtype}"
    # Lists may hold themselves or be nested deeply, integers be too long to print, and objects
    # fail when they are asked for their text.
    text = tried(lambda: " ".join(repr(value).split()))
    if text is None:
        return f"an object of {type(value).__name__} that cannot be printed"
    return text if len(text) <= 120 else f"{text[:100]}... ({type(value).__name__})"


def is_shallow(value: Any) -> bool:
    """Returns whether lists and dicts within a value have an end after 64 levels.

    A list may have any number of elements that are neither, as a column of numbers has.
    """
    nested, depth = (list, tuple, dict), 0
    level = [value] if type(value) in nested else []
    while level and depth <= 64 and len(level) <= MOST:
        each = (part.values() if type(part) is dict else part for part in level)
        level = [v for part in each for v in part if type(v) in nested]
        depth += 1
    return not level
