"""Callbacks for searches and for `fit`."""

from adaptive_nets.callbacks.growth import GrowOnPlateau, GrowthSchedule
from adaptive_nets.callbacks.majority import CollapsedCheckpoint, CollapseOnEnd
from adaptive_nets.callbacks.search import SearchCallback

__all__ = [
    "CollapseOnEnd",
    "CollapsedCheckpoint",
    "GrowOnPlateau",
    "GrowthSchedule",
    "SearchCallback",
]
