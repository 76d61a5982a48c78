"""What the search's tests share: small data, a small search, and exact comparison."""

import json
import types
import zipfile

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.adanet.rounds import round as rounds
from adaptive_nets.adanet.rounds.trainer import RoundTrainer
from adaptive_nets.machine import clock


def blobs(rows=240, classes=3, features=6, seed=0):
    """Gaussian classes that overlap: learnable, and never learnt perfectly."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, rows)
    centres = rng.normal(size=(classes, features)) * 1.5
    return (centres[y] + rng.normal(size=(rows, features))).astype("float32"), y


def small(model_dir=None, **settings):
    """A search of two short rounds that costs half a second."""
    given = {
        "head": an.heads.MultiClass(),
        "generator": an.generators.Dense(
            widths=4, depths=[1], optimizer=keras.optimizers.SGD(momentum=0.9), learning_rate=0.1
        ),
        "preprocessing": None,
        "max_iterations": 2,
        "steps_per_iteration": 6,
        "force_grow": True,
        "seed": 0,
        "checkpoint_seconds": 0,
        "model_dir": model_dir,
    }
    return an.AdaNet(**{**given, **settings})


def table(search):
    """The leaderboard as JSON, except for the times."""
    return search.leaderboard().drop(columns="seconds").to_json(double_precision=15)


def assert_same(one, other):
    """Two searches ended alike: leaderboards, weights and reports, bit by bit."""
    assert table(one) == table(other)
    for a, b in ((one.model, other.model), (one.best_single, other.best_single)):
        for left, right in zip(a.get_weights(), b.get_weights(), strict=True):
            np.testing.assert_array_equal(left, right)
    assert one.state.reports == other.state.reports
    assert one.stop_reason == other.stop_reason


def check_files(folder):
    """Every file under its own name can be read."""
    for path in folder.rglob("*"):
        if path.name.startswith(".writing-") or path.is_dir():
            continue
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix in (".keras", ".npz"):
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None


def contents(folder):
    """All files with their bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class StopAt(keras.callbacks.Callback):
    """Ends the search at a step of a round."""

    def __init__(self, round_, step):
        super().__init__()
        self.round, self.step, self.now = round_, step, 0

    def on_round_begin(self, number, logs=None):
        self.now = number

    def on_train_batch_end(self, step, logs=None):
        if self.now == self.round and step + 1 >= self.step:
            self.model.stop_training = True


@pytest.fixture(scope="session")
def lc():
    """The helpers above."""
    return types.SimpleNamespace(
        blobs=blobs,
        small=small,
        table=table,
        assert_same=assert_same,
        check_files=check_files,
        contents=contents,
        StopAt=StopAt,
    )


@pytest.fixture
def one_step_calls(monkeypatch):
    """Every compiled call takes one step, so that a round has many moments."""
    monkeypatch.setattr(rounds, "TARGET_CALL_SECONDS", 1e-9)


class FakeTime:
    """A clock that only training moves: 50 ms a step, 300 ms a compilation."""

    def __init__(self):
        self.now = 0.0


@pytest.fixture
def fake_time(monkeypatch):
    fake, plain = FakeTime(), RoundTrainer.run

    def run_round(self, source, indices, start, stop):
        fake.now += 0.05 * (stop - start) or 0.3
        return plain(self, source, indices, start, stop)

    monkeypatch.setattr(RoundTrainer, "run", run_round)
    monkeypatch.setattr(clock, "now", lambda: fake.now)
    return fake


@pytest.fixture
def hopeless():
    """Settings under which the second round can only add noise to the first."""
    frozen = an.generators.Dense(widths=4, depths=[1], optimizer="sgd", learning_rate=1e-12)
    return {
        "generator": frozen,
        "mixture_weights": "uniform",
        "force_grow": False,
        "max_iterations": 4,
        "steps_per_iteration": 1,
        "adanet_lambda": 0.0,
    }
