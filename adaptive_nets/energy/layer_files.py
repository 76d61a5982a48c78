"""A layer that `EnergyNet` has learned, on disk."""

import json
import os
import pathlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from adaptive_nets.files.arrays import load_arrays
from adaptive_nets.files.atomic import atomic_write

Weights = tuple[np.ndarray, np.ndarray]


def write_layer(path: pathlib.Path, report: dict[str, Any], weights: Weights) -> None:
    """Writes a layer whole or not at all.

    Args:
        path: The file, ending in `.npz`. Missing folders above it are made.
        report: What was learned, as JSON values by name.
        weights: Kernel `[units, inputs]` and bias `[units]`.
    """
    with atomic_write(path, suffix=".npz") as part:
        np.savez(part, kernel=weights[0], bias=weights[1], report=json.dumps(report))


def read_layer(
    path: pathlib.Path, inputs: int, names: Sequence[str]
) -> tuple[dict[str, Any], Weights] | None:
    """Reads what `write_layer` wrote.

    Args:
        path: The file.
        inputs: Number of inputs that the layer must have.
        names: The names that its report must have.

    Returns:
        The report and the weights, or `None` if there is no such file or, with a warning, if it
        cannot be used.
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
        if sorted(report) != sorted(names):
            raise ValueError("its report does not have the expected entries")
        return report, (kernel, bias)
    except Exception as error:  # The bytes of a damaged file may raise anything.
        warnings.warn(
            f"'{path}' cannot be used ({error}). The layer is learned again.", stacklevel=2
        )
        return None
