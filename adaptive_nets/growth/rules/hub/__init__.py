"""Composite layers and backbones of keras-hub; imported only when one of them is met."""

from adaptive_nets.growth.rules.hub import backbones, t5, transformers

__all__ = ["backbones", "t5", "transformers"]
