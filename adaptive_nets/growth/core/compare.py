"""How far the outputs of two models are apart, on given or on random inputs."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets.graphs.read import functional
from adaptive_nets.keras_internals import input_structure


def relative_gap(
    models: Sequence[keras.Model],
    grown: keras.Model,
    sample: Any,
    mix: Sequence[float] = (1.0,),
) -> float:
    """The largest difference of outputs, relative to the outputs' scale.

    Args:
        models: The sources.
        grown: The model that should compute their mixture, or has their features side by side.
        sample: Inputs [rows, ...].
        mix: The share of each source in the outputs.
    """
    parts = [keras.tree.flatten(model(sample)) for model in models]
    found = keras.tree.flatten(grown(sample))
    worst = 0.0
    for tensor, sources in zip(found, zip(*parts, strict=True), strict=True):
        arrays = [keras.ops.convert_to_numpy(x).astype("float64") for x in sources]
        got = keras.ops.convert_to_numpy(tensor).astype("float64")
        if any(x.shape != got.shape for x in arrays):
            expected = np.concatenate(arrays, axis=-1)
        else:
            expected = sum(m * x for m, x in zip(mix, arrays, strict=True))
        scale = max(float(np.abs(expected).max()), np.finfo("float32").tiny)
        worst = max(worst, float(np.abs(got - expected).max()) / scale)
    return worst


def random_inputs(model: keras.Model, seed: int = 0, rows: int = 8, length: int = 8) -> Any:
    """Inputs on which two models can be compared: normal values, or small integers."""
    rng = np.random.default_rng(seed)
    arrays = []
    # A model with embedded positions knows no later ones.
    length = min(length, getattr(model, "max_sequence_length", length))
    for tensor in model.inputs:
        shape = [rows, *(size or length for size in tensor.shape[1:])]
        if "float" in tensor.dtype:
            arrays.append(rng.normal(size=shape).astype(tensor.dtype))
        else:
            arrays.append(rng.integers(0, 2, shape).astype(tensor.dtype))
    return keras.tree.pack_sequence_as(input_structure(functional(model)), arrays)
