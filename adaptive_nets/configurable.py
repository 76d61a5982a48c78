"""The base of what users extend: an object that its configuration describes."""

from typing import Any, ClassVar, Self

from adaptive_nets._checks import check_config


class Configurable:
    """An object that its class and its constructor's arguments describe.

    Heads, generators, strategies, complexities, ensemblers and evaluators are such. A subclass
    with arguments overrides `get_config`; one that `AdaNet.load` is to rebuild is registered with
    `keras.saving.register_keras_serializable`.

    Two of one class are equal if their configurations are.

    Attributes:
        compared: Names of attributes that must be the same object, or equal `Configurable`s, for
            two objects to be equal: what a configuration cannot hold, such as data or a function.
    """

    compared: ClassVar[tuple[str, ...]] = ()

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments as JSON values."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The object that `get_config` described."""
        return cls(**check_config(cls, config))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other):
            return NotImplemented
        pairs = [(getattr(self, name), getattr(other, name)) for name in self.compared]
        same = all(a is b or (isinstance(a, Configurable) and a == b) for a, b in pairs)
        try:
            return same and self.get_config() == other.get_config()
        except ValueError:
            # It says that no configuration can hold it, as of a head whose loss is a lambda.
            return False

    def __hash__(self) -> int:
        # Of the class alone: what an object has learnt changes its configuration, not its hash.
        return hash(type(self))

    def __repr__(self) -> str:
        try:
            return show_call(type(self).__name__, self.get_config())
        except ValueError:
            return f"{type(self).__name__}(...)"


def show_call(name: str, config: dict[str, Any]) -> str:
    """A configuration as the call that makes its object, `Name(argument=value, ...)`."""
    return f"{name}({', '.join(f'{key}={_show(value)}' for key, value in config.items())})"


def _show(value):
    """A value of a configuration; objects in it, described by name and configuration, as calls."""
    if isinstance(value, list):
        return f"[{', '.join(map(_show, value))}]"
    if isinstance(value, dict) and "config" in value:
        name = value.get("registered") or value.get("class_name")
        if isinstance(name, str):
            name = name.rpartition(">")[2]
            return show_call(name, value["config"]) if isinstance(value["config"], dict) else name
    return repr(value)
