"""Majority Kernels: k-fold kernels in training, their mean in deployment."""

import adaptive_nets.majority.growing  # noqa: F401 (registers the rules)
from adaptive_nets.majority.convert import CollapseReport, collapse, expand
from adaptive_nets.majority.recalibrate import recalibrate

__all__ = ["CollapseReport", "collapse", "expand", "recalibrate"]
