"""Composite layers, backbones and tasks of keras-hub; imported only when one of them is met."""

from adaptive_nets.growth.rules.hub import (
    backbones,
    constructed,
    images,
    inner_width,
    t5,
    transformers,
)

__all__ = ["backbones", "constructed", "images", "inner_width", "t5", "transformers"]
