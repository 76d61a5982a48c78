"""What growing means to each layer family."""

from adaptive_nets.growth.rules import (
    applications,
    attention,
    batch_norm,
    conv,
    dense,
    einsum,
    elementwise,
    embedding,
    models,
    norms,
    operations,
    recurrent,
    reshape,
    spatial,
    wrappers,
)
from adaptive_nets.growth.rules.base import Call, Rule
from adaptive_nets.growth.rules.registry import register_lazily, register_rule, registered

register_lazily("keras_hub", "adaptive_nets.growth.rules.hub")

__all__ = [
    "Call",
    "Rule",
    "applications",
    "attention",
    "batch_norm",
    "conv",
    "dense",
    "einsum",
    "elementwise",
    "embedding",
    "models",
    "norms",
    "operations",
    "recurrent",
    "register_rule",
    "registered",
    "reshape",
    "spatial",
    "wrappers",
]
