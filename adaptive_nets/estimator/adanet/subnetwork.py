"""`adanet.subnetwork`: what builders and generators are made of."""

from adaptive_nets.estimator.adanet.builder import Builder, Subnetwork, TrainOpSpec
from adaptive_nets.estimator.adanet.generator import (
    Generator,
    MaterializedReport,
    Report,
    SimpleGenerator,
)
from adaptive_nets.estimator.adanet.summary import Summary

__all__ = [
    "Builder",
    "Generator",
    "MaterializedReport",
    "Report",
    "SimpleGenerator",
    "Subnetwork",
    "Summary",
    "TrainOpSpec",
]
