"""Layers that mix features by a kernel or a table."""

from adaptive_nets.growth.rules.kernels import (
    adapters,
    attention,
    conv,
    dense,
    einsum,
    embedding,
    recurrent,
)

__all__ = ["adapters", "attention", "conv", "dense", "einsum", "embedding", "recurrent"]
