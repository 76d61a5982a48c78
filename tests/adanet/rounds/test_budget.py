"""How long a round may be trained, with time kept for what comes after it."""

import types

import pytest

from adaptive_nets.adanet.rounds import budget as budgets
from adaptive_nets.adanet.rounds.budget import Budget


@pytest.fixture
def clock(monkeypatch):
    now = types.SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(budgets.time, "perf_counter", lambda: now.seconds)
    return now


def test_time_is_kept_to_close_a_round(clock):
    budget = Budget(60)
    clock.seconds += 10
    three = types.SimpleNamespace(members=[None] * 3, step_seconds=0.01)
    # Nothing is known yet: half a second, 0.4 a candidate, and half a step for each batch of rows.
    expected = 50 - (0.5 + 3 * 0.4 + 100 * 0.01 / 2)
    assert budget.training_seconds(three, rows=6400, batch_size=64) == pytest.approx(expected)
    three.step_seconds = None
    assert budget.training_seconds(three, 6400, 64) == pytest.approx(50 - 1.7)
    budget.closing_seconds = 2.0
    assert budget.training_seconds(three, 6400, 64) == pytest.approx(50 - 2.4)
    assert Budget(None).training_seconds(three, 6400, 64) == float("inf")


def test_another_round_needs_time_to_open_and_close(clock):
    budget = Budget(10)
    assert budget.has_time_for_a_round()
    budget.opening_seconds, budget.closing_seconds = 3.0, 4.0
    clock.seconds += 2.5
    assert budget.has_time_for_a_round()
    clock.seconds += 0.5
    assert not budget.has_time_for_a_round() and budget.remaining() == 7.0
