"""Feature preprocessing that all subnetworks share, so that finite data passes it once."""

import keras
import numpy as np

from adaptive_nets.adanet.subnetwork import make_inputs


def standardization(rows) -> keras.Model | None:
    """A model that gives every numeric feature mean 0 and variance 1 on these rows.

    Vectors are scaled entry by entry, images and other tensors by one number, so that pixels
    keep their relations. Entries that (nearly) never vary are centred and not blown up.

    Args:
        rows: Training `Rows`.

    Returns:
        A `keras.Model` of `Normalization` layers, or `None` where no feature is numeric.
    """
    inputs = make_inputs(rows.spec)
    pairs = rows.x.items() if isinstance(rows.x, dict) else [(None, rows.x)]
    outputs = {}
    for name, array in pairs:
        tensor = inputs if name is None else inputs[name]
        if array.dtype.kind not in "fiub":
            outputs[name] = tensor
            continue
        axis = -1 if array.ndim == 2 else None
        mean, variance = _moments(array, axis)
        layer = keras.layers.Normalization(axis=axis, mean=mean, variance=variance)
        outputs[name] = layer(tensor)
    if all(outputs[k] is (inputs if k is None else inputs[k]) for k in outputs):
        return None
    return keras.Model(inputs, outputs.get(None, outputs), name="preprocessing")


def _moments(array, axis, block=8192):
    over = 0 if axis == -1 else None
    shape = (array.shape[1],) if axis == -1 else ()
    total, square = np.zeros(shape), np.zeros(shape)
    shift = array[:1].astype("float64").mean(axis=over)
    for start in range(0, len(array), block):
        piece = array[start : start + block].astype("float64") - shift
        total += piece.sum(axis=over)
        square += (piece**2).sum(axis=over)
    count = len(array) if axis == -1 else array.size
    mean = total / count
    variance = np.maximum(square / count - mean**2, 0.0)
    scale = np.abs(mean + shift) + np.sqrt(variance)
    constant = variance <= (1e-6 * scale) ** 2
    variance = np.where(constant, 1.0, variance)
    mean = mean + shift
    if axis is None:
        return float(mean), float(variance)
    return mean.astype("float32"), variance.astype("float32")
