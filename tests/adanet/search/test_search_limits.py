"""When a search stops, and how it goes on after it was stopped."""

import csv
import itertools
import time

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.adanet.rounds.trainer import RoundTrainer


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs()


@pytest.fixture
def slow_steps(monkeypatch):
    """Every step takes 50 ms, as a large model's would, and no processor."""
    plain = RoundTrainer.run

    def run(self, source, indices, start, stop):
        time.sleep(0.05 * (stop - start))
        return plain(self, source, indices, start, stop)

    monkeypatch.setattr(RoundTrainer, "run", run)


def timed(search, data, **arguments):
    began = time.perf_counter()
    search.fit(*data, verbose=0, **arguments)
    return time.perf_counter() - began


def allowed(limit):
    return limit + max(0.05 * limit, 2.0)


class Steps(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_begin(self, step, logs=None):
        self.seen.append(step)


# Time -------------------------------------------------------------------------------------------


def test_time_limit_within_the_first_round_of_a_wide_model(lc):
    x, y = lc.blobs(2000)
    wide = an.generators.Dense(1200, [2], optimizer="sgd")
    search = lc.small(generator=wide, steps_per_iteration=100000)
    # Neither too late nor far too early.
    assert 2 <= timed(search, (x, y), time_limit=4, batch_size=256) <= allowed(4)
    assert search.stop_reason == "time_limit"
    assert search.leaderboard().status.tolist() == ["partial"]
    assert 1 <= search.leaderboard().steps[0] < 100000
    assert search.predict(x[:5]).shape == (5,)


def test_time_limits_anywhere_end_like_none(lc, data, fake_time, tmp_path):
    settings = {"steps_per_iteration": 30, "checkpoint_seconds": 30}

    def limited(seconds):
        search = lc.small(tmp_path, **settings)
        began = fake_time.now
        search.fit(*data, verbose=0, time_limit=seconds)
        assert fake_time.now - began <= seconds + 0.35  # a step, and a compilation if it is first
        assert search.stop_reason == "time_limit"
        return search

    # Within the first round: 0.3 s to compile, 1.1 s kept for weighing: few steps.
    search = limited(1.7)
    assert search.state.iteration == 0
    assert 0 < search.leaderboard().steps[0] < 30
    # The first round is finished, and the second is cut.
    search = limited(2.9)
    assert search.state.iteration == 1
    board = search.leaderboard()
    second = board[board["round"] == 2]
    assert second.status.tolist().count("partial") == 1
    assert second.steps.between(1, 29).all()
    logits = search.predict(data[0], "logits")
    # Too short for anything, and nothing is lost by it.
    search = limited(1e-3)
    assert search.state.iteration == 1
    np.testing.assert_array_equal(search.predict(data[0], "logits"), logits)
    steps = Steps()
    ended = lc.small(tmp_path, **settings).fit(*data, verbose=0, callbacks=[steps])
    assert steps.seen[0] > 0
    lc.assert_same(ended, lc.small(**settings).fit(*data, verbose=0))


def test_time_is_kept_for_what_closing_the_last_round_took(lc, data, fake_time):
    @keras.saving.register_keras_serializable(package="tests")
    class Slow(an.adanet.Complexity):
        """Measured when a round is decided, which takes five seconds."""

        needs_outputs = True

        def before(self, subnetwork, widths=None, sample=None):
            return 0.0

        def measured(self, last_layer, weights=None):
            fake_time.now += 5.0
            return 1.0

    # A round: 0.3 s to compile, 1.5 s to train, 5 s to decide. After the first 6.5 s are left.
    began = fake_time.now
    search = lc.small(steps_per_iteration=30, complexity=Slow())
    search.fit(*data, verbose=0, time_limit=13.3)
    assert search.stop_reason == "time_limit" and search.record.iteration == 1
    board = search.leaderboard()
    assert board[board["round"] == 2].steps.between(1, 20).all()
    assert fake_time.now - began <= 13.3


def test_first_round_takes_a_step_however_short_the_time(lc, data, slow_steps, tmp_path):
    search = lc.small(tmp_path)
    elapsed = timed(search, data, time_limit=1e-6)
    assert elapsed <= allowed(0) + 2  # a model has to be built and compiled
    assert search.leaderboard().steps.tolist() == [1]
    assert an.AdaNet.load(tmp_path).predict(data[0][:3]).shape == (3,)


def test_time_enough_is_no_limit(lc, data):
    search = lc.small().fit(*data, verbose=0, time_limit=600)
    assert search.stop_reason == "max_iterations"
    reference = lc.small().fit(*data, verbose=0)
    lc.assert_same(search, reference)


@pytest.mark.parametrize("limit", [0, -1, float("nan"), 0.0])
def test_time_limit_must_be_positive(lc, data, limit):
    with pytest.raises(ValueError, match="time_limit must be a finite number > 0"):
        lc.small().fit(*data, verbose=0, time_limit=limit)


# Callbacks --------------------------------------------------------------------------------------


def test_stop_by_callback_ends_like_no_stop(lc, data, one_step_calls):
    search = lc.small()
    search.fit(*data, verbose=0, callbacks=[lc.StopAt(2, 3)])
    assert search.stop_reason == "callback"
    board = search.leaderboard()
    assert board[board["round"] == 2].steps.tolist() == [3, 3]
    search.fit(*data, verbose=0)
    assert search.stop_reason == "max_iterations"
    lc.assert_same(search, lc.small().fit(*data, verbose=0))


def test_stop_at_the_end_of_a_round(lc, data):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    search = lc.small().fit(*data, verbose=0, callbacks=[Stop()])
    assert (search.stop_reason, search.state.iteration) == ("callback", 1)
    assert search.state.partial is None
    lc.assert_same(search.fit(*data, verbose=0), lc.small().fit(*data, verbose=0))


def test_model_seen_within_a_callback_is_that_of_the_round(lc, data):
    seen = []

    class Look(keras.callbacks.Callback):
        def on_round_end(self, number, logs=None):
            seen.append(self.model.evaluate(*data)["loss"])
            assert logs["loss"] == pytest.approx(seen[-1], abs=1e-5)

    search = lc.small().fit(*data, verbose=0, callbacks=[Look()])
    assert len(seen) == 2
    assert seen[0] != seen[1]
    assert search.evaluate(*data)["loss"] == seen[1]


def test_hooks_come_in_order(lc, data, one_step_calls):
    calls = []

    def hook(name):
        return lambda self, *args, **kwargs: calls.append((name, args, kwargs.get("logs")))

    names = [
        f"on_{what}_{when}"
        for what in ("train", "epoch", "round", "train_batch")
        for when in ("begin", "end")
    ]
    recorder = type("Recorder", (keras.callbacks.Callback,), {n: hook(n) for n in names})()
    search = lc.small(steps_per_iteration=2).fit(*data, verbose=0, callbacks=recorder)
    round_ = [
        "on_epoch_begin", "on_round_begin", *["on_train_batch_begin", "on_train_batch_end"] * 2,
        "on_epoch_end", "on_round_end",
    ]  # fmt: skip
    assert [c[0] for c in calls] == ["on_train_begin", *round_ * 2, "on_train_end"]
    by_name = {name: [c for c in calls if c[0] == name] for name in names}
    # Rounds count from 1, Keras' epochs and batches from 0.
    assert [c[1][0] for c in by_name["on_round_begin"]] == [1, 2]
    assert [c[1][0] for c in by_name["on_epoch_end"]] == [0, 1]
    assert [c[1][0] for c in by_name["on_train_batch_end"]] == [0, 1, 0, 1]
    assert by_name["on_round_begin"][0][2] == {"candidates": ["1_layer_dense"]}
    ends = by_name["on_round_end"]
    assert [c[2]["objective"] for c in ends][-1] == search.ensemble.objective
    assert {"loss", "accuracy", "objective"} <= set(ends[0][2])


def test_keras_early_stopping_and_csv_logger(lc, data, tmp_path):
    stopping = keras.callbacks.EarlyStopping("objective", mode="min", min_delta=10.0, patience=1)
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    search = lc.small(max_iterations=5, mixture_weights="uniform")
    search.fit(*data, verbose=0, callbacks=[stopping, log])
    assert (search.stop_reason, search.state.iteration) == ("callback", 2)
    with open(tmp_path / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert float(rows[1]["objective"]) == pytest.approx(search.ensemble.objective)


def test_callbacks_end_however_training_ends(lc, data, monkeypatch):
    ended = []
    callback = keras.callbacks.LambdaCallback(on_train_end=lambda logs: ended.append(True))

    def broken(*args):
        raise RuntimeError("broken")

    monkeypatch.setattr(RoundTrainer, "run", broken)
    with pytest.raises(RuntimeError, match="broken"):
        lc.small().fit(*data, verbose=0, callbacks=[callback])
    assert ended == [True]


# No improvement ---------------------------------------------------------------------------------


def test_no_improvement_ends_the_search_for_good(lc, data, hopeless, tmp_path):
    search = lc.small(tmp_path, **hopeless)
    search.fit(*data, verbose=0)
    assert search.stop_reason == "no_improvement"
    last = search.leaderboard().query(f"round == {search.state.iteration}")
    assert last.candidate.tolist()[0] == "previous"
    assert last.status.tolist() == ["selected", "rejected"]
    assert search.state.iteration < 4
    before = lc.contents(tmp_path)
    steps = Steps()
    for again in (search, lc.small(tmp_path, **hopeless), an.AdaNet.load(tmp_path)):
        assert timed(again, data, callbacks=[steps]) < 2
        lc.assert_same(again, search)
    assert not steps.seen
    assert lc.contents(tmp_path) == before


def test_force_grow_takes_the_best_candidate_all_the_same(lc, data, hopeless):
    search = lc.small(**{**hopeless, "force_grow": True}).fit(*data, verbose=0)
    assert search.stop_reason == "max_iterations"
    assert len(search.ensemble.members) == 4
    board = search.leaderboard()
    chosen = board[board.status == "selected"].objective.tolist()
    assert any(b > a for a, b in itertools.pairwise(chosen))


def test_force_grow_does_not_take_a_half_trained_candidate_that_is_worse(lc, data, hopeless):
    settings = {**hopeless, "force_grow": True, "steps_per_iteration": 6}
    reference = lc.small(**{**settings, "max_iterations": 2}).fit(*data, verbose=0)
    board = reference.leaderboard()
    grown = board[(board["round"] == 2) & (board.candidate != "previous")].objective.item()
    search = lc.small(**settings)
    search.fit(*data, verbose=0, callbacks=[lc.StopAt(2, 1)])
    assert search.stop_reason == "callback"
    assert (len(search.ensemble.members) == 2) == (grown < search.state.ensemble.objective)


# Steps ------------------------------------------------------------------------------------------


def test_max_steps_are_reached_exactly_and_going_on_is_as_never_having_stopped(lc, data, tmp_path):
    settings = {"steps_per_iteration": 40, "max_iterations": 2, "force_grow": True, "seed": 0}
    whole = lc.small(**settings)
    whole.fit(*data, verbose=0)
    assert whole.global_step == 80
    search = lc.small(model_dir=tmp_path, **settings)
    for steps, rounds in ((7, 0), (33, 0), (40, 1), (59, 1), (60, 1)):
        search.fit(*data, verbose=0, max_steps=steps)
        assert (search.global_step, search.state.iteration) == (steps, rounds)
        assert search.stop_reason == "max_steps"
        assert an.AdaNet.load(tmp_path).global_step == steps
    search.fit(*data, verbose=0, max_steps=1000)
    assert search.stop_reason == "max_iterations" and search.global_step == 80
    np.testing.assert_array_equal(search.predict(data[0][:20]), whole.predict(data[0][:20]))
    for one, other in zip(search.ensemble.members, whole.ensemble.members, strict=True):
        for a, b in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)
    with pytest.raises(ValueError, match="max_steps must be an integer >= 1"):
        lc.small().fit(*data, max_steps=0)
