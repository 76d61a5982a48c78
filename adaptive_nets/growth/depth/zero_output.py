"""Which weights must be zero so that a branch adds nothing, and may still learn."""

from typing import Any

import keras

from adaptive_nets.growth.core.rule import ZERO_KEEPING, activation_name
from adaptive_nets.growth.core.weight_roles import grows_as, variable_of
from adaptive_nets.growth.depth.graph_blocks import GraphView
from adaptive_nets.keras_internals import (
    layer_scale_class,
    output_projection,
    stochastic_depth_class,
)

layers = keras.layers
_KERNELS = (
    *(layers.Dense, layers.EinsumDense, layers.Conv1D, layers.Conv2D, layers.Conv3D),
    *(layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose),
    *(layers.DepthwiseConv1D, layers.DepthwiseConv2D),
)
_SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
_ATTENTION = (layers.MultiHeadAttention, layers.GroupQueryAttention)
_NORMS = (
    layers.BatchNormalization,
    layers.LayerNormalization,
    layers.RMSNormalization,
    layers.GroupNormalization,
)
# Layers that give zeros for zeros, in training as well.
_PASSING = (
    *(layers.Dropout, layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D),
    *(layers.GaussianDropout, layers.Identity, layers.Reshape, layers.Permute, layers.Flatten),
    *(layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D),
    *(layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D),
    *(layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D),
    *(layers.Cropping1D, layers.Cropping2D, layers.Cropping3D, layers.ActivityRegularization),
    *(layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D),
    *(layers.LeakyReLU, layers.ELU, layers.PReLU, stochastic_depth_class()),
)


def variables_to_zero(layer: Any) -> list[Any] | None:
    """The weights of a layer that, being zero, make its output zero; None if there are none."""
    kind = grows_as(layer)
    if kind in _ATTENTION:
        return variables_to_zero(output_projection(layer))
    if kind in _KERNELS or kind in _SEPARABLE:
        if activation_name(layer.activation) not in ZERO_KEEPING:
            return None
        name = "pointwise_kernel" if kind in _SEPARABLE else "kernel"
        found = (variable_of(layer, each) for each in (name, "bias"))
        return [variable for variable in found if variable is not None]
    if kind in _NORMS or kind is layer_scale_class():
        gain = getattr(layer, "gamma", None)
        gain = getattr(layer, "scale", None) if kind is layers.RMSNormalization else gain
        if not isinstance(gain, keras.Variable):
            return None
        beta = getattr(layer, "beta", None)
        return [gain] if beta is None else [gain, beta]
    return None


def offsets(layer: Any) -> list[Any]:
    """The weights of a norm without a gain that, being zero, let zeros pass as zeros."""
    found = (getattr(layer, name, None) for name in ("beta", "moving_mean"))
    return [variable for variable in found if variable is not None]


def passes_zero(layer: Any) -> bool:
    """Whether a layer gives zeros for zeros whatever its weights."""
    if type(layer) in _PASSING:
        return True
    if type(layer) is layers.Activation:
        return activation_name(layer.activation) in ZERO_KEEPING
    return type(layer) is layers.ReLU and layer.threshold >= 0


def last_weighted(view: GraphView, tensor: keras.KerasTensor, inside: set[int]) -> list[Any] | None:
    """The layers whose zero weights make a tensor zero, nearest to it; None if there are none.

    Args:
        view: The graph.
        tensor: What a residual sum adds.
        inside: The ids of the calls that will be copied.
    """
    node = view.producer.get(id(tensor))
    if node is None or id(node) not in inside:
        return None
    layer = node.operation
    if variables_to_zero(layer) is not None:
        return [layer]
    if type(layer) in _NORMS:
        before = last_weighted(view, node.input_tensors[0], inside)
        return None if before is None else [*before, layer]
    if passes_zero(layer):
        return last_weighted(view, node.input_tensors[0], inside)
    found = [last_weighted(view, each, inside) for each in node.input_tensors]
    if type(layer) is layers.Multiply:
        return next((each for each in found if each is not None), None)
    if type(layer) in (layers.Add, layers.Concatenate, layers.Average, layers.Subtract):
        return None if None in found else [each for many in found for each in many]
    return None
