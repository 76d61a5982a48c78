"""Makes calls and says what came of them."""

import contextlib
import dataclasses
import io
import os
import pathlib
import re
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import keras

import adaptive_nets as an
from adaptive_nets.adanet.rounds.trainer import RoundTrainer

PACKAGE = str(pathlib.Path(an.__file__).parent)
# Who checks arguments that are handed on: Keras those of its layers, scikit-learn its estimators'.
CHECKERS = ("/keras/src/", "/sklearn/")
SECONDS = 30


@dataclasses.dataclass(frozen=True)
class Call:
    """A public function with a valid value for each argument.

    Args:
        name: Its public name.
        function: Function that returns what is called.
        arguments: `Argument`s by name.
        handed_on: Arguments that Keras or scikit-learn checks.
    """

    name: str
    function: Callable[[], Callable]
    arguments: dict[str, Any]
    handed_on: tuple[str, ...] = ()

    def wrong(self) -> Iterator[tuple[str, int]]:
        """Yields every argument with the number of a wrong value; -1 is an unknown name."""
        for name, argument in self.arguments.items():
            yield from ((name, k) for k in range(len(argument.wrong)))
        yield "no_such_argument", -1


class WorkBegan(BaseException):
    """Training has begun, so the arguments were accepted."""


class TooLong(BaseException):
    """The call did not return."""


def _begin(*arguments: Any, **named: Any):
    raise WorkBegan


@contextlib.contextmanager
def no_work():
    """Stops at the first step of training, and writes in a folder of its own."""

    def stop(*_: Any):
        raise TooLong

    before, here = signal.signal(signal.SIGALRM, stop), os.getcwd()
    with (
        mock.patch.object(RoundTrainer, "run", _begin),
        mock.patch.object(keras.Model, "fit", autospec=True, side_effect=WorkBegan),
        tempfile.TemporaryDirectory() as folder,
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)
            signal.signal(signal.SIGALRM, before)


def make(call: Call, name: str | None = None, number: int = 0) -> str:
    """Makes a call, with one wrong value.

    Returns:
        What `make_with` says.
    """
    if name is None:
        return make_with(call, {})
    return make_with(call, {name: 1 if number < 0 else call.arguments[name].wrong[number]})


def make_with(call: Call, values: dict[str, Any]) -> str:
    """Makes a call, with some values in place of the valid ones.

    Returns:
        `"accepted"`, `"clear: ..."`, `"raw: ..."` or `"hang"`.
    """
    return make_prepared(call, values, prepare(call, values))


def prepare(call: Call, values: dict[str, Any]) -> Callable[[], Any]:
    """Returns a function without arguments that makes the call."""
    given = {key: argument.make() for key, argument in call.arguments.items()} | values
    function = call.function()
    return lambda: function(**given)


def make_prepared(call: Call, values: dict[str, Any], function: Callable[[], Any]) -> str:
    """Makes a call that `prepare` has prepared.

    Returns:
        What `make_with` says.
    """
    signal.alarm(SECONDS)
    try:
        found = function()
        if isinstance(found, Iterator):
            next(found, None)
        return "accepted"
    except WorkBegan:
        return "accepted"
    except TooLong:
        return "hang"
    except Exception as error:
        return _judge(error, call, values)
    finally:
        signal.alarm(0)


def _judge(error, call, values):
    try:
        said = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    except Exception:
        said = "(a message that cannot be printed)"
    told = f"{type(error).__name__}: {said.splitlines()[0][:300] if said else ''}"
    trace, frames = error.__traceback__, []
    while trace is not None:
        frames.append(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next
    ours = frames[-1].startswith(PACKAGE) or (
        # Python itself refuses unknown and missing arguments of what was called.
        isinstance(error, TypeError) and re.search(r"(unexpected|required).* argument", said)
    )
    checked = not {*values}.isdisjoint((*call.handed_on, "no_such_argument"))
    theirs = checked and any(checker in "".join(frames) for checker in CHECKERS)
    # What the system says of a path names it.
    path = isinstance(error, OSError) and error.filename is not None
    theirs = theirs or path
    known = isinstance(error, ValueError | TypeError | KeyError | OSError | ImportError)
    named = any(re.search(rf"(?<![a-z]){re.escape(name)}(?![a-z])", said) for name in values)
    if theirs and "/sklearn/" in "".join(frames):
        return f"clear: {told}"
    one_line = len(said.strip().splitlines()) == 1
    if (
        known
        and (ours or theirs)
        and one_line
        and (named or path or not values or "eceived" in said)
    ):
        return f"clear: {told}"
    return f"raw: {told}  [{pathlib.Path(frames[-1]).name}]"
