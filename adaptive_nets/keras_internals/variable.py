"""How Keras keeps a variable, and the scopes in which it is made and read."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras


def initializer_of(variable: keras.Variable) -> Any:
    """What a variable's first value comes from."""
    return variable._initializer


def set_initializer(variable: keras.Variable, initializer: Callable) -> None:
    """Exchanges what a waiting variable's first value comes from."""
    variable._initializer = initializer


def initialize(variable: keras.Variable) -> None:
    """Gives a waiting variable its first value."""
    variable._deferred_initialize()


def set_path(variable: keras.Variable, path: str) -> None:
    """Exchanges the path by which a variable is known."""
    variable._path = path


@contextlib.contextmanager
def waiting_variables(waiting: list) -> Iterator[None]:
    """Within it variables that wait for their first value are put into a list."""
    from keras.src.backend.common import global_state

    name = "uninitialized_variables"
    before = global_state.get_global_attribute(name, [], set_to_default=True)
    global_state.set_global_attribute(name, waiting)
    try:
        yield
    finally:
        global_state.set_global_attribute(name, before)


@contextlib.contextmanager
def without_stateless_scope() -> Iterator[None]:
    """Within it variables are made and read as outside of a stateless scope."""
    from keras.src.backend.common import global_state

    scope = global_state.get_global_attribute("stateless_scope")
    global_state.set_global_attribute("stateless_scope", None)
    try:
        yield
    finally:
        global_state.set_global_attribute("stateless_scope", scope)


def stateless_scope() -> Any:
    """The stateless scope that is open, or None."""
    from keras.src.backend.common.stateless_scope import get_stateless_scope, in_stateless_scope

    return get_stateless_scope() if in_stateless_scope() else None


def call_context() -> Any:
    """What Keras keeps of the outermost call that is under way; None outside of calls."""
    from keras.src.backend.common import global_state

    # The layer's own method would begin a call where there is none, and nothing would end it.
    return global_state.get_global_attribute("current_call_ctx")


def full_precision() -> contextlib.AbstractContextManager:
    """A scope in which variables are read at their own precision, also under mixed precision."""
    from keras.src.backend import AutocastScope

    return AutocastScope(None)


def unsafe_deserialization() -> contextlib.AbstractContextManager:
    """A scope in which lambdas are read: for configurations that were written here."""
    from keras.src.saving.serialization_lib import SafeModeScope

    return SafeModeScope(False)
