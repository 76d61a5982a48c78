"""What TensorBoard is shown of the candidates while they train."""

import collections

import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an


def written(folder):
    """`{step: loss}` of one candidate's events."""
    (file,) = folder.glob("events*")
    return {
        event.step: float(tf.make_ndarray(value.tensor))
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
        if value.tag == "loss"
    }


class Told(an.callbacks.SearchCallback):
    """What callbacks are told of each candidate: `{(round, name): {steps taken: loss}}`."""

    def __init__(self):
        super().__init__()
        self.losses = collections.defaultdict(dict)

    def on_train_batch_end(self, batch, logs=None):
        for name in logs.keys() - {"loss"}:
            self.losses[self.model.record.iteration + 1, name][batch + 1] = logs[name]


def test_each_candidates_losses_are_written_round_by_round(lc, tmp_path, one_step_calls):
    x, y = lc.blobs()
    generator = an.generators.Dense(widths=[3, 4], depths=[1])
    told = Told()
    lc.small(tmp_path, generator=generator).fit(x, y, verbose=0, callbacks=[told])
    assert len(told.losses) == 4
    for (number, name), expected in told.losses.items():
        found = written(tmp_path / f"tensorboard/round_{number}" / name)
        assert list(found) == list(expected) == [1, 2, 3, 4, 5, 6]
        np.testing.assert_allclose(list(found.values()), list(expected.values()), rtol=1e-6)


def test_a_long_round_writes_a_hundred_of_them(lc, tmp_path, one_step_calls):
    x, y = lc.blobs()
    search = lc.small(tmp_path, max_iterations=1, steps_per_iteration=250)
    search.fit(x, y, verbose=0)
    (folder,) = (tmp_path / "tensorboard/round_1").iterdir()
    steps = np.array(list(written(folder)))
    assert 50 < len(steps) <= 126 and (np.diff(steps) >= 2).all() and steps[-1] > 240


def test_without_a_folder_nothing_is_written(lc, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lc.small(max_iterations=1).fit(*lc.blobs(), verbose=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fault", ["no folder", "full disk"])
def test_a_search_goes_on_without_them_where_they_cannot_be_written(
    lc, tmp_path, monkeypatch, caplog, fault
):
    x, y = lc.blobs(60)

    def full(*args, **kwargs):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    name = {"no folder": "create_file_writer", "full disk": "write"}[fault]
    monkeypatch.setattr(tf.summary, name, full)
    search = lc.small(tmp_path, jit_compile=False).fit(x, y, verbose=0)
    assert caplog.text.count("TensorBoard's scalars cannot be written") == 1
    monkeypatch.undo()
    lc.assert_same(search, lc.small(jit_compile=False).fit(x, y, verbose=0))
