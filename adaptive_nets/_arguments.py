"""Arguments of other libraries: mapped, ignored with a warning, or refused by name."""

import dataclasses
import difflib
import functools
import inspect
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from adaptive_nets._values import show, tried

_T = TypeVar("_T", bound=Callable)


@dataclasses.dataclass(frozen=True)
class Mapped:
    """An argument that has another name here.

    Args:
        to: The name here.
        read: Function from the value to the one that is passed on. Defaults to `None`: it is
            passed on as it is.
    """

    to: str
    read: Callable[[Any], Any] | None = None


@dataclasses.dataclass(frozen=True)
class Ignored:
    """An argument without effect, which a warning says.

    Args:
        why: Why it has none.
        silent: Values that raise no warning, such as the default. Defaults to `(None,)`.
        check: Function that raises an error for a value that the other library would not take
            either. Defaults to `None`: any value is taken.
    """

    why: str
    silent: tuple = (None,)
    check: Callable[[Any], Any] | None = None


@dataclasses.dataclass(frozen=True)
class Refused:
    """An argument that is an error.

    Args:
        instead: What to do instead.
        silent: Values that are no error, such as the default. Defaults to `(None,)`.
    """

    instead: str
    silent: tuple = (None,)


Rules = Mapping[str, Mapped | Ignored | Refused]


def takes(rules: Rules, more: Callable[[], Collection[str]] | None = None) -> Callable[[_T], _T]:
    """Returns a decorator of a class or function that takes arguments of another library, too.

    Whatever is passed, no call ends in Python's own `TypeError`: unknown and missing arguments are
    named. An argument that a rule ignores is passed on if the function has one of that name.

    Args:
        rules: What becomes of each argument. Those that are not mapped may also be arguments of
            the function.
        more: Function that returns further names that `**kwargs` takes. Defaults to `None`: those
            of no rule are unknown, also where the function has `**kwargs`.
    """

    def decorate(target):
        function = target.__init__ if isinstance(target, type) else target
        signature = inspect.signature(function)
        parameters = list(signature.parameters.values())
        open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters)
        own = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}

        method = "self" in signature.parameters

        @functools.wraps(function)
        def called(*args, **kwargs):
            # A subclass says its own name.
            owner = type(args[0]).__name__ if method and args else target.__qualname__
            owner += f".{function.__name__}" if method and args and function is target else ""
            known = own | set(more() if more is not None and open_ended else ())
            kwargs = settle(owner, kwargs, rules, known - {"self"})
            bound = _bind(owner, signature, args, kwargs)
            ruled = [name for name in list(bound.arguments)[: len(args)] if name in rules]
            settle(owner, {name: bound.arguments[name] for name in ruled}, rules, known)
            return function(*args, **kwargs)

        if function is target:
            return called
        target.__init__ = called
        return target

    return decorate


def settle(owner: str, given: Mapping[str, Any], rules: Rules, own: Collection[str]) -> dict:
    """Returns the arguments that a function takes, as its rules say.

    Args:
        owner: The name of what is called, for messages.
        given: What was passed by name.
        rules: What becomes of arguments of another library.
        own: Names of the function's own arguments.

    Raises:
        TypeError: An argument is unknown.
        ValueError: One is refused, or passed under both of its names.
    """
    kept = {}
    for name, value in given.items():
        rule = rules.get(name)
        if rule is None and name not in own:
            raise TypeError(_unknown(owner, name, value, {*own, *rules}))
        if isinstance(rule, Mapped) and name not in own:
            if rule.to in given or rule.to in kept:
                raise ValueError(
                    f"{owner} takes {name} as {rule.to}: pass only one of the two. "
                    f"Received: {name}={show(value)}, {rule.to}={show(given.get(rule.to))}."
                )
            kept[rule.to] = value if rule.read is None else rule.read(value)
            continue
        if isinstance(rule, Refused) and not _among(value, rule.silent):
            raise ValueError(
                f"{name} is not supported by {owner}: {rule.instead} "
                f"Received: {name}={show(value)}."
            )
        if isinstance(rule, Ignored) and not _among(value, rule.silent):
            if rule.check is not None:
                rule.check(value)
            text = f"{name} is accepted but ignored: {rule.why}."
            warnings.warn(text, stacklevel=3)
        if name in own:
            kept[name] = value
    return kept


def _among(value, silent):
    return any(value is each or tried(lambda e=each: bool(value == e)) for each in silent)


def _unknown(owner, name, value, known):
    near = difflib.get_close_matches(name, sorted(known), 1)
    hint = f"Did you mean {near[0]}?" if near else f"It takes {', '.join(sorted(known))}."
    return f"{owner} has no argument {name}. {hint} Received: {name}={show(value)}."


def _bind(owner, signature, args, kwargs):
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        shown = [show(a) for a in args[1:]] + [f"{k}={show(v)}" for k, v in kwargs.items()]
        names = [n for n in signature.parameters if n != "self"]
        raise TypeError(
            f"{owner} was called with wrong arguments: {error}. It takes {', '.join(names)}. "
            f"Received: {', '.join(shown) or 'no arguments'}."
        ) from None
