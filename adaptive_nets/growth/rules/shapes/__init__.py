"""Layers and operations that move features or positions about."""

from adaptive_nets.growth.rules.shapes import operations, reshape, spatial

__all__ = ["operations", "reshape", "spatial"]
