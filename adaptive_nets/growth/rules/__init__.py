"""What growing means to each layer family."""

from adaptive_nets.growth.core.registry import register_lazily, register_rule, registered
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.rules import (
    applications,
    batch_norm,
    carry,
    elementwise,
    kernels,
    models,
    norms,
    operations,
    shapes,
    wrappers,
)

register_lazily("keras_hub", "adaptive_nets.growth.rules.hub")

__all__ = [
    "Call",
    "Rule",
    "applications",
    "batch_norm",
    "carry",
    "elementwise",
    "kernels",
    "models",
    "norms",
    "operations",
    "register_rule",
    "registered",
    "shapes",
    "wrappers",
]
