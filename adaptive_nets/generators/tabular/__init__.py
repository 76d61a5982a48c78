"""Networks for tables."""

from adaptive_nets.generators.tabular.generator import Tabular

__all__ = ["Tabular"]
