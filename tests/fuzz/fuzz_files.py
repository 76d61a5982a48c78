"""Stored files with one damage each: recovered from, refused in one clear line, or a fault."""

import contextlib
import importlib.util
import io
import pathlib
import random
import sys
import time

PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "adanet" / "checkpoints" / "damage.py"
SAMPLE = 12
# What the damage of a search's folder ends in, in the words of the fuzz.
KINDS = {
    "harmless": "valid", "recovered": "valid", "refused": "clear", "obscure": "obscure",
    "raw": "obscure", "silent": "nonsense", "wrong": "nonsense",
}  # fmt: skip


def load_damage():
    """The sweep of damages; tests are not a package."""
    spec = importlib.util.spec_from_file_location("damage", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look up their module by its name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def outcomes(folder, seed, until):
    """Yields what came of one damage after another, until it is time.

    Args:
        folder: An empty folder to work in.
        seed: Which damages.
        until: When to end, by `time.monotonic()`.

    Yields:
        What was damaged, its kind as in `fuzz_draws.outcome`, and what was said.
    """
    damage = load_damage()
    scenes = [damage.finished, damage.stopped, damage.killed]
    random.Random(seed).shuffle(scenes)
    for number, scene in enumerate(scenes * 1000):
        if time.monotonic() > until:
            return
        place = pathlib.Path(folder, str(number))
        with contextlib.redirect_stdout(io.StringIO()):
            made = damage.sweep(place, 200, 0, seed + number, scenes=[scene], sample=SAMPLE)
            for found in made:
                told = f"{found.scene}: {found.file}, {found.damage}, then {found.door}"
                yield told, KINDS[found.kind], found.text
                if time.monotonic() > until:
                    return
