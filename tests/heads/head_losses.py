"""The loss of a head on arrays, as NumPy's."""

import keras
import numpy as np


def loss_of(head, labels, logits, dtype="float32"):
    """The loss of each row; labels as `encode` returns them."""
    logits = keras.ops.convert_to_tensor(np.asarray(logits, dtype))
    return keras.ops.convert_to_numpy(head.loss(labels, logits))


def loss64(head, y, logits):
    """The loss of each row of raw labels, in float64."""
    return loss_of(head, head.encode(y), logits, "float64")
