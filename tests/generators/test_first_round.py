"""`FirstRound`: further subnetworks in the first round."""

import pytest

import adaptive_nets as an
from adaptive_nets.generators import FirstRound
from adaptive_nets.serialization import describe_object, restore_object


class Linear(an.adanet.Builder):
    name = "linear"

    def build(self, inputs, units, previous=None):
        raise NotImplementedError


def test_the_first_round_has_them_and_only_the_first(ensemble):
    inner = an.generators.Dense(widths=4, depths=[1])
    generator = FirstRound(inner, [Linear()])
    assert generator.standardize == inner.standardize
    names = [builder.name for builder in generator.generate(None, 1, [])]
    assert names == [builder.name for builder in inner.generate(None, 1, [])] + ["linear"]
    later = [builder.name for builder in generator.generate(ensemble(1), 2, [])]
    assert later == [builder.name for builder in inner.generate(ensemble(1), 2, [])]


def test_a_loaded_one_has_no_first_round(ensemble):
    generator = FirstRound(an.generators.Dense(widths=4), [Linear()])
    loaded = restore_object(describe_object(generator), "generator")
    assert describe_object(loaded) == describe_object(generator)
    assert loaded.generate(ensemble(1), 2, [])
    with pytest.raises(ValueError, match="subnetworks that are not in its state"):
        loaded.generate(None, 1, [])
