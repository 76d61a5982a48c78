"""Layers that were learnt already, in files of their own."""

import json
import os
import pathlib
import warnings
from typing import Any

import numpy as np

from adaptive_nets.array_files import load_arrays
from adaptive_nets.atomic_files import atomic_write

Weights = tuple[np.ndarray, np.ndarray]


def write_layer(path: pathlib.Path, report: dict[str, Any], weights: Weights) -> None:
    """Writes a layer's report and its weights, kernel [units, inputs] and bias [units]."""
    with atomic_write(path, suffix=".npz") as part:
        np.savez(part, kernel=weights[0], bias=weights[1], report=json.dumps(report))


def read_layer(path: pathlib.Path, inputs: int) -> tuple[dict[str, Any], Weights] | None:
    """Reads what `write_layer` wrote; `None`, with a warning, if the file cannot be used.

    Args:
        path: The file.
        inputs: Number of inputs that the layer must have.
    """
    if not os.path.lexists(path):
        return None
    try:
        found = load_arrays(path)
        report, kernel, bias = json.loads(str(found["report"])), found["kernel"], found["bias"]
        if kernel.shape != (*bias.shape, inputs) or {kernel.dtype.kind, bias.dtype.kind} != {"f"}:
            raise ValueError(f"its weights have the shapes {kernel.shape} and {bias.shape}")
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            raise ValueError("its weights are not finite")
        return dict(report), (kernel, bias)
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        warnings.warn(
            f"The layer in '{path}' is learnt again, for the file cannot be used: {error}.",
            stacklevel=2,
        )
        return None
