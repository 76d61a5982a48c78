"""Which candidate ensemble a round takes."""

import types

import pytest

from adaptive_nets.adanet.rounds.selection import select_best


def candidate(objective, parameters):
    ensemble = types.SimpleNamespace(objective=objective, parameters=parameters)
    return types.SimpleNamespace(ensemble=ensemble, new=("a",))


@pytest.mark.parametrize(
    ("objectives", "parameters", "winner"),
    [
        ([0.3, 0.2, 0.25], [1, 9, 1], 1),
        ([0.2, 0.2 + 1e-13, 0.3], [9, 8, 1], 1),
        ([0.2, 0.2 + 1e-11], [9, 8], 0),
        ([-200.0, -200.0 + 1e-10], [9, 8], 1),
        ([float("nan"), 0.5, float("-inf")], [1, 9, 1], 1),
        ([float("nan"), float("inf")], [1, 1], None),
    ],
    ids=["lowest", "equal", "not-equal", "equal-large", "not-finite", "none-finite"],
)
def test_the_lowest_objective_wins_and_the_smaller_of_equals(objectives, parameters, winner):
    scored = [candidate(*each) for each in zip(objectives, parameters, strict=True)]
    found = select_best(scored, None, force_grow=False)
    assert found is (None if winner is None else scored[winner])


@pytest.mark.parametrize(("before", "better"), [(0.2001, True), (0.2, False), (0.1, False)])
def test_the_previous_ensemble_stands_where_nothing_is_better(before, better):
    only, previous = candidate(0.2, 5), candidate(before, 3).ensemble
    assert select_best([only], previous, force_grow=False) is (only if better else None)
    assert select_best([only], previous, force_grow=True) is only
    # Of one from which all new subnetworks have gone, nothing is left to select.
    only.new = ()
    assert select_best([only], previous, force_grow=True) is None
