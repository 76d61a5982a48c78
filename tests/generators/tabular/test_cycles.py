"""Learning rates that fall several times."""

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.generators.tabular.cycles import Cycles


def test_each_cycle_is_twice_as_long_and_ends_at_the_lowest():
    schedule = Cycles(0.5, cycles=3, steps=700)
    ends = [float(schedule(step)) for step in (0, 100, 300, 700, 900)]
    np.testing.assert_allclose(ends, 0.005, atol=1e-6)
    steps = np.arange(701)
    expected = np.maximum(0.25 * (1 - np.cos(2 * np.pi * np.log2(1 + 7 * steps / 700))), 0.005)
    np.testing.assert_allclose(
        [float(schedule(step)) for step in steps[::50]], expected[::50], atol=1e-5
    )
    assert expected.max() == pytest.approx(0.5, abs=1e-4)


def test_it_lasts_as_long_as_a_round_and_comes_back_from_its_configuration():
    schedule = an.adanet.RoundSchedule(Cycles(0.1))
    schedule.set_length(1500)
    ends = [float(schedule(step)) for step in (100, 300, 700)]
    np.testing.assert_allclose(ends, 0.001, atol=1e-6)
    described = keras.optimizers.schedules.serialize(schedule)
    restored = an.adanet.RoundSchedule.from_config(described["config"])
    assert restored.get_config() == schedule.get_config()
