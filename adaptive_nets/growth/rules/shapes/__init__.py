"""Layers that move features or positions about."""

from adaptive_nets.growth.rules.shapes import reshape, spatial

__all__ = ["reshape", "spatial"]
