"""Which rule grows which layer."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from adaptive_nets._checks import show
from adaptive_nets.graphs.inventory import check_whole
from adaptive_nets.growth.core.segments import UnruledError

_RULES: dict[type, Any] = {}
_LAZY: dict[str, str] = {}
_BY_CALL: list[Callable[[Sequence[Any], dict[int, Any]], Any]] = []


def register_rule(*classes: type) -> Callable[[type], type]:
    """Registers the decorated `Rule` for layer (or operation) classes; a later one replaces it.

    Rules hold for exactly these classes: a subclass may compute something else, so it needs a
    rule of its own, which may derive from its parent's.

    Args:
        *classes: Layer classes.

    Returns:
        The decorator, which returns the rule's class.

    Example:

    ```python
    import keras
    from adaptive_nets import growth

    @keras.saving.register_keras_serializable(package="example")
    class Scale(keras.layers.Layer):
        def build(self, input_shape):
            self.gain = self.add_weight(shape=input_shape[-1:], initializer="ones", name="gain")

        def call(self, inputs):
            return inputs * self.gain

    @growth.register_rule(Scale)
    class ScaleRule(growth.Rule):
        def trace(self, call):
            x = call.separate(call.inputs, -1)
            call.weight("gain", growth.Scales(x.axis(-1)))
            return call.output(x)
    ```
    """
    if not classes or not all(
        isinstance(each, type) and issubclass(each, keras.Operation) for each in classes
    ):
        shown = ", ".join(map(show, classes)) or "none"
        raise TypeError(f"classes must be layer classes, at least one. Received: {shown}.")

    def decorate(rule: type) -> type:
        for each in classes:
            _RULES[each] = rule()
        return rule

    return decorate


def registered() -> dict[type, Any]:
    """All classes with a rule."""
    return dict(_RULES)


def register_lazily(module: str, rules: str) -> None:
    """Names the module of rules for the layers of a package that is imported only by its users."""
    _LAZY[module] = rules


def find_rule(kind: type) -> Any:
    """The rule of a class, or None."""
    import importlib

    package = kind.__module__.partition(".")[0]
    if kind not in _RULES and package in _LAZY:
        importlib.import_module(_LAZY.pop(package))
    return _RULES.get(kind)


def default_rule() -> Any:
    """The rule of what has no other: it is carried as it is."""
    return _RULES[keras.Operation]


def rule_inside(operation: Any, path: str) -> Any:
    """The rule of a layer inside another, which is carried whole if there is none.

    Raises:
        UnruledError: There is none.
    """
    kind = type(operation)
    rule = find_rule(kind)
    if rule is None or rule.carries:
        named = f"there is no growth rule for {kind.__module__}.{kind.__name__}"
        raise UnruledError(
            f"Cannot grow {path!r}: {named}. Expected a stock Keras layer, or a class given to "
            "adaptive_nets.growth.register_rule. Write a rule for it (CONTRIBUTING.md, Adding a "
            "growth rule), or replace it by stock layers.",
            named,
        )
    return rule


def register_by_call(find: Callable[..., Any]) -> Callable[..., Any]:
    """Registers a function that finds a rule for layers whose class has none.

    It gets the record of one call in each source, and the masks that tensors have when the model
    runs, by the tensors' ids. It returns a rule or None.
    """
    _BY_CALL.append(find)
    return find


def rule_of_call(nodes: Sequence[Any], masks: dict[int, Any]) -> Any:
    """The rule of a called layer: that of its class, one that its call shows, or it is carried."""
    found = find_rule(type(nodes[0].operation))
    if found is None:
        found = next(filter(None, (find(nodes, masks) for find in _BY_CALL)), None)
    return found or default_rule()


def makes_whole(model: keras.Model, sources: int = 1) -> bool:
    """Whether a rule makes models of the same class by its constructor.

    Args:
        model: The source.
        sources: How many models are joined.
    """
    rule = find_rule(type(model))
    return rule is not None and rule.makes_whole(model, sources)


def check_grown_whole(model: keras.Model, sources: int = 1) -> None:
    """Refuses a model that growth would take something from, by name."""
    whole = makes_whole(model, sources)
    check_whole(model, "grow", "register a growth rule for it", whole)
