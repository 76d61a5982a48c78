"""The learning rate of networks for tables."""

import keras
import numpy as np

import adaptive_nets as an
from adaptive_nets.generators.tabular.schedule import LateDecay


def test_it_is_constant_and_falls_late():
    schedule = LateDecay(0.5, constant=0.6, steps=100)
    rates = [float(schedule(step)) for step in (0, 60, 80, 100, 500)]
    np.testing.assert_allclose(rates, [0.5, 0.5, 0.2525, 0.005, 0.005], atol=1e-6)


def test_it_lasts_as_long_as_a_round_and_comes_back_from_its_configuration():
    schedule = an.adanet.RoundSchedule(LateDecay(0.1))
    schedule.set_length(1000)
    rates = [float(schedule(step)) for step in (600, 1000)]
    np.testing.assert_allclose(rates, [0.1, 0.001], atol=1e-6)
    described = keras.optimizers.schedules.serialize(schedule)
    restored = an.adanet.RoundSchedule.from_config(described["config"])
    assert restored.get_config() == schedule.get_config()
