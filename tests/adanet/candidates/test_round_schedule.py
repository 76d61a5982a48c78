"""Learning rates that decay over the round, however long it is."""

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.adanet.candidates.stock.learning_rates import LearningRates
from adaptive_nets.adanet.candidates.stock.optimizers import describe_rate, make_optimizer

SCHEDULES = keras.optimizers.schedules


def halving():
    """1 at the start and 0 at the end, written for ten steps."""
    return an.adanet.RoundSchedule(SCHEDULES.PolynomialDecay(1.0, 10, 0.0), steps=10)


def rates(schedule, *steps):
    return [float(schedule(step)) for step in steps]


def test_it_is_read_at_the_share_of_the_round_that_is_over():
    schedule = halving()
    # Outside of a round it is as written.
    np.testing.assert_allclose(rates(schedule, 0, 5, 10, 99), [1, 0.5, 0, 0], atol=1e-6)
    schedule.set_length(400)
    np.testing.assert_allclose(
        rates(schedule, 0, 100, 200, 400, 500), [1, 0.75, 0.5, 0, 0], atol=1e-6
    )
    schedule.set_length(200)
    np.testing.assert_allclose(rates(schedule, 100), [0.5], atol=1e-6)


def test_it_comes_back_from_its_configuration():
    described = describe_rate(halving())
    made = make_optimizer("adam", described)
    assert describe_rate(made._learning_rate) == described
    found = made._learning_rate
    assert isinstance(found, an.adanet.RoundSchedule)
    assert rates(found, 0, 3) == rates(halving(), 0, 3)
    with pytest.raises(ValueError, match="schedule"):
        an.adanet.RoundSchedule.from_config({"schedule": None, "steps": 1.0})


def test_all_rates_of_a_round_are_as_long_as_the_round_and_keep_their_factor():
    plain = keras.optimizers.SGD(0.5)
    one, other = (keras.optimizers.SGD(halving()) for _ in range(2))
    found = LearningRates([one, plain, other])
    found.scale(0.1)
    found.set_length(100)
    for optimizer in (one, other):
        assert float(optimizer._learning_rate(50)) == pytest.approx(0.05)


def test_a_fixed_length_is_kept_in_rounds_of_another_length():
    optimizer = keras.optimizers.SGD(halving())
    LearningRates([optimizer]).fix_length(100)
    LearningRates([optimizer]).set_length(10)
    np.testing.assert_allclose(rates(optimizer._learning_rate, 0, 5, 50), [1, 0.95, 0.5], atol=1e-6)


class Rates(keras.callbacks.Callback):
    """The steps taken, and the first subnetwork's rate there."""

    def __init__(self):
        super().__init__()
        self.found, self.builder = [], None

    def on_train_batch_end(self, step, logs=None):
        rate = Watched.optimizers[-1].learning_rate
        self.found.append((step + 1, float(rate)))


class Watched(an.adanet.Builder):
    """A linear subnetwork, whose optimizers are kept."""

    name, optimizers = "linear", []

    def build(self, inputs, units, previous=None):
        return an.adanet.Subnetwork(keras.layers.Dense(units)(inputs))

    def optimizer(self):
        self.optimizers.append(keras.optimizers.SGD(halving()))
        return self.optimizers[-1]


class Linear(an.adanet.Generator):
    def generate(self, previous, iteration, reports):
        return [Watched()]


def test_a_search_stretches_it_over_its_rounds(lc, one_step_calls):
    watched = Rates()
    lc.small(generator=Linear(), steps_per_iteration=8, max_iterations=1).fit(
        *lc.blobs(), verbose=0, callbacks=[watched]
    )
    np.testing.assert_allclose(watched.found, [(k, 1 - k / 8) for k in range(1, 9)], atol=1e-6)


def test_with_a_time_limit_it_is_stretched_over_the_time(lc, fake_time):
    watched = Rates()
    search = lc.small(generator=Linear(), steps_per_iteration="auto", max_iterations=1)
    search.fit(*lc.blobs(), verbose=0, callbacks=[watched], time_limit=40)
    steps, found = np.transpose(watched.found)
    # 50 ms a step: how many there will be is known after a few of them.
    late = steps > 0.1 * steps[-1]
    np.testing.assert_allclose(found[late], 1 - steps[late] / steps[-1], atol=0.1)
    assert found[-1] < 0.05 and (np.diff(found) < 0.02).all()
