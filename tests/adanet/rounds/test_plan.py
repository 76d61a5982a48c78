"""How a time limit is divided into rounds, where the settings leave it open."""

import types

import pytest

import adaptive_nets as an
from adaptive_nets.adanet.rounds.records import Entry
from adaptive_nets.adanet.rounds.timing import plan as plans
from adaptive_nets.adanet.rounds.timing.budget import Budget, ClosingCost
from adaptive_nets.adanet.rounds.timing.plan import RoundPlan
from adaptive_nets.adanet.settings import SearchSettings


@pytest.fixture
def clock(monkeypatch):
    now = types.SimpleNamespace(seconds=0.0)
    monkeypatch.setattr("adaptive_nets.machine.clock.now", lambda: now.seconds)
    return now


def make(limit, epoch_steps=1e6, **settings):
    given = SearchSettings(an.heads.BinaryClass(), an.generators.Dense(), **settings)
    budget = Budget(limit)
    return RoundPlan(given, budget, epoch_steps), budget


def train(plan, clock, step_seconds):
    """The steps of a round that are taken one by one, as the plan says."""
    plan.begin_round(0)
    round_ = types.SimpleNamespace(
        training=types.SimpleNamespace(step=0), steps=plan.steps, step_seconds=step_seconds
    )
    while True:
        round_.steps = plan.adjusted_steps(round_)
        if round_.training.step >= round_.steps:
            return round_.steps
        if plan.budget.ends_training(step_seconds):
            return round_.training.step
        round_.training.step += 1
        clock.seconds += step_seconds


def test_rounds_share_the_time(clock):
    plan, budget = make(100)
    budget.closing = ClosingCost(1.0, 0.0)
    assert train(plan, clock, 0.01) == pytest.approx(1900, abs=1)  # a fifth, less what is kept
    clock.seconds += 1
    assert clock.seconds == pytest.approx(20)
    # Half as fast: as many seconds, half the steps.
    assert train(plan, clock, 0.02) == pytest.approx(950, abs=1)


def test_with_early_stopping_rounds_are_fewer_and_longer(clock):
    plan, budget = make(100, early_stopping=5)
    budget.closing = ClosingCost(1.0, 0.0)
    assert train(plan, clock, 0.01) == pytest.approx(4900, abs=1)  # half, less what is kept
    plan, _ = make(100, early_stopping=5, max_iterations=4)
    assert plan.rounds == 4


def test_a_round_that_is_too_small_to_be_worth_it_takes_the_rest_with_it(clock):
    plan, budget = make(100)
    budget.closing = ClosingCost(1.0, 0.0)
    budget.opening_seconds = 1.0
    plan.step_seconds = 0.1  # the least number of steps takes 50 s
    assert train(plan, clock, 0.1) == pytest.approx(990, abs=1)


def test_a_cut_round_is_as_long_as_the_least(clock):
    plan, budget = make(10)
    budget.closing = ClosingCost(1.0, 0.0)
    assert train(plan, clock, 0.1) == pytest.approx(90, abs=1)  # of 500: the round is partial


def test_few_rows_are_not_read_without_end(clock):
    plan, _ = make(1000, epoch_steps=30)
    assert train(plan, clock, 0.001) == 30 * plans.MOST_EPOCHS
    # Time that is too short for another round is used all the same.
    clock.seconds = 0.0
    plan, budget = make(10, epoch_steps=20)
    budget.opening_seconds, budget.closing = 1.0, ClosingCost(2.0, 0.0)
    assert train(plan, clock, 0.001) == pytest.approx(8000, abs=1)
    plan, _ = make(1000, epoch_steps=1)
    assert train(plan, clock, 0.001) == 500
    plan, _ = make(100, epoch_steps=float("inf"))
    assert train(plan, clock, 0.01) == pytest.approx(1900, abs=1)


def test_values_that_are_set_are_kept(clock):
    plan, _ = make(1000, steps_per_iteration=30, max_iterations=2)
    assert (plan.open_steps, plan.open_rounds) == (False, False)
    assert plan.expected_steps() == 30 and train(plan, clock, 0.001) == 30
    plan, _ = make(None)
    assert (plan.open_steps, plan.open_rounds) == (False, False)
    assert plan.expected_steps() == 500
    plan, _ = make(1000, force_grow=True)  # which would grow without end
    assert (plan.open_steps, plan.open_rounds) == (True, False)
    plan, _ = make(1000, max_iterations=2)
    assert (plan.open_steps, plan.open_rounds) == (True, False)
    plan, _ = make(1000, steps_per_iteration=30)
    assert (plan.open_steps, plan.open_rounds) == (False, True)


def entries(*objectives):
    return tuple(
        Entry(k, "grow", "selected", f, {}, 1, 1, 1.0, 1.0, 0.0, 1.0, "")
        for k, f in enumerate(objectives, 1)
    )


def test_patience_with_rounds_that_gain_next_to_nothing(clock):
    plan, _ = make(100)
    assert not plan.stalled(entries(0.5), won=True)
    assert not plan.stalled(entries(0.5, 0.5), won=False)
    assert plan.stalled(entries(0.5, 0.5, 0.5), won=False)
    assert not plan.stalled(entries(0.5, 0.5, 0.4), won=True)
    assert not plan.stalled(entries(0.6, 0.5, 0.5), won=False)
    assert plan.stalled(entries(0.6, 0.5, 0.4998, 0.4996), won=True)
    # The paper's rule: without a time limit, or with a number of rounds, the first one ends it.
    for plan in (make(None)[0], make(100, max_iterations=9)[0], make(100, force_grow=True)[0]):
        assert plan.stalled(entries(0.5, 0.5), won=False)
        assert not plan.stalled(entries(0.5, 0.4999, 0.4998), won=True)


def test_small_shares_are_not_worth_a_slow_compiler(clock):
    plan, _ = make(10)
    plan.begin_round(0)
    assert plan.expected_steps() == 500
    plan, _ = make(100)
    plan.begin_round(0)
    assert plan.expected_steps() == 19000


def test_with_early_stopping_rounds_may_be_longer_and_end_sooner(clock):
    plan, _ = make(1000, epoch_steps=30, early_stopping=50)
    assert train(plan, clock, 0.001) == 5 * 30 * plans.MOST_EPOCHS
    # What they do not use is left to the rounds after them.
    plan, budget = make(100, early_stopping=50)
    budget.closing = ClosingCost(0.0, 0.0)
    plan.begin_round(0)
    clock.seconds += 4
    for rest in (96, 92, 88):
        plan.begin_round(0)
        assert plan.seconds_left() == pytest.approx(rest)
        clock.seconds += 4
    # Compiled for as many steps as the round before has taken.
    plan, _ = make(None, steps_per_iteration=20_000, early_stopping=50)
    assert plan.expected_steps() == 4000
    plan.trained(700)
    assert plan.expected_steps() == 700
    assert make(None, steps_per_iteration=20_000)[0].expected_steps() == 20_000


def test_early_stopping_is_more_patient_with_rounds(clock):
    plan, _ = make(100, early_stopping=50)
    assert not plan.stalled(entries(0.5, 0.5, 0.5, 0.5), won=False)
    assert plan.stalled(entries(0.5, 0.5, 0.5, 0.5, 0.49995), won=False)
    assert not plan.stalled(entries(0.5, 0.5, 0.5, 0.5, 0.4998), won=False)
    assert make(None, early_stopping=50)[0].stalled(entries(0.5, 0.5), won=False)
