"""Decides whether XLA is the faster compiler."""

import keras
import tensorflow as tf
from absl import logging

from adaptive_nets.keras_internals import layers_in

# Below this many steps, XLA's compilation costs more than it saves on a CPU.
XLA_STEPS = 3000
# XLA's programs stay in memory until the process ends, about 10 MiB each: nothing in TensorFlow
# frees them. After this many of them in a process, rounds that need not be compiled are not.
XLA_PROGRAMS = 64


# Layers that XLA makes slower on a CPU.
_SLOW_ON_CPU = (
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


class _Programs:
    """The number of rounds that XLA has compiled in this process."""

    made = 0


def choose_xla(setting: str | bool, models: list[keras.Model], steps: int, replicas: int) -> bool:
    """Returns whether a round is compiled by XLA, and counts those that are.

    Args:
        setting: `jit_compile` of the search: `"auto"`, `True` or `False`.
        models: Models to be trained.
        steps: Number of training steps.
        replicas: Number of replicas that train together.
    """
    chosen = setting
    if setting == "auto":
        chosen = replicas == 1 and prefers_xla(models, steps)
        if chosen and _Programs.made >= XLA_PROGRAMS:
            logging.log_first_n(
                logging.WARNING,
                "XLA has compiled %d rounds in this process, whose programs stay in memory to its "
                "end. Further rounds train without XLA. To train all with it, search in a new "
                "process, or pass jit_compile=True.", 1, _Programs.made,
            )  # fmt: skip
            chosen = False
    _Programs.made += bool(chosen)
    return bool(chosen)


def prefers_xla(models: list[keras.Model], steps: int) -> bool:
    """Returns whether XLA is the faster compiler for these models on the available devices.

    On a CPU, XLA makes a step of a small network three to four times as fast, but takes about half
    a second longer to compile, and its convolutions and recurrent loops are many times
    slower than TensorFlow's own kernels.

    Args:
        models: Models to be trained.
        steps: Number of training steps.
    """
    accelerated = bool(tf.config.list_logical_devices("GPU"))
    if not accelerated and steps < XLA_STEPS:
        return False
    for model in models:
        for layer in layers_in(model, include_self=False):
            if not getattr(layer, "supports_jit", True):
                return False
            if not accelerated and isinstance(layer, _SLOW_ON_CPU):
                return False
        if any(tensor.dtype == "string" for tensor in keras.tree.flatten(model.inputs)):
            return False
    return True


def rewrites(models: list[keras.Model], steps: int, replicas: int) -> bool:
    """Returns whether a round's graph is rewritten by TensorFlow's optimizer before its first step.

    On a CPU that takes a quarter of a second for each network, and saves nothing that could be
    measured in steps of dense layers. What was turned on by `tf.config.optimizer` stays on.

    Args:
        models: Models to be trained.
        steps: Number of training steps.
        replicas: Number of replicas that train together.
    """
    if replicas > 1 or steps >= XLA_STEPS or tf.config.list_logical_devices("GPU"):
        return True
    if any(tf.config.optimizer.get_experimental_options().values()):
        return True
    layers = (layer for model in models for layer in layers_in(model, include_self=False))
    return any(isinstance(layer, _SLOW_ON_CPU) for layer in layers)
