"""Which candidate ensembles a round tries, and which of them wins."""

import dataclasses
import itertools
import warnings

import numpy as np
import pytest

from adaptive_nets.adanet.candidates.strategy import (
    All,
    Candidate,
    Grow,
    Solo,
    Strategy,
    propose_candidates,
    resolve,
)
from adaptive_nets.adanet.ensembles.ensemble import Ensemble, Mixture
from adaptive_nets.adanet.rounds.scoring import ScoredCandidate
from adaptive_nets.adanet.rounds.selection import select_best


def sets(strategies, new, previous):
    return [(c.previous, c.new) for c in propose_candidates(resolve(strategies), new, previous)]


def test_grow_solo_and_all():
    new = ["a", "b"]
    assert sets("grow", new, True) == [(True, ("a",)), (True, ("b",))]
    assert sets("solo", new, True) == [(False, ("a",)), (False, ("b",))]
    assert sets("all", new, True) == [(True, ("a", "b"))]
    assert sets(["grow", "all"], new, True) == [(True, ("a",)), (True, ("b",)), (True, ("a", "b"))]
    names = [c.name for c in propose_candidates(resolve(["grow", "solo", "all"]), new, True)]
    assert names == ["grow_a", "grow_b", "solo_a", "solo_b", "all"]


def test_each_set_of_members_is_tried_once():
    # Without a previous ensemble to grow, growing is going solo.
    assert sets(["grow", "solo"], ["a", "b"], False) == [(False, ("a",)), (False, ("b",))]
    assert sets(["grow", "all"], ["a"], True) == [(True, ("a",))]

    class Insistent(Strategy):
        def candidates(self, new, previous, iteration):
            return [Candidate("x", True, (new[0],)), Candidate("y", False, (new[0],))]

    assert len(sets(Insistent(), ["a"], False)) == 1
    assert len(sets(Insistent(), ["a"], True)) == 2


def test_a_users_strategy_is_asked_with_names_and_previous():
    class Pairs(Strategy):
        def candidates(self, new, previous, iteration):
            assert type(new) is list and previous is True
            pairs = itertools.pairwise(new)
            return [Candidate(f"pair_{a}", True, (a, b)) for a, b in pairs]

    found = propose_candidates(resolve([Pairs(), "solo"]), ("a", "b", "c"), True)
    assert [c.name for c in found] == ["pair_a", "pair_b", "solo_a", "solo_b", "solo_c"]


def test_a_strategy_is_told_the_round():
    class First(Strategy):
        def candidates(self, new, previous, iteration):
            return [Candidate(f"{iteration}_x", previous, tuple(new[:iteration]))]

    (found,) = propose_candidates([First()], ["a", "b", "c"], True, 2)
    assert found == Candidate("2_x", True, ("a", "b"))


def test_the_old_form_of_a_strategy_still_works_and_warns_once():
    with pytest.warns(DeprecationWarning, match="Old.candidates.*previous, iteration") as caught:

        class Old(Strategy):
            def candidates(self, new, previous):
                return [Candidate(f"{self.iteration}_x", previous, tuple(new[: self.iteration]))]

        class Grown(Grow):
            def candidates(self, new, previous):
                return super().candidates(new, previous)[:1]

    assert [w.filename for w in caught] == [__file__] * 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        strategies = [Old(), Grown()]
        for number in (1, 2):
            found = propose_candidates(strategies, ["a", "b", "c"], True, number)
            assert found[0] == Candidate(f"{number}_x", True, ("a", "b")[:number])

        class Newer(Old):
            """It takes the method over as it is."""

        assert Newer().candidates(["a"], True, 3) == [Candidate("3_x", True, ("a",))]


def test_strategies_by_name_or_object():
    grow = Grow()
    assert resolve(grow) == [grow]
    assert [type(s) for s in resolve(("all", grow, "solo"))] == [All, Grow, Solo]


@pytest.mark.parametrize(
    "given, message",
    [
        ("best", "must be 'grow', 'solo', 'all' or an adanet.Strategy. Received: 'best'"),
        (["grow", 3], "Received: 3"),
        ([Grow], "Each ensemble strategy must be 'grow', 'solo', 'all'"),
        ([], "must contain at least one strategy. Received: none"),
    ],
)
def test_unknown_strategies_are_refused(given, message):
    with pytest.raises(ValueError, match=r"\A[^\n]*" + message + r"[^\n]*\Z"):
        resolve(given)


@pytest.mark.parametrize(
    "candidates, message",
    [
        ([Candidate("x", True, ("c",))], r"Candidate 'x' of strategy Fixed.*of.*a, b.*\('c',\)"),
        ([Candidate("x", True, ())], r"Candidate 'x' of strategy Fixed.*Received: \(\)"),
        (
            [Candidate("x", True, ("a",)), Candidate("x", True, ("b",))],
            "give each candidate ensemble its own name. Received: x more than once",
        ),
    ],
)
def test_candidates_that_cannot_be_are_refused(candidates, message):
    class Fixed(Strategy):
        def candidates(self, new, previous, iteration):
            return candidates

    with pytest.raises(ValueError, match=message):
        propose_candidates([Fixed()], ["a", "b"], True)


# The choice -----------------------------------------------------------------------------------


@dataclasses.dataclass
class Sized:
    parameters: int
    name: str = "1_sized"
    parents: tuple = ()


def ensemble(name, objective, parameters=10):
    return Ensemble(name, 1, (Sized(parameters),), Mixture((np.float64(1.0),)), objective)


def contender(*args):
    return ScoredCandidate(ensemble(*args), {}, (args[0],))


def name_of(winner):
    return winner and winner.ensemble.name


def test_the_lowest_objective_wins():
    field = [contender("a", 0.3), contender("b", 0.1, 99), contender("c", 0.2)]
    assert name_of(select_best(field, None, False)) == "b"
    field = [contender("a", -0.3), contender("b", -0.1), contender("c", 0.2)]
    assert name_of(select_best(field, None, False)) == "a"


def test_a_tie_goes_to_the_smaller():
    field = [contender("a", 0.5, 30), contender("b", 0.5, 20), contender("c", 0.5, 40)]
    assert name_of(select_best(field, None, False)) == "b"
    # Rounding is not a reason to prefer the larger; a real difference is.
    assert (
        name_of(select_best([contender("a", 0.5, 9), contender("b", 0.5 - 1e-15, 99)], None, 0))
        == "a"
    )
    assert (
        name_of(select_best([contender("a", 0.5, 9), contender("b", 0.5 - 1e-9, 99)], None, 0))
        == "b"
    )
    # Of equals in all, the first.
    assert name_of(select_best([contender("a", 0.5), contender("b", 0.5)], None, False)) == "a"


def test_the_previous_ensemble_is_candidate_0():
    field = [contender("a", 0.5), contender("b", 0.4)]
    assert name_of(select_best(field, ensemble("old", 0.45), False)) == "b"
    assert select_best(field, ensemble("old", 0.3), False) is None
    assert select_best(field, ensemble("old", 0.4), False) is None
    assert select_best(field, ensemble("old", 0.4 + 1e-15), False) is None


def test_force_grow_takes_the_best_candidate_all_the_same():
    field = [contender("a", 0.5), contender("b", 0.4)]
    assert name_of(select_best(field, ensemble("old", 0.3), True)) == "b"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_objective_that_is_no_number_never_wins(bad):
    field = [contender("a", bad, 1), contender("b", 0.4), contender("c", bad, 1)]
    assert name_of(select_best(field, None, False)) == "b"
    assert name_of(select_best(field, ensemble("old", 0.3), True)) == "b"
    assert select_best(field[::2], ensemble("old", 0.3), True) is None
    assert select_best(field[::2], None, False) is None
