"""Callbacks for searches and for `fit`."""

from adaptive_nets.adanet.monitoring.callback import SearchCallback
from adaptive_nets.callbacks.growth import GrowOnPlateau, GrowthSchedule
from adaptive_nets.callbacks.majority import CollapsedCheckpoint, CollapseOnEnd
from adaptive_nets.callbacks.tracking.hparams import HParams
from adaptive_nets.callbacks.tracking.wandb_logger import WandbLogger

__all__ = [
    "CollapseOnEnd",
    "CollapsedCheckpoint",
    "GrowOnPlateau",
    "GrowthSchedule",
    "HParams",
    "SearchCallback",
    "WandbLogger",
]
