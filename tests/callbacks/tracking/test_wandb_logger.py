"""What a run of Weights & Biases is told; a stand-in takes its place."""

import types

import numpy as np
import pandas as pd
import pytest

import adaptive_nets as an

X = np.random.default_rng(0).normal(size=(80, 3)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


class OneRound(an.callbacks.SearchCallback):
    def on_round_end(self, iteration, logs=None):
        self.model.stop_training = True


class Run:
    """What the logger uses of `wandb.Run`."""

    def __init__(self):
        self.config, self.summary, self.logged = {}, {}, []

    def log(self, values, step=None):
        self.logged.append((step, values))


def small(rounds=2):
    return an.AdaNet(
        an.heads.BinaryClass(), max_iterations=rounds, steps_per_iteration=5, seed=3,
        force_grow=True,
    )  # fmt: skip


def test_arguments_rounds_and_outcome_are_logged():
    run, search = Run(), small()
    search.fit(
        X, Y, validation_split=0.25, verbose=0, callbacks=[an.callbacks.WandbLogger(run)]
    )  # fmt: skip
    assert run.config["seed"] == 3 and run.config["head"].startswith("<") is False
    rounds = {step: values for step, values in run.logged if step}
    assert list(rounds) == [1, 2]
    assert rounds[2]["val_loss"] == pytest.approx(search.state.measured["val_loss"])
    assert run.summary == {
        "status": "finished", "stop_reason": "max_iterations",
        "candidates": len(search.leaderboard()),
    }  # fmt: skip


def test_the_leaderboard_is_a_table_where_the_package_is_there(monkeypatch):
    import sys

    module = types.ModuleType("wandb")
    module.Table = lambda dataframe: dataframe
    monkeypatch.setitem(sys.modules, "wandb", module)
    run, search = Run(), small(1)
    search.fit(X, Y, verbose=0, callbacks=[an.callbacks.WandbLogger(run)])
    tables = [values["leaderboard"] for _, values in run.logged if "leaderboard" in values]
    pd.testing.assert_frame_equal(tables[0], search.leaderboard())


def test_estimators_take_callbacks_and_tell_them_all():
    run, dense = Run(), an.generators.Dense(widths=[4], depths=[1])
    model = an.AutoClassifier(generator=dense, time_limit=1e3, seed=0, verbose=0)
    model.fit(X, (X @ [1, 1, 0] > 0), callbacks=[an.callbacks.WandbLogger(run), OneRound()])
    assert run.config["time_limit"] == 1e3 and "steps_per_iteration" not in run.config
    assert any(step == 1 and "val_log_loss" in values for step, values in run.logged)
    assert run.summary["candidates"] == len(model.leaderboard())


def test_a_fit_that_fails_says_so():
    run = Run()
    with pytest.raises(ValueError):
        an.AutoClassifier().fit(X, Y[:5], callbacks=an.callbacks.WandbLogger(run))
    assert run.summary == {"status": "failed"}


def test_a_run_that_breaks_down_stops_no_search(monkeypatch):
    run, search = Run(), small(1)
    run.log = lambda *args, **kwargs: 1 / 0
    search.fit(X, Y, verbose=0, callbacks=[an.callbacks.WandbLogger(run)])
    assert search.state.iteration == 1


@pytest.mark.parametrize("run", [None, "run", {}, object(), types.SimpleNamespace(log=print)])
def test_what_is_not_a_run_is_refused(run):
    with pytest.raises(TypeError, match=r"as wandb.init\(...\) returns it"):
        an.callbacks.WandbLogger(run)


def test_what_is_not_a_callback_is_refused_before_reading():
    with pytest.raises(TypeError, match="callbacks must be Keras callbacks"):
        an.AutoClassifier().fit("no such file", "y", callbacks=[print])
