"""Majority layers: stock Keras layers that train k kernels and deploy their mean."""

from adaptive_nets.majority.layers import (
    MajorityConv1D,
    MajorityConv2D,
    MajorityConv2DTranspose,
    MajorityConv3D,
    MajorityDense,
    MajorityDepthwiseConv2D,
    MajorityEinsumDense,
    MajorityEmbedding,
    MajorityGRU,
    MajorityGRUCell,
    MajorityLSTM,
    MajorityLSTMCell,
    MajorityMultiHeadAttention,
    MajoritySeparableConv2D,
)

__all__ = [
    "MajorityConv1D",
    "MajorityConv2D",
    "MajorityConv2DTranspose",
    "MajorityConv3D",
    "MajorityDense",
    "MajorityDepthwiseConv2D",
    "MajorityEinsumDense",
    "MajorityEmbedding",
    "MajorityGRU",
    "MajorityGRUCell",
    "MajorityLSTM",
    "MajorityLSTMCell",
    "MajorityMultiHeadAttention",
    "MajoritySeparableConv2D",
]
