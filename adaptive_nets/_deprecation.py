"""Old public names, which keep working with one `DeprecationWarning` per use."""

import functools
import warnings
from collections.abc import Callable
from typing import Any


def warn_renamed(old: str, new: str, stacklevel: int = 2) -> None:
    """Warns that a public name has changed.

    Args:
        old: The old name, as the user wrote it.
        new: The new name.
        stacklevel: Frames between this function and the user's code, as for `warnings.warn`.
            Defaults to `2`: the caller of the function that calls this one.
    """
    warnings.warn(
        f"`{old}` is deprecated and will be removed. Use `{new}` instead.",
        DeprecationWarning,
        stacklevel=stacklevel + 1,
    )


def renamed_function(function: Callable, old: str, new: str) -> Callable:
    """Returns a function's old name: it warns, then calls the function.

    Args:
        function: The function under its new name.
        old: The old name with its package, such as `"majority.recalibrate"`.
        new: The new name with its package.
    """

    @functools.wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> Any:
        warn_renamed(old, new)
        return function(*args, **kwargs)

    renamed.__name__ = renamed.__qualname__ = old.rpartition(".")[2]
    renamed.__doc__ = f"Deprecated: use `{new}` instead."
    return renamed


def renamed_attribute(old: str, new: str) -> property:
    """Returns a read-only property for an attribute's old name: it warns, then reads the new one.

    Args:
        old: The old name with its class, such as `"EnergyNet.widths_"`.
        new: The new name with its class.
    """
    name = new.rpartition(".")[2]

    def read(owner: Any) -> Any:
        value = getattr(owner, name)
        warn_renamed(old, new)
        return value

    return property(read, doc=f"Deprecated: use `{new}` instead.")
