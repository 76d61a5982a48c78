"""A search whose candidates workers of a Ray cluster train, one of which is killed."""

import os
import signal
import sys
import time
import types

import keras
import numpy as np
import psutil
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

import adaptive_nets as an
from adaptive_nets.adanet.placement import ray as ray_placement
from adaptive_nets.adanet.placement import ray_worker

DIGITS, LABELS = load_digits(return_X_y=True)
X, Y = (DIGITS / 16).astype("float32")[:600], LABELS[:600]
ON_TWO = an.distribute.Ray(workers=2)


@pytest.fixture(scope="module")
def cluster():
    """Two CPUs of this machine; it counts nothing and asks for no token."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        ray = an.distribute.import_ray()
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        # Workers cannot import this file, as they cannot import a user's notebook.
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield ray
        ray.shutdown()


@keras.saving.register_keras_serializable(package="tests")
class Scaled(keras.layers.Layer):
    """A layer that only this file knows, and the workers from it."""

    def call(self, x):
        return 2 * x


class Scaling(an.adanet.Builder):
    def __init__(self, width):
        self.name, self.width = f"scaling_{width}", width

    def build(self, inputs, units, previous=None):
        x = keras.layers.Dense(self.width, "relu")(Scaled()(inputs))
        return an.adanet.Subnetwork(keras.layers.Dense(units)(x), x, depth=1)

    def optimizer(self):
        return keras.optimizers.SGD(0.05)


class Proposing(an.adanet.Generator):
    def __init__(self, builders):
        self.builders = builders

    def generate(self, previous, iteration, reports):
        return self.builders


def search(folder, placement="replicated", steps=1500, builders=None, **settings):
    builders = builders or [Scaling(width) for width in (8, 12, 16)]
    return an.AdaNet(
        an.heads.MultiClass(10), Proposing(builders), max_iterations=2, steps_per_iteration=steps,
        force_grow=True, placement=placement, checkpoint_seconds=0, model_dir=folder,
        **{"seed": 0, **settings},
    )  # fmt: skip


class InRound2(an.callbacks.SearchCallback):
    """Does something once, in the middle of the second round."""

    def __init__(self, act):
        super().__init__()
        self.act, self.step = act, None

    def on_train_batch_end(self, batch, logs=None):
        if self.model.state.iteration == 1 and self.step is None:
            self.step = batch + 1
            self.act()


def stop_driver():
    raise InterruptedError("the driver is gone")


def workers():
    """Process ids of the living ones of this process's cluster."""
    mine = psutil.Process().children(recursive=True)
    found = [p for p in mine if p.name().startswith("ray::Worker")]
    return [p.pid for p in found if p.status() != psutil.STATUS_ZOMBIE]


def kill_worker():
    first, second = workers()
    os.kill(first, signal.SIGKILL)


def test_workers_train_what_one_process_trains_whoever_is_lost(cluster, tmp_path, monkeypatch):
    alone = search(tmp_path / "alone").fit(X, Y, batch_size=48, verbose=0)
    monkeypatch.setattr(ray_placement, "REPORT_SECONDS", 0.0)
    folder = tmp_path / "search"
    lost = [InRound2(stop_driver), InRound2(kill_worker)]
    with pytest.raises(InterruptedError):
        search(folder, ON_TWO).fit(X, Y, batch_size=48, verbose=0, callbacks=[lost[0]])
    assert list(folder.glob("shares/round_002_of_2/share_*/checkpoint-*"))
    found = search(folder, ON_TWO).fit(X, Y, batch_size=48, verbose=0, callbacks=[lost[1]])
    assert all(0 < each.step < 1500 for each in lost)
    assert found.stop_reason == "max_iterations" and not list(folder.glob("shares/*"))
    assert found.leaderboard()["candidate"].tolist() == alone.leaderboard()["candidate"].tolist()
    members = alone.state.members()
    assert found.state.members().keys() == members.keys()
    for name, member in found.state.members().items():
        expected = members[name].model.get_weights()
        for one, other in zip(member.model.get_weights(), expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
    np.testing.assert_allclose(found.predict(X, "logits"), alone.predict(X, "logits"), atol=1e-5)


def test_what_workers_cannot_import_is_left_out(monkeypatch):
    module = types.ModuleType("only_here")
    exec("class Gone: pass", module.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", module)
    packed = ray_worker._pack_objects(
        {"gone": module.Gone, "scaling": Scaling, "no": (i for i in ())}
    )
    monkeypatch.delitem(sys.modules, "only_here")
    assert ray_worker._unpack_objects(packed) == {"scaling": Scaling}


def test_an_error_of_a_worker_reaches_the_driver(cluster, tmp_path):
    class Broken(Scaling):
        def build(self, inputs, units, previous=None):
            if an.distribute.import_ray().get_runtime_context().get_actor_id():
                raise RuntimeError("no such kernel here")
            return super().build(inputs, units, previous)

    tried = search(tmp_path, an.distribute.Ray(workers=1), 20, [Broken(8)])
    with pytest.raises(RuntimeError, match="no such kernel here"):
        tried.fit(X, Y, batch_size=48, verbose=0)
    until = time.monotonic() + 20
    while workers() and time.monotonic() < until:
        time.sleep(0.2)
    assert not workers()


def test_refusals(tmp_path, monkeypatch):
    for workers in (0, 1.5, True):
        with pytest.raises(ValueError, match="workers must be an integer >= 1"):
            an.distribute.Ray(workers=workers)
    with pytest.raises(ValueError, match="'ray', 'replicated', 'round_robin'"):
        search(tmp_path, "rey")
    with pytest.raises(ValueError, match="placement='ray' requires a model_dir"):
        search(None, "ray")
    with pytest.raises(ValueError, match="placement='ray' requires a seed"):
        search(tmp_path, "ray", seed=None)
    with pytest.raises(ValueError, match="trains each subnetwork in one process"):
        search(tmp_path, "ray", distribute=tf.distribute.OneDeviceStrategy("/cpu:0"))
    endless = tf.data.Dataset.from_tensor_slices((X, Y)).repeat().batch(48)
    with pytest.raises(ValueError, match="requires finite data.*an endless dataset"):
        search(tmp_path, "ray").fit(endless)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"pip install 'adaptive-nets\[ray\]'"):
        search(tmp_path, "ray")
    assert not list(tmp_path.iterdir())
