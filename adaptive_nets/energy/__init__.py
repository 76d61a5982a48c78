"""Restricted Boltzmann machines whose size follows the data."""

from adaptive_nets.energy.likelihood import Likelihood, log_likelihood
from adaptive_nets.energy.ordered import InfiniteRBM, OrderedRBM
from adaptive_nets.energy.rbm import RBM

__all__ = ["RBM", "InfiniteRBM", "Likelihood", "OrderedRBM", "log_likelihood"]
