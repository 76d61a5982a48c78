"""Rounds that are stopped early, and rounds and steps that follow from a time limit."""

import pytest

import adaptive_nets as an
from adaptive_nets.adanet import loop
from adaptive_nets.adanet.rounds.scoring import CandidateScorer
from adaptive_nets.adanet.rounds.timing import plan, rehearsal
from adaptive_nets.adanet.rounds.trainer import RoundTrainer


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs()


def test_subnetworks_of_a_tenth_of_their_steps_do_not_compete(lc, data, fake_time, tmp_path):
    short = {"steps_per_iteration": 40, "max_iterations": 2, "force_grow": True, "seed": 0}
    whole = lc.small(**short).fit(*data, verbose=0)
    search = lc.small(model_dir=tmp_path, **short).fit(*data, verbose=0, max_steps=43)
    board = search.leaderboard()
    second = board[board["round"] == 2]
    assert second.status.tolist() == ["partial", "unjudged"]
    assert second.candidate.tolist() == ["previous", "1_layer_dense"]
    assert len(search.ensemble.members) == 1 and search.global_step == 43
    assert second.steps.tolist() == [3, 3]
    assert an.AdaNet.load(tmp_path).global_step == 43
    # One step more is enough; and the round goes on as if it had not been stopped.
    search.fit(*data, verbose=0, max_steps=44)
    assert "unjudged" not in search.leaderboard().status.tolist()
    search.fit(*data, verbose=0)
    lc.assert_same(search, whole)


def test_the_first_round_is_judged_with_a_warning(lc, data, caplog):
    search = lc.small(steps_per_iteration=400).fit(*data, verbose=0, max_steps=3)
    assert search.predict(data[0][:3]).shape == (3,)
    assert "The first round was stopped after 3 of 400 steps" in caplog.text
    caplog.clear()
    search.fit(*data, verbose=0, max_steps=40)
    assert "The first round was stopped" not in caplog.text


def open_search(lc, model_dir=None, **settings):
    """A search whose rounds and steps are left open."""
    given = {
        "max_iterations": "auto",
        "steps_per_iteration": "auto",
        "force_grow": False,
        **settings,
    }
    return lc.small(model_dir, **given)


def test_rounds_left_open_use_the_time(lc, data, fake_time, monkeypatch):
    monkeypatch.setattr(plan, "MOST_EPOCHS", 1e9)
    monkeypatch.setattr(plan, "PATIENCE", 99)
    began = fake_time.now
    search = open_search(lc).fit(*data, verbose=0, time_limit=50)
    assert 0.9 * 50 <= fake_time.now - began <= 50
    assert search.stop_reason == "time_limit" and search.state.iteration == 5
    board = search.leaderboard()
    steps = board.groupby("round").steps.first()
    # A fifth of 50 s at 50 ms a step, less what a round takes besides.
    assert steps.between(150, 210).all()
    assert set(board.status) == {"selected", "rejected"}
    assert search.global_step == steps.sum() == search.state.steps
    assert len(search.learning_curves().query("round == 1")) > 90
    # The next call goes on with further rounds.
    search.fit(*data, verbose=0, time_limit=10)
    assert search.state.iteration > 5


def test_rounds_left_open_end_when_they_gain_nothing(lc, data, hopeless, fake_time):
    given = {**hopeless, "max_iterations": "auto", "force_grow": False}
    search = lc.small(**given).fit(*data, verbose=0, time_limit=100)
    assert search.stop_reason == "no_improvement"
    board = search.leaderboard()
    chosen = board[board.status == "selected"].candidate.tolist()
    assert chosen[-plan.PATIENCE :] == ["previous"] * plan.PATIENCE
    # Without a time limit the first round without gain ends it.
    patient = lc.small(**given).fit(*data, verbose=0)
    assert patient.state.iteration == 2 < search.state.iteration


def test_without_a_limit_what_is_left_open_has_defaults(lc):
    search = open_search(lc)
    assert (search.settings.rounds, search.settings.steps) == (5, 500)
    assert search.max_iterations == "auto" and "rounds=0/auto" in repr(search)


def test_fewer_rows_are_judged_if_time_is_short(lc, fake_time, monkeypatch, tmp_path, caplog):
    x, y = lc.blobs(3000)
    plain = CandidateScorer.score_candidate

    def slow(self, *arguments):
        fake_time.now += len(self.train.rows) / 100  # 30 s for all rows
        return plain(self, *arguments)

    monkeypatch.setattr(CandidateScorer, "score_candidate", slow)
    monkeypatch.setattr(rehearsal, "FEW_ROWS", 20)
    monkeypatch.setattr(loop, "LEAST_JUDGED", 100)
    began = fake_time.now
    search = lc.small(tmp_path, steps_per_iteration=200).fit(x, y, verbose=0, time_limit=20)
    assert fake_time.now - began <= 20 + 2
    assert "of the rows, drawn at random" in caplog.text
    assert 0.0 < search.state.judged_share < 0.5
    found = search.leaderboard().query("status == 'selected'").iloc[-1]
    assert found.loss != pytest.approx(search.evaluate(x, y)["loss"], abs=1e-6)
    # With time enough, the ensemble is measured again on all rows.
    search = an.AdaNet.load(tmp_path, max_iterations=3)
    search.fit(x, y, verbose=0)
    assert search.state.judged_share == 1.0
    assert search.state.measured["loss"] == pytest.approx(search.evaluate(x, y)["loss"], abs=1e-5)


def test_few_rows_are_all_judged_however_short_the_time(lc, data, fake_time, caplog):
    search = lc.small(steps_per_iteration=40).fit(*data, verbose=0, time_limit=0.5)
    assert search.stop_reason == "time_limit" and search.state.judged_share == 1.0
    assert "drawn at random" not in caplog.text


@pytest.mark.usefixtures("one_step_calls")
def test_a_call_that_was_held_up_once_does_not_end_the_training(lc, data, fake_time, monkeypatch):
    plain, calls = RoundTrainer.run, []

    def run(self, *args):
        calls.append(None)
        if len(calls) == 5:
            fake_time.now += 20.0
        return plain(self, *args)

    monkeypatch.setattr(RoundTrainer, "run", run)
    # After that call 15 s are left, but no other step takes longer than they.
    search = lc.small(max_iterations=1, steps_per_iteration=30, jit_compile=False)
    search.fit(*data, verbose=0, time_limit=36)
    assert search.global_step == 30 and search.stop_reason == "max_iterations"
