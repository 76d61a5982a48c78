"""Searches whose subnetworks stop early: refused, interrupted, cut short, loaded."""

import keras
import pandas as pd
import pytest
import tensorflow as tf

import adaptive_nets as an

STOPPING = an.adanet.EarlyStopping(patience=4, every=2, average=0.5)


class KilledError(Exception):
    """What a kill is to a search in the same process, but that nothing is written any more."""


class KillAt(keras.callbacks.Callback):
    def __init__(self, round_, step):
        super().__init__()
        self.round, self.step, self.now = round_, step, 0

    def on_round_begin(self, number, logs=None):
        self.now = number

    def on_train_batch_end(self, step, logs=None):
        if (self.now, step + 1) >= (self.round, self.step):
            raise KilledError


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs()


@pytest.fixture(scope="module")
def settings():
    return {"early_stopping": STOPPING, "steps_per_iteration": 30, "mixture_weights": "uniform"}


@pytest.fixture(scope="module")
def undisturbed(lc, data, settings):
    return lc.small(**settings).fit(*data, validation_split=0.3, verbose=0)


def test_it_is_refused_without_held_out_rows(lc, data):
    with pytest.raises(ValueError, match="early_stopping requires held-out rows. Pass valid"):
        lc.small(early_stopping=5).fit(*data, verbose=0)


@pytest.mark.parametrize("given", [0, -1, 2.5, True, "auto", object()])
def test_what_is_no_early_stopping_is_refused(given):
    with pytest.raises(ValueError, match="early_stopping must be None, a number of steps >= 1"):
        an.AdaNet(an.heads.BinaryClass(), early_stopping=given)


def test_what_was_measured_is_told(undisturbed):
    board, curves = undisturbed.leaderboard(), undisturbed.learning_curves()
    own = board[board.candidate != "previous"]
    assert (own.best_step > 0).all() and (own.best_step <= own.steps).all()
    for entry, report in zip(own.itertuples(), undisturbed.state.reports, strict=True):
        assert report.metrics["best_step"] == entry.best_step
        found = curves[(curves["round"] == entry.round) & curves.held_out_loss.notna()]
        assert found.step.iloc[found.held_out_loss.argmin()] == entry.best_step
        assert report.metrics["held_out_loss"] == found.held_out_loss.min()
        # In the first round there is no previous ensemble, and all held-out rows are measured.
        if entry.round == 1:
            assert report.metrics["held_out_loss"] == pytest.approx(
                report.metrics["loss"], abs=1e-6
            )
    # The first round has ended early.
    assert board.steps[0] < 30


@pytest.mark.parametrize("moment", [(1, 1), (1, 9), (2, 5)])
def test_a_search_that_is_killed_ends_as_if_it_had_not_been(
    moment, lc, data, settings, undisturbed, tmp_path, one_step_calls
):
    cut = lc.small(tmp_path, **settings)
    with pytest.raises(KilledError):
        cut.fit(*data, validation_split=0.3, verbose=0, callbacks=[KillAt(*moment)])
    again = an.AdaNet.load(tmp_path) if moment[0] > 1 else lc.small(tmp_path, **settings)
    assert again.early_stopping == STOPPING
    again.fit(*data, validation_split=0.3, verbose=0)
    lc.assert_same(again, undisturbed)
    curves = again.learning_curves(), undisturbed.learning_curves()
    pd.testing.assert_frame_equal(*curves, check_exact=True)


def test_a_round_that_is_cut_short_gives_its_best_so_far_and_goes_on(
    lc, data, settings, undisturbed
):
    cut = lc.small(**{**settings, "early_stopping": an.adanet.EarlyStopping(4, 2, 0.5)})
    cut.fit(*data, validation_split=0.3, verbose=0, max_steps=11)
    board = cut.leaderboard()
    assert board.status.tolist() == ["partial"] and 0 < board.best_step[0] <= 11
    x, y = data
    measured = cut.state.current.reports[0].metrics
    assert measured["held_out_loss"] == pytest.approx(measured["loss"], abs=1e-6)
    cut.fit(*data, validation_split=0.3, verbose=0)
    lc.assert_same(cut, undisturbed)


def test_other_settings_in_the_same_folder_are_recorded(lc, data, settings, tmp_path):
    lc.small(tmp_path, **settings).fit(*data, validation_split=0.3, verbose=0, max_steps=5)
    other = {**settings, "early_stopping": 7}
    search = lc.small(tmp_path, **other).fit(*data, validation_split=0.3, verbose=0)
    assert [change.setting for change in search.changes] == ["early_stopping"]


@pytest.mark.parametrize("jit_compile", [False, True], ids=["plain", "xla"])
def test_half_precision_stops_where_its_own_losses_say_so(jit_compile, lc, data, settings):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        found = lc.small(**settings, jit_compile=jit_compile, max_iterations=1)
        found.fit(*data, validation_split=0.3, verbose=0)
    finally:
        keras.config.set_dtype_policy(policy)
    report = found.state.reports[0].metrics
    assert report["held_out_loss"] == pytest.approx(report["loss"], abs=2e-3)
    assert found.leaderboard().steps[0] < 30


def test_an_endless_dataset_is_stopped_by_the_validation_data(lc, data, settings):
    x, y = data
    stream = tf.data.Dataset.from_tensor_slices((x[:180], y[:180])).repeat().batch(32)
    found = lc.small(**settings, max_iterations=1)
    found.fit(stream, validation_data=(x[180:], y[180:]), verbose=0)
    report = found.state.reports[0].metrics
    assert report["held_out_loss"] == pytest.approx(report["loss"], abs=1e-6)
    assert 0 < report["best_step"] <= found.leaderboard().steps[0] <= 30
