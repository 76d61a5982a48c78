"""Which call is made with which values, by a seed and a number; and what came of it."""

import contextlib
import functools
import hashlib
import os
import pathlib
import random
import shutil
import signal
import warnings

import call_things as t
import fuzz_command
import keras
import numpy as np
from call_kinds import whole
from call_outcomes import make_prepared, prepare
from calls_all import CALLS
from fuzz_values import POOL, small_model

# The kinds of outcome that are faults; "clear" is a refusal, and "valid" a call that is right.
FAULTS = ("obscure", "nonsense", "changed", "crash", "hang")


def draw(seed, number, parts=()):
    """Returns a call and the names of values in the pool by argument.

    A call that is added to `CALLS`, or leaves it, changes none of the others' draws.
    """
    calls = [call for call in CALLS if _wanted(call, parts)]
    call = max(calls, key=lambda each: _mixed(seed, number, each.name))
    chance = random.Random(f"{seed}/{number}/{call.name}")
    names = list(call.arguments)
    chosen = chance.sample(names, min(len(names), chance.choice((1, 1, 2))))
    values = {name: chance.choice([*POOL]) for name in chosen}
    # Where work is done at once, a number that is right but large asks for days or for all memory.
    if not call.name.rpartition(".")[2][0].isupper():
        for name, value in values.items():
            values[name] = "integer 4: 3" if _is_large(value, call.arguments[name]) else value
    return call, values


def _mixed(*parts):
    """Returns bytes that are as good as random, and the same for the same parts."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()


def _wanted(call, parts):
    return not {*parts} - {"command"} or any(part in call.name for part in parts)


def _is_large(name, argument):
    value = POOL[name]()
    return whole(value) and value > 10**6 and argument.admits(value)


def job(seed, number, parts=()):
    """Returns one line that says what is tried, and a function that does so.

    Every twelfth is a command line.
    """
    if number % 12 == 11 and (not parts or "command" in parts):
        arguments, name, value = fuzz_command.draw(seed, number)
        line = f"adaptive-nets {' '.join(arguments)}"
        return line, functools.partial(_of_command, arguments, name, value)
    call, chosen = draw(seed, number, parts)
    return shown(call, chosen), functools.partial(outcome, call, chosen)


def _of_command(arguments, name, value):
    found = fuzz_command.outcome(arguments, name, value)
    _sweep()
    return found


def outcome(call, chosen):
    """Makes a call with values of the pool.

    Returns:
        One of `"valid"`, `"clear"` and `FAULTS`, and what was said.
    """
    given = {name: POOL[value]() for name, value in chosen.items()}
    prepared = prepare(call, given)
    before = _surroundings()
    said = make_prepared(call, given, prepared)
    kind = said.partition(":")[0]
    if kind == "accepted":
        _sweep()
        fresh = {name: POOL[value]() for name, value in chosen.items()}
        right = all(call.arguments[name].admits(value) for name, value in fresh.items())
        return ("valid" if right else "nonsense"), said
    if kind == "hang":
        return kind, said
    after = _surroundings()
    changed = [name for name in before if before[name] != after[name]]
    if changed:
        _sweep()
        return "changed", f"{', '.join(changed)} changed; {said}"
    return ("clear" if kind == "clear" else "obscure"), said


def shown(call, chosen):
    """A call as one line."""
    return f"{call.name}({', '.join(f'{n}=<{v}>' for n, v in chosen.items())})"


def enter():
    """Lays what values of the pool name into the working folder, which is empty."""
    pathlib.Path("folder").mkdir()
    pathlib.Path("file.txt").write_text("soup")
    # What is made once draws random numbers then.
    small_model()
    t.dense()


def _sweep():
    """Leaves the working folder as `enter` does."""
    for path in pathlib.Path().iterdir():
        if path.name not in ("folder", "file.txt"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in pathlib.Path("folder").iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _surroundings():
    """What a call that is refused must leave as it was."""
    stored = pathlib.Path(t.stored())
    files = [pathlib.Path(), pathlib.Path("folder"), stored]
    with contextlib.suppress(FileNotFoundError):
        files = [(p.name, p.stat().st_mtime_ns) for f in files for p in sorted(f.iterdir())]
    weights = [np.asarray(w).tobytes() for w in t.dense().get_weights()]
    return {
        "files": files,
        "the working folder": os.getcwd(),
        # MLflow names its run context there when it is imported.
        "the environment": {k: v for k, v in os.environ.items() if "MLFLOW" not in k},
        "NumPy's random state": np.random.get_state()[1].tobytes(),
        "Keras' settings": (keras.config.floatx(), keras.config.dtype_policy().name),
        "warnings": len(warnings.filters),
        "signals": [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)],
        "data": (t.X.tobytes(), t.Y.tobytes(), t.BITS.tobytes()),
        "a model": weights,
    }
