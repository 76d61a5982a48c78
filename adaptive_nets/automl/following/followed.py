"""`followed`: a `fit` that callbacks follow from its beginning to its end."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import keras

from adaptive_nets.adanet.monitoring.check_callbacks import list_callbacks
from adaptive_nets.adanet.monitoring.observers import with_observers

F = TypeVar("F", bound=Callable[..., Any])


def followed(fit: F) -> F:
    """Returns a `fit` that also tells its callbacks when it begins and ends.

    Callbacks that have `on_fit_begin(estimator)` or `on_fit_end(estimator, failed)` are called so,
    also where there is no time for a search. The search that `fit` runs calls their other methods.

    Args:
        fit: Method with the argument `callbacks`, which it gets as a list.
    """

    @functools.wraps(fit)
    def fit_and_tell(self: Any, *args: Any, callbacks: Any = None, **kwargs: Any) -> Any:
        listed = with_observers(list_callbacks(callbacks))
        _tell(listed, "on_fit_begin", self)
        failed = True
        try:
            fitted = fit(self, *args, callbacks=listed, **kwargs)
            failed = False
            return fitted
        finally:
            _tell(listed, "on_fit_end", self, failed)

    # A type checker cannot tell that `fit_and_tell` is of the type of the method that it wraps.
    return fit_and_tell  # type: ignore[return-value]


def _tell(callbacks: list[keras.callbacks.Callback], name: str, *values: Any) -> None:
    for callback in callbacks:
        if hasattr(callback, name):
            getattr(callback, name)(*values)
