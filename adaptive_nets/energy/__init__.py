"""Restricted Boltzmann machines whose size follows the data, and networks of their structure."""

from adaptive_nets.energy.likelihood import Likelihood, log_likelihood
from adaptive_nets.energy.ordered import InfiniteRBM, OrderedRBM
from adaptive_nets.energy.rbm import RBM
from adaptive_nets.energy.structure import EnergyNet, StructureReport

__all__ = [
    "RBM",
    "EnergyNet",
    "InfiniteRBM",
    "Likelihood",
    "OrderedRBM",
    "StructureReport",
    "log_likelihood",
]
