"""Command lines with one flag spoilt, and whether the command answers in one clear line."""

import contextlib
import functools
import io
import math
import pathlib
import random
import tempfile
import warnings

import call_things as t
import keras
import numpy as np
import pandas as pd
from call_outcomes import WorkBegan

import adaptive_nets as an
from adaptive_nets.cli import app

# Wrong for every number; text for paths may be any that is not empty.
WORDS = (
    "", " ", "soup", "-1", "0", "1", "2.5", "nan", "inf", "-inf", "1e999", "9" * 30, "0x1", "1_0",
    "True", "None", "{}", "[1]", "größe", "名前", "\ud800", "a\nb", "../x", "/", "folder",
    "file.txt", "file.txt/x", "x" * 300, "-", "--", "--help=3", "%s{}", "$HOME", "~", "~nobody/x",
    "npz:", "npz:no.npz", "npz:file.txt", "csv:folder", "csv:file.txt", "npz:text.npz", "tfds:",
)  # fmt: skip
COUNTS = ("max_iterations", "steps_per_iteration", "batch_size", "width", "rows", "repeats")
SEEDS = ("seed", "split_seed")


@functools.cache
def _lines():
    """Command lines that are right, as command, flags and other words; their files, made once."""
    folder = pathlib.Path(tempfile.mkdtemp())
    np.savez(folder / "data.npz", x_train=t.X, y_train=t.Y, x_test=t.X, y_test=t.Y)
    t.dense().save(folder / "a.keras")
    keras.models.clone_model(t.dense()).save(folder / "b.keras")
    data, models = f"npz:{folder}/data.npz", (f"{folder}/a.keras", f"{folder}/b.keras")
    stored = str(t.stored())
    table, fitted = f"{folder}/table.csv", f"{folder}/fitted"
    frame = pd.DataFrame(t.X, columns=["a", "b", "c"]).assign(g=np.arange(24) % 8)
    frame = frame.assign(amount=t.TARGETS, y=np.array(["no", "yes"])[t.Y % 2])
    frame.to_csv(table, index=False)
    an.AutoClassifier(time_limit=0.01, seed=0, verbose=0, model_dir=fitted).fit(frame, "y")
    fit = {
        "table": table, "model_dir": "fitrun", "export": "fitout", "time_limit": "0.01",
        "metric": "auto", "preset": "good", "kinds": "a=number", "seed": "1",
    }  # fmt: skip
    found = {
        "leaderboard": ({"model_dir": stored, "format": "json"}, ()),
        "evaluate": ({"model_dir": stored, "data": data, "split_seed": "0"}, ()),
        "predict": ({"model_dir": stored, "data": data, "rows": "3", "output": "p.csv"}, ()),
        "export": ({"model_dir": stored, "path": "out"}, ()),
        "report": ({"model_dir": stored, "data": data, "out": "r.json"}, ()),
        "fuse": ({"out": "c.keras", "cross": "zero", "norm": "joint", "seed": "0"}, models),
        "search": (
            {
                "model_dir": "run", "data": data, "head": "auto", "time_limit": "60",
                "max_iterations": "1", "steps_per_iteration": "2", "batch_size": "8", "width": "4",
                "training": "residual", "adanet_lambda": "0.1", "learning_rate": "0.1",
                "validation_split": "0.2", "test_split": "0.3", "seed": "1", "generator": "dense",
                "mixture_weights": "scalar",
            },
            (),
        ),
    }  # fmt: skip
    divided = {"groups": "g", "folds": "3", "repeats": "2", "class_weight": "balanced"}
    known = {"model_dir": fitted, "table": table}
    more = [
        ("fit", {**fit, **divided, "target": "y"}),
        ("fit", {**fit, "target": "amount", "time": "g", "gap": "1", "output": "quantiles"}),
        ("importances", {**known, "rows": "20", "repeats": "1", "seed": "0"}),
        ("predict", {**known, "coverage": "0.5", "output": "q.csv"}),
        ("export", {"model_dir": fitted, "path": "out", "coverage": "0.5"}),
        ("report", {**known, "out": "s.json"}),
    ]
    lines = [(name, flags, others) for name, (flags, others) in found.items()]
    return lines + [(name, flags, ()) for name, flags in more]


def draw(seed, number):
    """Returns a command line, and the flag that is spoilt with its value."""
    chance = random.Random(f"command/{seed}/{number}")
    command, flags, others = chance.choice(_lines())
    name = chance.choice([*flags, "no_such_flag"])
    value = chance.choice(WORDS)
    words = [f"--{key}={given}" for key, given in {**flags, name: value}.items()]
    return [command, *others, *words], name, value


def outcome(arguments, name, value):
    """Runs a command line.

    Returns:
        As `fuzz_draws.outcome`.
    """
    errors = io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(errors),
            warnings.catch_warnings(),
        ):
            status = app.main(arguments)
    except WorkBegan:
        status = 0
    lines = [line for line in errors.getvalue().splitlines() if "warning:" not in line]
    said = " | ".join(lines)
    if status == 0:
        return ("valid" if may_be(name, value) else "nonsense"), "accepted"
    one = len(lines) == 1 and lines[0].startswith("adaptive-nets: error: ")
    # The hint stands behind errors that do not explain themselves.
    return ("clear" if one and "--debug" not in said else "obscure"), said


def may_be(name, value):
    """Whether a flag may have a value."""
    try:
        if name in COUNTS:
            return int(value, 0) >= 1
        if name == "folds":
            return int(value, 0) >= 2
        if name in SEEDS:
            return int(value, 0) >= 0
        if name in ("validation_split", "test_split"):
            return 0 <= float(value) < 1
        if name in ("time_limit", "learning_rate", "adanet_lambda", "gap"):
            return 0 <= float(value) < math.inf
    except ValueError:
        return False
    if name == "cross":
        return value.replace(".", "").isdigit()
    # Of the words, only paths may be what they are.
    paths = ("model_dir", "path", "out", "output", "export")
    # No kinds are given.
    return (name in paths and bool(value.strip())) or (name == "kinds" and not value)
