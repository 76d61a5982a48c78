"""NumPy arrays that share memory with the backend's tensors, where that is safe."""

import math
from typing import Any

import keras
import numpy as np

ALIGNMENT = 64  # TensorFlow takes over memory that begins at a multiple of it


def read(variable: Any) -> np.ndarray:
    """The values of a variable, not to be written to; without a copy where the backend allows.

    TensorFlow does not update memory that is looked at: the next update makes a copy.
    """
    value = getattr(variable, "value", variable)
    if hasattr(value, "read_value"):
        try:
            array = np.from_dlpack(value.read_value())
        except (AttributeError, BufferError, RuntimeError, TypeError, ValueError):
            return np.asarray(variable)  # a dtype without this protocol, such as bfloat16
        array.flags.writeable = False
        return array
    return np.asarray(variable)


def zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Zeros in memory that `tensor` need not copy; pages are not touched before they are used."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


def tensor(array: np.ndarray, dtype: Any) -> Any:
    """A tensor of an array that nobody writes to any more.

    TensorFlow copies an array twice to be safe from later changes. Memory that is handed over is
    not changed by the variable either: its first update makes a copy.
    """
    ready = array.size and array.flags.writeable and array.flags.c_contiguous
    aligned = array.ctypes.data % ALIGNMENT == 0
    if ready and aligned and keras.backend.backend() == "tensorflow" and array.dtype.name == dtype:
        import tensorflow as tf

        try:
            return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
        except (BufferError, RuntimeError, TypeError, ValueError):
            pass  # a dtype that cannot be handed over
    return keras.ops.convert_to_tensor(array, dtype=dtype)
