"""Generators of subnetworks."""

from adaptive_nets.adanet.candidates.stock.dense import Dense
from adaptive_nets.generators.bagging import Bagging
from adaptive_nets.generators.conv import Conv
from adaptive_nets.generators.energy import Energy
from adaptive_nets.generators.first_round import FirstRound
from adaptive_nets.generators.growth import Growth
from adaptive_nets.generators.pool import Pool
from adaptive_nets.generators.tabular import Tabular
from adaptive_nets.generators.tuned import Tuned

__all__ = ["Bagging", "Conv", "Dense", "Energy", "FirstRound", "Growth", "Pool", "Tabular", "Tuned"]
