"""How long a round may be trained, with time kept for what comes after it."""

import types

import pytest

from adaptive_nets.adanet.rounds.timing import budget as budgets
from adaptive_nets.adanet.rounds.timing.budget import Budget, ClosingCost


@pytest.fixture
def clock(monkeypatch):
    now = types.SimpleNamespace(seconds=100.0)
    monkeypatch.setattr("adaptive_nets.machine.clock.now", lambda: now.seconds)
    return now


def test_time_is_kept_to_close_a_round(clock):
    budget = Budget(60)
    clock.seconds += 10
    assert budget.training_seconds() == pytest.approx(50 - budgets.UNMEASURED_CLOSING)
    budget.closing = ClosingCost(0.5, 4.0)
    assert budget.training_seconds() == pytest.approx(50 - 4.5)
    assert Budget(None).training_seconds() == float("inf")


def test_what_a_decision_took_is_expected_of_the_next(clock):
    budget = Budget(60)
    budget.closing = ClosingCost(0.5, 4.0)
    budget.decided(2.5, members=1, next_members=2)
    # Half a second does not depend on the rows; the rest does, and on the number of members.
    assert budget.keeps == pytest.approx(1.1 * (0.5 + 2 * 2.0))
    budget.decided(0.3, members=2, next_members=2)
    assert budget.keeps == pytest.approx(1.1 * 0.3)
    # What fewer rows would not save is kept as well.
    budget.closing = ClosingCost(0.5, 1.0)
    budget.decided(6.5, members=2, next_members=2)
    assert budget.closing.rows == pytest.approx(1.1)
    assert budget.closing.fixed == pytest.approx(1.1 * 5.5)


def test_another_round_needs_time_to_open_train_and_close(clock):
    budget = Budget(100)
    assert budget.has_time_for(50, None)
    budget.opened(3.0)
    budget.closing = ClosingCost(4.0, 0.0)
    clock.seconds += 92.5
    assert budget.has_time_for(50, 0.001)
    assert not budget.has_time_for(50, 0.02)
    clock.seconds += 0.5
    assert not budget.has_time_for(0, None) and budget.remaining() == 7.0
    assert "7.0 s left do not suffice" not in budget.report("time_limit")  # 93 % are used
    clock.seconds -= 13
    assert "20.0 s left do not suffice" in budget.report("time_limit")


def test_a_long_step_is_not_begun_if_it_would_end_past_the_limit(clock):
    budget = Budget(10)
    budget.closing = ClosingCost(0.0, 0.0)
    clock.seconds += 9
    assert not budget.ends_training(0.5)
    assert not budget.ends_training(1.9)  # 0.9 s beyond the limit are within its tolerance
    assert budget.ends_training(2.1)
    clock.seconds += 1
    assert budget.ends_training(None)


def test_fewer_rows_are_judged_if_all_would_take_too_much_of_the_time(clock):
    budget = Budget(100)
    assert budget.share_to_judge() == 1.0
    budget.closing = ClosingCost(2.0, 37.0)
    assert budget.share_to_judge() == 1.0
    clock.seconds += 50
    share = budget.share_to_judge()
    assert share == pytest.approx((0.3 * 50 - 2.0) / 37.0)
    budget.judges_on(share)
    assert budget.keeps == pytest.approx(15.0)
    assert Budget(None).share_to_judge() == 1.0
    # What would save little is not left out.
    clock.seconds += 49
    budget.closing = ClosingCost(3.0, 0.4)
    assert budget.share_to_judge() == 1.0
    assert ClosingCost.unmeasured(10**6).seconds() == pytest.approx(4.0)


def test_a_limit_that_was_not_kept_is_said(clock, caplog):
    budget = Budget(1)
    budget.opened(2.5)
    clock.seconds += 2.9
    assert budget.report("time_limit").startswith("stopped after 2.9 of 1 s: time_limit")
    assert not caplog.records
    clock.seconds += 0.2
    budget.report("time_limit")
    assert "fit took 3.1 s with time_limit=1 (building and compiling 2.5 s)" in caplog.text
