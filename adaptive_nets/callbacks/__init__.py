"""Callbacks for searches and for `fit`."""

from adaptive_nets.adanet.monitoring.callback import SearchCallback
from adaptive_nets.callbacks.growth import GrowOnPlateau, GrowthSchedule
from adaptive_nets.callbacks.majority import CollapsedCheckpoint, CollapseOnEnd

__all__ = [
    "CollapseOnEnd",
    "CollapsedCheckpoint",
    "GrowOnPlateau",
    "GrowthSchedule",
    "SearchCallback",
]
