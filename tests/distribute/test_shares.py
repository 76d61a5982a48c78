"""Processes that share a round compare what they train with, and the chief takes nothing else."""

import dataclasses
import json
import pathlib
import time
import warnings

import keras
import numpy as np
import pytest
from clusters import SCRIPT, ended, start_cluster

import adaptive_nets as an
from adaptive_nets.adanet.checkpoints.files.sealed_json import seal
from adaptive_nets.adanet.checkpoints.heartbeat import heartbeat
from adaptive_nets.adanet.placement import identity, ray_worker, round_robin, task_file
from adaptive_nets.adanet.placement.identity import Identity
from adaptive_nets.adanet.placement.identity_file import ChiefFile, read_identity, write_identity
from adaptive_nets.adanet.placement.leases import WorkLeases
from adaptive_nets.adanet.placement.task_file import TaskFile, remove_task_files
from adaptive_nets.files.processes import Process

X = np.random.default_rng(0).normal(size=(80, 3)).astype("float32")
Y = (X[:, 0] > X[:, 1]).astype(int)


def search(folder, placement="round_robin", rate=0.05, **settings):
    given = {
        "max_iterations": 1, "steps_per_iteration": 4, "seed": 0, "jit_compile": False,
        "mixture_weights": "uniform", "preprocessing": None, **settings,
    }  # fmt: skip
    generator = an.generators.Dense([2, 3], 1, optimizer="sgd", learning_rate=rate)
    return an.AdaNet(
        an.heads.BinaryClass(), generator, model_dir=folder, placement=placement, **given
    )


@pytest.fixture
def task(monkeypatch):
    """Says which task of a cluster of two this process is."""

    def become(kind, index=0, workers=1):
        cluster = {"chief": ["a:1"], "worker": [f"b:{k}" for k in range(workers)]}
        if kind == "master":
            cluster["master"] = cluster.pop("chief")
        value = {"cluster": cluster, "task": {"type": kind, "index": index}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(value))

    return become


def lone_worker(folder, task, monkeypatch, x=X, y=Y):
    """A worker trains all shares, and waits in vain for a chief."""
    task("worker")
    with monkeypatch.context() as patch:
        patch.setattr(round_robin, "PATIENCE_SECONDS", 0.0)
        with pytest.raises(an.distribute.WorkersLostError, match="has not decided round 1"):
            search(folder).fit(x, y, verbose=0)
    assert len(list(folder.glob("shares/round_001_of_2/share_*/done"))) == 2


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return search(tmp_path_factory.mktemp("alone"), "replicated").fit(X, Y, verbose=0)


def check_equal(found, alone):
    assert found.state.members().keys() == alone.state.members().keys()
    for name, member in found.state.members().items():
        for one, other in zip(
            member.model.get_weights(), alone.state.members()[name].model.get_weights(), strict=True
        ):
            np.testing.assert_allclose(one, other, atol=1e-6)


def refused(folder, task, monkeypatch):
    """What a worker of each kind hears while a chief runs."""
    found = {}
    kinds = {
        "other rows": {"x": X[::-1].copy(), "y": Y[::-1].copy()},
        "fewer rows": {"x": X[:40], "y": Y[:40]},
        "batch size": {"batch_size": 16},
        "seed": {"seed": 1},
        "generator": {"rate": 0.1},
        "version": {},
        "dtype": {},
    }
    for kind, given in kinds.items():
        data = {"x": X, "y": Y, "batch_size": 32}
        data |= {name: given.pop(name) for name in list(given) if name in data}
        with monkeypatch.context() as patch:
            if kind == "version":
                real = identity.versions()
                patch.setattr(identity, "versions", lambda real=real: {**real, "keras": "3.0"})
            if kind == "dtype":
                patch.setattr(keras.config, "floatx", lambda: "float64")
            task("worker", "0")
            began = time.monotonic()
            with pytest.raises(ValueError, match="The chief refuses what this process") as error:
                search(folder, **given).fit(**data, verbose=0)
            found[kind] = str(error.value)
            assert time.monotonic() - began < 10
    task("worker", "1", 2)
    with pytest.raises(ValueError, match="processes: the chief has 2, this process has 3"):
        search(folder).fit(X, Y, verbose=0)
    return found


def test_a_worker_that_trains_with_something_else_is_refused(alone, task, tmp_path, monkeypatch):
    """Also while the chief is only just setting up its first round."""
    told = {}

    class Refused(an.callbacks.SearchCallback):
        def on_round_begin(self, iteration, logs=None):
            told.update(refused(tmp_path, task, monkeypatch))
            # The chief trains all shares itself.
            task("master", "0")

    task("master", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found = search(tmp_path).fit(X, Y, verbose=0, callbacks=[Refused()])
    check_equal(found, alone)
    assert "data.rows: the chief has 80, this process has 40" in told["fewer rows"]
    assert "data.values: the chief has '80-" in told["other rows"]
    assert "batch_size: the chief has 32, this process has 16" in told["batch size"]
    assert "seed: the chief has 0, this process has 1" in told["seed"]
    assert "settings.generator.config.learning_rate" in told["generator"]
    assert "versions.keras: the chief has " in told["version"]
    assert "dtype: the chief has " in told["dtype"]
    assert all("worker 0" in text and "\n" not in text for text in told.values())
    assert not (tmp_path / "shares").exists()


def test_the_chief_takes_no_share_of_other_rows(alone, task, tmp_path, monkeypatch):
    lone_worker(tmp_path, task, monkeypatch, X[:40], Y[:40])
    task("chief")
    with pytest.warns(UserWarning, match="is refused, and trained again.*data.rows") as told:
        found = search(tmp_path).fit(X, Y, verbose=0)
    assert any("this process has 80, it had 40" in str(w.message) for w in told)
    check_equal(found, alone)


def test_shares_of_the_same_rows_are_taken_as_they_are(alone, task, tmp_path, monkeypatch):
    lone_worker(tmp_path, task, monkeypatch)
    task("chief")
    monkeypatch.setattr(round_robin.RoundRobinPlacement, "_train_share", None)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        check_equal(search(tmp_path).fit(X, Y, verbose=0), alone)


def test_what_a_chief_left_behind_says_nothing_of_the_next(tmp_path):
    chief = ChiefFile(tmp_path)
    mine, other = Identity({"seed": 1}), Identity({"seed": 2})
    chief.check(mine, "worker 0")
    chief.show(other)
    with pytest.raises(ValueError, match="seed: the chief has 2, this process has 1"):
        chief.check(mine, "worker 0")
    path, text = chief.path, chief.path.read_text()
    for machine, pid in (("", "999999999"), ("f" * 12, "1")):
        name = json.loads(text)["process"].split("-")
        name = f"{machine or name[0]}-{pid}-{name[2]}"
        write_identity(path, other)
        values = json.loads(path.read_text())
        values.pop("sha256")
        path.write_bytes(seal({**values, "process": name}))
        ChiefFile(tmp_path).check(mine, "worker 0")
    path.write_text("{}")
    ChiefFile(tmp_path).check(mine, "worker 0")
    assert read_identity(tmp_path, path.name) is None


def started_of(pid):
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return int(text.rpartition(")")[2].split()[19])


def other_task_file(folder, process):
    own = TaskFile(folder, an.distribute.Task("worker", 0))
    own.path.parent.mkdir(parents=True, exist_ok=True)
    own.path.write_text(process.name)
    return own


def test_a_second_worker_with_the_same_index_is_refused(task, tmp_path, monkeypatch):
    alive = dataclasses.replace(Process.current(), pid=1, started=started_of(1))
    other_task_file(tmp_path / "shares", alive)
    task("worker")
    began = time.monotonic()
    with pytest.raises(ValueError, match="process 1 of this machine are both worker 0"):
        search(tmp_path).fit(X, Y, verbose=0)
    assert time.monotonic() - began < 30
    assert [path.name for path in tmp_path.glob("shares/*")] == ["worker_000.task"]


def test_an_index_is_free_where_its_process_has_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(task_file, "LOOK_SECONDS", 0.3)
    gone = dataclasses.replace(Process.current(), pid=999999999)
    far = dataclasses.replace(gone, machine="f" * 12)
    for process in (gone, far):
        own = other_task_file(tmp_path / "shares", process)
        with own.shown():
            own.check()
            own.path.unlink()
            own.check()
            # Another one has started at the same moment, and has written last.
            other_task_file(tmp_path / "shares", gone)
            with pytest.raises(ValueError, match="process 999999999 .* both worker 0"):
                own.check()
        remove_task_files(tmp_path / "shares")
    far_file = other_task_file(tmp_path / "shares", far)
    with heartbeat(far_file.path):
        monkeypatch.setattr(task_file, "LOOK_SECONDS", 10)
        with pytest.raises(ValueError, match="of another machine"), far_file.shown():
            pass


def test_rounds_are_compared_only_with_the_same_round():
    base = Identity({"seed": 1})
    first, second = base.in_round(1, ["a"], []), base.in_round(2, ["b"], ["1_a"])
    words = ("this", "that")
    assert not first.differences(second, words) and not base.differences(second, words)
    other = base.in_round(1, ["c"], [])
    assert first.differences(other, words) == "candidates: this ['a'], that ['c']"
    assert len({each.digest for each in (base, first, second, other)}) == 4
    many = Identity({f"v{k}": k for k in range(9)}).differences(Identity(), words)
    assert many.count("absent") == 4 and many.endswith("and 5 more")


def test_a_claim_of_a_process_that_has_ended_is_free_at_once(tmp_path):
    own = WorkLeases(tmp_path, 1, 1)
    assert own.acquire() == 0
    other = WorkLeases(tmp_path, 1, 0)
    # The process behind the claim, this one, runs, and both train with the same.
    assert WorkLeases(tmp_path, 1, 1).acquire() == 0
    claim = sorted(tmp_path.glob("share_0/claim_*"))[-1]
    rank, digest, name = claim.read_text().split()
    machine, _, started = name.split("-")
    claim.write_text(f"{rank} {digest} {machine}-999999999-{started}")
    assert other.acquire() == 0


def test_a_worker_of_ray_with_other_versions_is_refused(monkeypatch):
    real = ray_worker.versions()
    ray_worker._check_versions(real, {**real, "devices": ["GPU"]})
    with pytest.raises(ValueError, match="keras: the driver has .*, this worker has '3.0'"):
        ray_worker._check_versions(real, {**real, "keras": "3.0"})


@pytest.mark.exhaustive
@pytest.mark.parametrize("other", ["fewer", "seed"])
def test_of_processes_that_start_together_the_other_one_is_refused(other, tmp_path, python):
    names = ["chief 0", "worker 0"]
    began = time.monotonic()
    found = ended(start_cluster(python, tmp_path / "search", names, "round_robin", other=other))
    assert time.monotonic() - began < 60
    (chief, _), (worker, text) = found
    assert (chief, worker) == (0, 1), found
    assert "The chief refuses what this process (worker 0) trains" in text
    python.run(SCRIPT, tmp_path / "alone", "round_robin")
    alone, kept = (dict(np.load(f"{tmp_path / name}-0.npz")) for name in ("alone", "search"))
    np.testing.assert_allclose(kept["logits"], alone["logits"], atol=1e-5)


@pytest.mark.exhaustive
@pytest.mark.parametrize("other", ["fewer", "seed"])
def test_of_processes_that_train_together_the_other_one_is_refused(other, tmp_path, python):
    names = ["chief 0", "worker 0"]
    began = time.monotonic()
    found = ended(start_cluster(python, tmp_path / "search", names, "replicated", other=other))
    assert time.monotonic() - began < 60
    (chief, _), (worker, text) = found
    # A chief cannot go on without its worker.
    assert worker == 1 and chief not in (0, None), found
    what = {
        "fewer": "data.rows: the chief has 600, this process has 300",
        "seed": "seed: the chief",
    }
    assert f"This worker and the chief disagree: {what[other]}" in text
    assert not list((tmp_path / "search").glob("checkpoint-*"))
