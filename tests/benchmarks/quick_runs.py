"""Scripts of benchmarks/ as modules, in their quick mode."""

import importlib.util
import math
import pathlib

BENCHMARKS = pathlib.Path(__file__).resolve().parents[2] / "benchmarks"


def load(name):
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name, *arguments):
    """What a script's `main` returns for `--quick`."""
    return load(name).main(["--quick", *arguments])


def numbers(found):
    """All numbers within dicts and lists."""
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, (list, tuple)):
        return [number for each in found for number in numbers(each)]
    return [float(found)]


def positive(found):
    """Whether there are figures, all finite and above 0."""
    return bool(numbers(found)) and all(math.isfinite(v) and v > 0 for v in numbers(found))
