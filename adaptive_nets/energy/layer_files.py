"""A layer that `EnergyNet` has learned, on disk."""

import json
import pathlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from adaptive_nets.atomic_files import atomic_write

Weights = tuple[np.ndarray, np.ndarray]


def write_layer(path: pathlib.Path, report: dict[str, Any], weights: Weights) -> None:
    """Writes a layer whole or not at all.

    Args:
        path: The file, ending in `.npz`. Its folder is made.
        report: What was learned, as JSON values by name.
        weights: Kernel `(units, inputs)` and bias `(units,)`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as name, open(name, "wb") as file:
        np.savez(file, kernel=weights[0], bias=weights[1], report=json.dumps(report))


def read_layer(path: pathlib.Path, names: Sequence[str]) -> tuple[dict[str, Any], Weights] | None:
    """Reads a layer.

    Args:
        path: The file.
        names: The names that its report must have.

    Returns:
        The report and the weights, or `None` where there is no such file, and with a warning where
        it is damaged.
    """
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as found:
            report = json.loads(str(found["report"]))
            kernel, bias = found["kernel"], found["bias"]
        numbers = kernel.dtype.kind == bias.dtype.kind == "f" and kernel.shape[:1] == bias.shape
        finite = numbers and np.isfinite(kernel).all() and np.isfinite(bias).all()
        if finite and kernel.ndim == 2 and sorted(report) == sorted(names):
            return report, (kernel, bias)
    except Exception as error:  # The bytes of a damaged archive may raise anything.
        warnings.warn(f"{path} is damaged ({type(error).__name__}).", stacklevel=2)
    warnings.warn(f"{path} is no whole layer. The layer is learned again.", stacklevel=2)
    return None
