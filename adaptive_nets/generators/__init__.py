"""Where candidates come from."""

from adaptive_nets.generators.conv import Conv
from adaptive_nets.generators.dense import Dense
from adaptive_nets.generators.pool import Pool

__all__ = ["Conv", "Dense", "Pool"]
