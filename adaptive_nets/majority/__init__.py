"""Majority Kernels: k kernels per layer in training, their mean in deployment."""

import adaptive_nets.majority.growing  # noqa: F401 (registers the rules)
from adaptive_nets.majority.convert import collapse, expand
from adaptive_nets.majority.recalibrate import recalibrate, recalibrate_in_place
from adaptive_nets.majority.report import CollapseReport

__all__ = ["CollapseReport", "collapse", "expand", "recalibrate", "recalibrate_in_place"]
