"""What tests of generators share."""

import numpy as np
import pytest

from adaptive_nets.adanet import Ensemble, Member, Mixture
from adaptive_nets.adanet.rounds.build_member import build_member


def sqrt_depth(built, widths):
    return built.depth**0.5


@pytest.fixture
def ensemble():
    """Makes an ensemble of members of given depths; the members have no model."""

    def make(*depths):
        members = tuple(Member(f"1_m{d}", 1, None, d, d**0.5) for d in depths)
        weights = (np.float64(1.0),) * len(members)
        return Ensemble("grow_m", 1, members, Mixture(weights), 0.0)

    return make


@pytest.fixture
def built():
    """Builds a `Member` from a builder as a search does."""

    def build(builder, spec, units=3, previous=None, iteration=1, seed=0, output_range=None):
        return build_member(
            builder,
            spec,
            units,
            previous,
            iteration,
            sqrt_depth,
            seed,
            output_range,
        )

    return build
