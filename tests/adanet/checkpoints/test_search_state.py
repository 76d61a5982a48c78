"""Everything that a search knows comes back from its file."""

import dataclasses
import json

import numpy as np
import pytest

from adaptive_nets.adanet.candidates.generator import Report
from adaptive_nets.adanet.checkpoints.changes import Change
from adaptive_nets.adanet.checkpoints.search_state import SearchState
from adaptive_nets.adanet.ensembles.ensemble import Ensemble, Mixture
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.rounds.records import Curve, Entry

MEMBERS = {name: Member(name, 1, None, 1, 1.0) for name in ("1_a", "1_b")}
MIXTURE = Mixture((np.float64(0.5), np.array([1.0, 2.0])), np.array([0.25, -1.0]), 0.75)
FIELDS = {
    "iteration": 2,
    "ensemble": Ensemble("grow", 1, tuple(MEMBERS.values()), MIXTURE, 0.5),
    "measured": {"loss": 0.5, "val_loss": 0.75},
    "entries": (Entry(1, "grow", "selected", 0.5, {}, 9, 6, 0.1, 1.0, 0.01, 0.5, "0/previous"),),
    "reports": (Report(1, "a", {"width": 4}, {}, {"loss": 0.5}, True, "trained"),),
    "curves": (Curve(1, 2, {"a": [1.0, 0.5]}),),
    "best_single": MEMBERS["1_b"],
    "best_single_loss": 0.625,
    "stop_reason": "callback",
    "seconds": 1.5,
    "stream_chunks": 3,
    "judged_share": 0.5,
    "rate_factor": 0.25,
    "changes": (Change(1, "adanet_lambda", 0.1, 0.2),),
}
# Kept in memory only, where a search has no folder.
NOT_WRITTEN = {"paused"}


def again(state):
    return SearchState.from_json(json.loads(json.dumps(state.to_json())), MEMBERS)


def comparable(value):
    """Arrays are compared as JSON values."""
    return json.dumps(dataclasses.asdict(value), default=np.ndarray.tolist)


def test_every_field_is_tested_with_a_value_that_is_not_its_default():
    fields = {field.name for field in dataclasses.fields(SearchState)}
    assert fields == {*FIELDS, "partial", *NOT_WRITTEN}
    assert [name for name, value in FIELDS.items() if value == getattr(SearchState(), name)] == []


@pytest.mark.parametrize("partial", [False, True])
def test_what_is_written_is_read(partial):
    state = SearchState(**FIELDS)
    if partial:
        state = dataclasses.replace(SearchState(iteration=1), partial=state)
    assert comparable(again(state)) == comparable(state)
    assert comparable(again(SearchState())) == comparable(SearchState())
