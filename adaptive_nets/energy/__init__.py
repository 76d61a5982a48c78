"""Restricted Boltzmann machines that grow with the data, and networks shaped by them."""

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
