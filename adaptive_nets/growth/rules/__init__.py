"""What growing means to each layer family."""

from adaptive_nets.growth.rules import dense, elementwise, models
from adaptive_nets.growth.rules.base import Call, Rule
from adaptive_nets.growth.rules.registry import register_rule, registered

__all__ = ["Call", "Rule", "dense", "elementwise", "models", "register_rule", "registered"]
