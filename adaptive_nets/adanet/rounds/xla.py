"""Decides whether XLA is the faster compiler."""

import keras
import tensorflow as tf

from adaptive_nets.keras_internals import layers_in

# Below this many steps, XLA's compilation costs more than it saves on a CPU. Its programs also stay
# in memory until the process ends, about 10 MiB each.
XLA_STEPS = 3000


def prefers_xla(models: list[keras.Model], steps: int) -> bool:
    """Returns whether XLA is the faster compiler for these models on the available devices.

    On a CPU, XLA makes a step of a small network three to four times as fast, but takes about half
    a second longer to compile, and its convolutions and recurrent loops are many times
    slower than TensorFlow's own kernels.

    Args:
        models: Models to be trained.
        steps: Number of training steps.
    """
    slow_on_cpu = (
        keras.layers.Conv1D,
        keras.layers.Conv2D,
        keras.layers.Conv3D,
        keras.layers.Conv1DTranspose,
        keras.layers.Conv2DTranspose,
        keras.layers.Conv3DTranspose,
        keras.layers.DepthwiseConv1D,
        keras.layers.DepthwiseConv2D,
        keras.layers.SeparableConv1D,
        keras.layers.SeparableConv2D,
        keras.layers.RNN,
    )
    accelerated = bool(tf.config.list_logical_devices("GPU"))
    if not accelerated and steps < XLA_STEPS:
        return False
    for model in models:
        for layer in layers_in(model, include_self=False):
            if not getattr(layer, "supports_jit", True):
                return False
            if not accelerated and isinstance(layer, slow_on_cpu):
                return False
        if any(tensor.dtype == "string" for tensor in keras.tree.flatten(model.inputs)):
            return False
    return True
