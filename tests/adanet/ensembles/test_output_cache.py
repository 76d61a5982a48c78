"""Data as a search sees it: members' outputs kept, and rows fed from memory or disk alike."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from adaptive_nets import heads
from adaptive_nets.adanet.candidates.builder import Builder, Subnetwork
from adaptive_nets.adanet.ensembles import output_cache
from adaptive_nets.adanet.ensembles.output_cache import OutputCache
from adaptive_nets.adanet.rounds.build_member import build_member
from adaptive_nets.adanet.rounds.trainer import RoundTrainer
from adaptive_nets.data import feeds, preprocessing
from adaptive_nets.data.batches import Batches
from adaptive_nets.data.datasets import read_dataset
from adaptive_nets.data.feeds import FiniteFeed
from adaptive_nets.data.preprocessing import Preprocessor
from adaptive_nets.data.rows import Rows, make_rows

RNG = np.random.default_rng(0)
ROWS, BATCH = 50, 8
X = RNG.normal(size=(ROWS, 4)).astype("float32")
Y = RNG.integers(0, 3, ROWS).astype("int32")
W = RNG.uniform(1, 2, ROWS).astype("float32")
HEAD = heads.MultiClass(3)


class Net(Builder):
    def __init__(self, name):
        self.name = name

    def build(self, inputs, units, previous=None):
        x = keras.layers.Dropout(0.2)(keras.layers.Dense(6, activation="tanh")(inputs))
        return Subnetwork(keras.layers.Dense(units)(x), x)


def sqrt_depth(built, widths):
    return built.depth**0.5


def member(name="net"):
    return build_member(Net(name), Rows(X, Y).spec, 3, None, 1, sqrt_depth, 0)


def rows_on_disk():
    """The same rows, read from a dataset under a tiny limit of memory."""
    dataset = tf.data.Dataset.from_tensor_slices((X, Y, W)).batch(7)
    x, y, w = read_dataset(dataset, limit=100)
    return make_rows(x, y, HEAD, w)


@pytest.fixture(params=[False, True], ids=["cpu", "accelerator"])
def accelerator(request, monkeypatch):
    """Whether a feed sees an accelerator, to which data on disk goes in chunks."""
    devices = ["gpu"] if request.param else []
    monkeypatch.setattr(feeds.tf.config, "list_logical_devices", lambda kind: devices)
    return request.param


@pytest.mark.parametrize("with_base", [False, True])
def test_training_from_disk_equals_training_from_memory_bit_for_bit(with_base, accelerator):
    disk, memory = rows_on_disk(), make_rows(X, Y, HEAD, W)
    assert disk.on_disk and not memory.on_disk
    assert disk.fingerprint() == memory.fingerprint()
    base = RNG.normal(size=(ROWS, 3)) if with_base else None
    got = []
    for rows in (disk, memory):
        feed = FiniteFeed(rows, Batches(ROWS, BATCH, 3), base, chunk=5)
        found = member()
        trainer = RoundTrainer(
            [found], [keras.optimizers.Adam(0.01)], HEAD, (1.0, 1.0) if with_base else None
        )
        losses = [trainer.run(*feed.get(step), 0, 5) for step in (0, 5, 10)]
        assert trainer.traces == 1
        got.append((np.concatenate(losses), found.model.get_weights()))
    assert np.array_equal(got[0][0], got[1][0]) and np.isfinite(got[0][0]).all()
    for a, b in zip(got[0][1], got[1][1], strict=True):
        assert np.array_equal(a, b)


def test_a_feed_gives_the_rows_that_the_order_names(accelerator):
    order = Batches(ROWS, BATCH, 3)
    base = RNG.normal(size=(ROWS, 3))
    for rows, resident in ((rows_on_disk(), False), (make_rows(X, Y, HEAD, W), True)):
        feed = FiniteFeed(rows, Batches(ROWS, BATCH, 3), base, chunk=4)
        for step in (0, 8):
            (source,), (indices,) = feed.get(step)
            # To an accelerator only the chunk goes of what is on disk; else all goes.
            whole = resident or not accelerator
            assert len(source["y"]) == (ROWS if whole else 4 * BATCH)
            expected = order.indices(step, 4)
            for k in range(4):
                mine = {name: tf.gather(t, indices[k]).numpy() for name, t in source.items()}
                np.testing.assert_array_equal(mine["x"], X[expected[k]])
                np.testing.assert_array_equal(mine["y"], Y[expected[k]])
                np.testing.assert_allclose(mine["w"], (W / W.mean())[expected[k]], rtol=1e-6)
                np.testing.assert_array_equal(mine["base"], base.astype("f4")[expected[k]])


def test_outputs_are_computed_once_and_forgotten_with_their_member(monkeypatch):
    calls = []
    plain = output_cache.OutputFunction.__call__

    def counted(self, *args):
        calls.append(len(self.members))
        return plain(self, *args)

    monkeypatch.setattr(output_cache.OutputFunction, "__call__", counted)
    a, b = member("a"), member("b")
    view = OutputCache(Rows(X, Y), keep_last_layer=True)
    first = view.outputs([a])
    both = view.outputs([b, a])
    assert both[1]["logits"] is first[0]["logits"] and calls == [1, 1]
    for m, out in zip((b, a), both, strict=True):
        expected = m.model(X, training=False)
        np.testing.assert_allclose(out["logits"], expected["logits"], atol=1e-6)
        np.testing.assert_allclose(out["last_layer"], expected["last_layer"], atol=1e-6)
    view.keep_only([b])
    assert set(view.cache) == {"1_b.logits", "1_b.last_layer"}
    view.outputs([a, b])
    assert calls == [1, 1, 1]
    # A function over both at once serves only where both are missing.
    fresh = OutputCache(Rows(X, Y))
    fresh.outputs([a, b], fresh.function([a, b]))
    assert calls[-1] == 2 and set(fresh.cache) == {"1_a.logits", "1_b.logits"}


def test_outputs_above_the_limit_are_on_disk():
    a = member("a")
    disk = OutputCache(Rows(X, Y), cache_limit=10).outputs([a])[0]["logits"]
    memory = OutputCache(Rows(X, Y)).outputs([a])[0]["logits"]
    assert isinstance(disk, np.memmap) and not isinstance(memory, np.memmap)
    np.testing.assert_array_equal(disk, memory)


def test_preprocessing_is_applied_to_all_rows(monkeypatch):
    inputs = {"a": keras.Input((4,), name="a"), "b": keras.Input((1,), dtype="int32", name="b")}
    model = keras.Model(inputs, {"a": keras.layers.Rescaling(2.0)(inputs["a"]), "b": inputs["b"]})
    rows = Rows({"a": X, "b": np.arange(ROWS, dtype="int32")[:, None]}, Y, W)
    done = Preprocessor(model)(rows)
    np.testing.assert_array_equal(done.x["a"], 2 * X)
    np.testing.assert_array_equal(done.x["b"], rows.x["b"])
    assert done.y is Y and done.w is W
    assert Preprocessor(None)(rows) is rows
    monkeypatch.setattr(preprocessing, "MEMORY_LIMIT", 100)
    spooled = Preprocessor(model)(rows)
    assert spooled.on_disk and not done.on_disk
    np.testing.assert_array_equal(spooled.x["a"], 2 * X)


def test_preprocessing_keeps_the_order_of_many_blocks():
    x = np.arange(20000, dtype="float32")[:, None]
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Rescaling(0.5)(inputs))
    done = Preprocessor(model)(Rows(x, np.zeros(20000)))
    np.testing.assert_array_equal(done.x, x / 2)
