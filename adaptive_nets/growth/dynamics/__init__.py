"""Backward error analysis: is now a good time to grow, and at what rate."""

from adaptive_nets.growth.dynamics.diagnose import GrowthAdvice, diagnose
from adaptive_nets.growth.dynamics.modified_flow import conflict, modified_flow

__all__ = ["GrowthAdvice", "conflict", "diagnose", "modified_flow"]
