"""Datasets that repeat others: how much of them is read, and where they have to end."""

import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets import estimator as est
from adaptive_nets.adanet.fit_data import SAMPLE_ROWS, FitArguments
from adaptive_nets.adanet.repetitions import stream_long_repetitions
from adaptive_nets.adanet.settings import SearchSettings
from adaptive_nets.data.datasets import is_endless

ROWS, BATCH, STEPS = 100, 25, 10
X = np.random.default_rng(0).normal(size=(ROWS, 2)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")
UNTUNED = tf.data.Options()
UNTUNED.autotune.enabled = False


class Read:
    """A dataset that counts its rows as they are read; `known` says whether its length is."""

    def __init__(self, known=True):
        self.rows = 0
        rows = tf.data.Dataset.from_tensor_slices((X, Y)).map(self.counted)
        rows = rows if known else rows.filter(lambda x, y: True)
        self.batches = rows.batch(BATCH).with_options(UNTUNED)

    def counted(self, x, y):
        def count(x):
            self.rows += 1
            return x

        x = tf.ensure_shape(tf.py_function(count, [x], "float32"), (2,))
        return x, y


def searched(**settings):
    defaults = {"max_iterations": 1, "steps_per_iteration": STEPS, "seed": 0}
    return an.AdaNet(
        an.heads.BinaryClass(), an.generators.Dense(4, depths=[1]), **{**defaults, **settings}
    )


@pytest.mark.parametrize("known", [True, False])
def test_ten_steps_of_many_repetitions_read_what_those_of_an_endless_dataset_do(
    known, monkeypatch, tmp_path
):
    # Mixture weights of a stream are found on its own chunks.
    monkeypatch.setattr("adaptive_nets.adanet.rounds.runner.MIXTURE_CHUNKS", 4)
    boards, read = [], []
    for repeated in (lambda d: d.repeat(20_000), lambda d: d.repeat()):
        data = Read(known)
        search = searched().fit(repeated(data.batches), verbose=0)
        boards.append(search.leaderboard().drop(columns="seconds"))
        read.append(data.rows)
    assert boards[0].equals(boards[1])
    # Of an unknown length so many rows are counted before.
    assert read[1] - ROWS <= read[0] <= read[1] + (1 if known else 2) * (SAMPLE_ROWS + ROWS)
    # The same of an input function, with a round that is longer than the training.
    data = Read(known)
    estimator = est.Estimator(
        an.heads.BinaryClass(), an.generators.Dense(4, depths=[1]), 2 * STEPS, max_iterations=1,
        model_dir=tmp_path,
    )  # fmt: skip
    estimator.train(lambda: data.batches.repeat(20_000), max_steps=STEPS)
    assert estimator.latest_checkpoint() is not None
    assert data.rows <= read[1] + 2 * (SAMPLE_ROWS + ROWS)


def test_an_input_function_is_counted_as_far_as_all_rounds_go(tmp_path):
    data = Read(known=False)
    estimator = est.Estimator(
        an.heads.BinaryClass(), an.generators.Dense(4, depths=[1]), STEPS, max_iterations=1,
        model_dir=tmp_path,
    )  # fmt: skip
    search = estimator.train_search(lambda: data.batches.repeat(20_000))
    assert search.global_step == STEPS and search.stop_reason == "max_iterations"
    assert data.rows < 200_000


class Own(an.generators.Dense):
    """Builders with their own rows."""

    def generate(self, previous, iteration, reports):
        builders = super().generate(previous, iteration, reports)
        for builder in builders:
            builder.training_data = lambda rows, seed: None
        return builders


STREAMED = {
    "many": (40_000, {}, {}, True),
    "weights by class": (40_000, {}, {"class_weight": {0: 1.0, 1: 2.0}}, True),
    "no more than all steps use": (50, {"steps_per_iteration": 201}, {}, False),
    "as many as all steps use": (50, {"steps_per_iteration": 200}, {}, True),
    "as many as all rounds may use": (
        6250,
        {"max_iterations": "auto", "steps_per_iteration": "auto"},
        {},
        True,
    ),
    "fewer than that": (6249, {"max_iterations": "auto", "steps_per_iteration": "auto"}, {}, False),
    "few rows": (10, {}, {}, False),
    "once": (1, {}, {}, False),
    "rows that are counted": (40_000, {}, {"class_weight": "balanced"}, False),
    "rows that are held out": (40_000, {}, {"validation_split": 0.5}, False),
    "rows that are weighed": (40_000, {}, {"sample_weight": np.ones(3)}, False),
    "folds": (40_000, {"folds": 2}, {}, False),
    "shares": (40_000, {"placement": "round_robin", "model_dir": "unused"}, {}, False),
    "own rows": (40_000, {"generator": Own(4, depths=[1])}, {}, False),
}


@pytest.mark.parametrize("name", STREAMED)
def test_what_is_streamed(name):
    times, settings, given, streamed = STREAMED[name]
    repeated = Read().batches.repeat(times)
    defaults = {"generator": an.generators.Dense(4), "max_iterations": 1}
    chosen = {**defaults, "steps_per_iteration": STEPS, **settings}
    found = stream_long_repetitions(
        SearchSettings(an.heads.BinaryClass(), **chosen), FitArguments(repeated, **given)
    )
    assert is_endless(found.x) == streamed
    assert streamed or found.x is repeated


def test_of_an_unknown_length_no_more_is_counted_than_a_sample():
    data = Read(known=False)
    settings = SearchSettings(an.heads.BinaryClass(), an.generators.Dense(4))
    for times, streamed in ((40, False), (50, True)):
        found = stream_long_repetitions(settings, FitArguments(data.batches.repeat(times)))
        assert is_endless(found.x) == streamed
    assert data.rows <= 40 * ROWS + SAMPLE_ROWS + 4 * ROWS


def test_repeated_rows_without_batches_are_refused(tmp_path):
    rows = tf.data.Dataset.from_tensor_slices((X, Y)).repeat(20_000)
    estimator = est.Estimator(
        an.heads.BinaryClass(), an.generators.Dense(4), 1, model_dir=tmp_path / "search"
    )
    with pytest.raises(ValueError, match=r"Call dataset.batch\(batch_size\) first"):
        estimator.train(lambda: rows, max_steps=1)
    with pytest.raises(ValueError, match=r"Call dataset.batch\(batch_size\) first"):
        searched().fit(rows, verbose=0)
