"""A dataset is not read further than it is used."""

import types

import numpy as np
import pytest
import tensorflow as tf

from adaptive_nets.data.datasets import ReadLimits, read_batches, read_dataset


class Counted:
    """Batches of four rows that count how many have been read."""

    def __init__(self, batches, each=lambda: None):
        self.batches, self.read, self.each = batches, 0, each

    def __call__(self):
        for _ in range(self.batches):
            self.read += 1
            self.each()
            yield np.full((4, 2), float(self.read), "float32"), np.zeros(4, "int32")

    def dataset(self):
        spec = (tf.TensorSpec((4, 2), tf.float32), tf.TensorSpec((4,), tf.int32))
        return tf.data.Dataset.from_generator(self, output_signature=spec)


def test_a_dataset_is_read_as_far_as_it_is_used():
    source = Counted(40)
    x, y, _ = read_dataset(source.dataset(), limits=ReadLimits(batches=3))
    assert x.shape == (12, 2) and len(y) == 12 and source.read == 3
    assert len(read_dataset(Counted(2).dataset(), limits=ReadLimits(batches=3))[0]) == 8


def test_an_iterator_is_not_read_further_either():
    source = Counted(40)
    assert len(read_batches(source(), limits=ReadLimits(batches=5))[0]) == 20
    assert source.read == 5


@pytest.fixture
def clock(monkeypatch):
    now = types.SimpleNamespace(seconds=0.0)
    monkeypatch.setattr("adaptive_nets.machine.clock.now", lambda: now.seconds)
    return now


def test_reading_ends_when_its_time_is_over(clock, caplog):
    def wait():
        clock.seconds += 1.0

    source = Counted(40, wait)
    assert len(read_batches(source(), limits=ReadLimits(seconds=4.5))[0]) == 20
    assert "after 5 s the first 20 rows are in use" in caplog.text
    # There is always something to train on.
    assert len(read_batches(Counted(40, wait)(), limits=ReadLimits(seconds=0.1))[0]) == 4
