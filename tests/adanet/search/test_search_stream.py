"""Endless datasets."""

import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.adanet.rounds import runner

# To give up an endless iterator that tunes itself takes seconds.
UNTUNED = tf.data.Options()
UNTUNED.autotune.enabled = False


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs(1200)


@pytest.fixture(autouse=True)
def few_chunks(monkeypatch):
    """Mixture weights are found on a few chunks, to be quick."""
    monkeypatch.setattr(runner, "MIXTURE_CHUNKS", 12)


def endless(x, y, batch=37):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(batch).repeat().with_options(UNTUNED)


def test_endless_odd_batches_are_learnt_from(lc, data):
    x, y = data
    stream = endless(x[:1000], y[:1000])
    search = lc.small(steps_per_iteration=120, preprocessing="standardize", force_grow=False)
    search.fit(stream, validation_data=(x[1000:], y[1000:]), verbose=0)
    board = search.leaderboard()
    assert search.evaluate(x[1000:], y[1000:])["accuracy"] > 0.75
    chosen = board[board.status == "selected"].iloc[-1]
    assert chosen.val_accuracy > 0.75
    assert (board.steps == 120).all()
    # Weights of a mixture found by steps are near those found on the data whole.
    whole = lc.small(steps_per_iteration=120, preprocessing="standardize", force_grow=False)
    whole.fit(x[:1000], y[:1000], verbose=0, batch_size=37)
    assert chosen.loss < 1.15 * whole.leaderboard().query("status == 'selected'").iloc[-1].loss


@pytest.mark.parametrize("kind", ["vector", "matrix", "uniform"])
def test_mixtures_by_steps(lc, data, kind):
    search = lc.small(mixture_weights=kind, mixture_bias=kind != "uniform", steps_per_iteration=40)
    search.fit(endless(*data), verbose=0)
    assert len(search.ensemble.members) == 2
    assert search.evaluate(*data)["accuracy"] > 0.6


def test_an_interrupted_stream_goes_on_where_it_was(
    lc, data, tmp_path, one_step_calls, monkeypatch
):
    # Several chunks a round, so that the place in the stream matters.
    monkeypatch.setattr("adaptive_nets.data.feeds.CHUNK_STEPS", 4)
    settings = {"steps_per_iteration": 10}
    whole = lc.small(**settings).fit(endless(*data), verbose=0)
    assert whole.state.stream_chunks == 2 * (3 + 12)
    for round_, step in ((1, 6), (2, 9)):
        search = lc.small(tmp_path, **settings)
        search.fit(endless(*data), verbose=0, callbacks=[lc.StopAt(round_, step)])
        assert search.stop_reason == "callback"
    resumed = lc.small(tmp_path, **settings).fit(endless(*data), verbose=0)
    lc.assert_same(resumed, whole)
    assert resumed.state.stream_chunks == whole.state.stream_chunks
    # And in one process.
    search = lc.small(**settings)
    search.fit(endless(*data), verbose=0, callbacks=[lc.StopAt(2, 5)])
    lc.assert_same(search.fit(endless(*data), verbose=0), whole)


def test_a_shuffled_stream_keeps_its_checkpoint(lc, data, tmp_path, one_step_calls):
    """Its sample is another each time, and none the worse."""
    shuffled = endless(*data).unbatch().shuffle(500).batch(37)
    search = lc.small(tmp_path, max_iterations=1)
    search.fit(shuffled, verbose=0, callbacks=[lc.StopAt(1, 4)])
    steps = []

    class Steps(lc.StopAt):
        def on_train_batch_begin(self, step, logs=None):
            steps.append(step)

    lc.small(tmp_path, max_iterations=1).fit(shuffled, verbose=0, callbacks=[Steps(9, 0)])
    assert steps[0] == 4


def test_weights_of_a_stream_are_used(lc, data):
    """Rows of weight 0 teach nothing."""
    x, y = data
    twisted = np.concatenate([x, x]), np.concatenate([y, (y + 1) % 3])
    order = np.random.default_rng(0).permutation(2 * len(y))
    weights = np.repeat([1.0, 0.0], len(y)).astype("float32")[order]
    stream = tf.data.Dataset.from_tensor_slices((twisted[0][order], twisted[1][order], weights))
    search = lc.small(steps_per_iteration=100, max_iterations=1)
    search.fit(stream.batch(32).repeat(), verbose=0)
    assert search.evaluate(x, y)["accuracy"] > 0.7


def test_a_split_of_a_stream_is_refused(lc, data, tmp_path):
    with pytest.raises(ValueError, match="validation_split requires finite data"):
        lc.small(tmp_path / "new").fit(endless(*data), validation_split=0.2, verbose=0)
    assert not list(tmp_path.iterdir())


def test_a_finite_dataset_is_data_like_any_other(lc, data):
    x, y = data
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(32)
    search = lc.small().fit(dataset, verbose=0)
    lc.assert_same(search, lc.small().fit(x, y, verbose=0, batch_size=32))
    assert search.state.stream_chunks == 0


def test_a_stream_in_a_folder_is_loaded(lc, data, tmp_path):
    search = lc.small(tmp_path, max_iterations=1).fit(endless(*data), verbose=0)
    loaded = an.AdaNet.load(tmp_path, max_iterations=2)
    lc.assert_same(loaded, search)
    loaded.fit(endless(*data), verbose=0)
    lc.assert_same(loaded, lc.small().fit(endless(*data), verbose=0))
