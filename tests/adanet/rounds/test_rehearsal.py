"""What deciding a round will take, measured on a part of the rows."""

import types

import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.adanet.ensembles.output_cache import OutputCache
from adaptive_nets.adanet.rounds.scoring import CandidateScorer
from adaptive_nets.adanet.rounds.timing import rehearsal
from adaptive_nets.adanet.rounds.timing.budget import ClosingCost
from adaptive_nets.data.rows import make_rows

ROWS = 4000


@pytest.fixture
def scorer():
    head = an.heads.BinaryClass().adapt([0, 1])
    labels = np.arange(ROWS) % 100 == 0

    def view(count):
        x = np.arange(count, dtype="float32")[:, None]
        made = OutputCache(make_rows(x, labels[:count].astype(int), head))
        made.cache = {"1_a.logits": 2 * x}
        return made

    return CandidateScorer(head, None, None, view(ROWS), view(ROWS // 2))


def test_a_part_has_its_share_of_every_data_set_and_its_outputs(scorer):
    part = rehearsal.on_part(scorer, 0.1)
    assert [len(view.rows) for view in part.views] == [400, 200]
    for view in part.views:
        np.testing.assert_array_equal(view.cache["1_a.logits"], 2 * view.rows.x)
        assert view.rows.y.sum() == len(view.rows) / 100
        # Drawn at random, not the first ones, and the same each time.
        assert view.rows.x.max() > len(view.rows)
    again = rehearsal.on_part(scorer, 0.1)
    np.testing.assert_array_equal(part.train.rows.x, again.train.rows.x)
    assert len(rehearsal.on_part(scorer, 1.0).train.rows) == ROWS
    # A small data set is left whole.
    part = rehearsal.on_part(scorer, 0.1, least=3000)
    assert [len(view.rows) for view in part.views] == [3000, 2000]


@pytest.mark.parametrize("row_seconds", [1e-5, 1e-3, 1e-2])
def test_what_a_row_costs_is_not_taken_from_what_a_call_costs(scorer, monkeypatch, row_seconds):
    now, seen = types.SimpleNamespace(seconds=0.0), []

    def score(part, candidates, members, previous):
        # Tracing takes a second, a call 0.2 s, and each row its time.
        taken = 0.2 + row_seconds * len(part.train.rows)
        now.seconds += taken + (0.0 if seen else 1.0)
        seen.append(len(part.train.rows))
        return taken

    monkeypatch.setattr(rehearsal, "_score", score)
    monkeypatch.setattr("adaptive_nets.machine.clock.now", lambda: now.seconds)
    monkeypatch.setattr(rehearsal, "FEW_ROWS", 40)
    found = rehearsal.rehearse_closing(scorer, [], [], None, 5.0)
    assert found.fixed == pytest.approx(0.2)
    assert found.rows == pytest.approx(row_seconds * ROWS)
    # Not all rows are scored to know what they cost.
    assert max(seen) < ROWS or row_seconds < 1e-4
    assert now.seconds < 7


def test_shares_of_rows():
    cost = ClosingCost(1.0, 10.0)
    assert cost.seconds() == 11.0 and cost.seconds(0.5) == 6.0
    assert cost.share_within(11.0) == 1.0 and cost.share_within(3.0) == pytest.approx(0.2)
    assert cost.share_within(0.5) == 0.01  # never none
    assert ClosingCost(5.0, 0.0).share_within(1.0) == 1.0
