"""The folder of a search: whole or not there, newest whole state first, nobody else's files."""

import os

import numpy as np
import pytest

from adaptive_nets.adanet.checkpoints import model_dir
from adaptive_nets.adanet.checkpoints.model_dir import ModelDir
from adaptive_nets.adanet.checkpoints.reader import ModelDirReader
from adaptive_nets.files import atomic
from adaptive_nets.files.atomic import PREFIX, atomic_write
from adaptive_nets.files.processes import Process, this_machine
from adaptive_nets.serialization import differences


def record(iteration=0):
    """What a search knows after some rounds, without an ensemble."""
    return {
        "iteration": iteration, "ensemble": None, "measured": {}, "entries": [], "reports": [],
        "curves": [], "best_single": None, "best_single_loss": float("inf"), "stop_reason": "",
        "seconds": 0.0, "stream_chunks": 0, "partial": None,
    }  # fmt: skip


def values(iteration=0, **more):
    """The values of a state without members."""
    settings = {"max_iterations": 2, "steps_per_iteration": "auto", "adanet_lambda": 0.0}
    return {
        "seed": 0, "settings": settings, "fit": {"features": "float32[3]", "batch_size": 2},
        "schema": {}, "adapted_head": {}, "data": "2-0", "preprocessed": False, "members": {},
        "files": {}, "record": record(iteration), **more,
    }  # fmt: skip


def write(folder, iteration=0, **more):
    """Writes a state without members."""
    folder.commit(iteration, lambda files: values(iteration, **more), {})


def header(step, **more):
    """The header of a checkpoint of one subnetwork."""
    return {
        "round": 1, "names": ["1_a"], "step": step, "seconds": 0.5, "losses": [float("nan")],
        "diverged": [0], "window": 1, "curve": [], "partial": [0.0], **more,
    }  # fmt: skip


def names(folder):
    return sorted(p.name for p in folder.iterdir() if p.name != "manifest.json")


def test_whole_file_replaces_only_on_success(tmp_path):
    path = tmp_path / "sub" / "file.txt"
    with atomic_write(path) as name:
        assert os.path.dirname(name) == str(path.parent)
        assert not path.exists()
        with open(name, "w") as file:
            file.write("first")
    with pytest.raises(RuntimeError), atomic_write(path) as name:
        with open(name, "w") as file:
            file.write("second, cut o")
        raise RuntimeError
    assert path.read_text() == "first"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_whole_file_is_synced_before_it_gets_its_name(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(atomic.os, "fsync", lambda handle: calls.append("sync"))
    replace = os.replace

    def replacing(old, new):
        calls.append("replace")
        replace(old, new)

    monkeypatch.setattr(atomic.os, "replace", replacing)
    with atomic_write(tmp_path / "file"):
        pass
    assert calls == ["sync", "replace", "sync"]


def test_states_of_three_rounds_are_kept(tmp_path):
    folder = ModelDir(tmp_path)
    assert folder.read_state() is None
    assert not folder.has_state()
    for iteration in (0, 1, 2, 2, 3, 4, 4, 4, 4):
        write(folder, iteration)
    folder.settle()
    # The newest three, and the newest of each of three rounds.
    assert names(tmp_path) == [f"state-00000{n}.json" for n in (4, 5, 7, 8, 9)]
    assert ModelDirReader(tmp_path).read_state()["number"] == 9


def test_numbers_are_compared_as_numbers(tmp_path, monkeypatch):
    folder = ModelDir(tmp_path)
    for number in (9, 999999, 1000000):
        with monkeypatch.context() as patch:
            patch.setattr(model_dir, "_next_number", lambda *_, number=number: number)
            write(folder, number)
    assert folder.read_state()["number"] == 1000000
    write(folder)
    assert folder.read_state()["number"] == 1000001


def test_a_damaged_state_without_a_whole_one_is_an_error(tmp_path):
    folder = ModelDir(tmp_path)
    write(folder)
    whole = (tmp_path / "state-000001.json").read_bytes()
    for damage in (b"", b"{", b'{"k": 1}', b"[]", b"null", b"\xff\xfe\x00", whole[:-1], whole * 2):
        (tmp_path / "state-000001.json").write_bytes(damage)
        with pytest.raises(ValueError, match=r"state-000001.json' .*Nothing was changed") as caught:
            folder.read_state()
        assert "\n" not in str(caught.value)


def test_damaged_checkpoint_falls_back(tmp_path):
    folder = ModelDir(tmp_path)
    arrays = [np.arange(3.0), np.array(7, "int64"), np.ones((2, 2), "float16"), np.zeros((0, 2))]
    folder.write_checkpoint(5, header(5), arrays)
    folder.write_checkpoint(9, header(9), arrays)
    newest = tmp_path / "checkpoint-000000009.npz"
    found, read = folder.read_checkpoint()
    assert found["step"] == 9 and np.isnan(found["losses"]).all()
    for a, b in zip(read, arrays, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
    whole = newest.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 0xFF
    other = (tmp_path / "checkpoint-000000005.npz").read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole[:-30], b"x" * 200, flipped, other):
        newest.write_bytes(damaged)
        with pytest.warns(UserWarning, match=r"000000009.npz' .*falling back to the previous one"):
            assert folder.read_checkpoint()[0]["step"] == 5


def test_checkpoint_holds_no_pickle(tmp_path):
    folder = ModelDir(tmp_path)
    folder.write_checkpoint(1, header(1), [])
    np.savez(tmp_path / "checkpoint-000000001.npz", header=np.array([{"round": 1}], dtype=object))
    with pytest.warns(UserWarning, match="holds Python objects"):
        assert folder.read_checkpoint() is None


def test_two_checkpoints_are_kept(tmp_path):
    folder = ModelDir(tmp_path)
    for step in (1, 2, 3):
        folder.write_checkpoint(step, header(step), [])
    assert [name[-5:-4] for name in names(tmp_path)] == ["2", "3"]
    folder.drop_checkpoints()
    assert not names(tmp_path)


def test_sweep_takes_what_a_killed_process_was_writing_and_nothing_else(tmp_path):
    (tmp_path / "members").mkdir()
    write(ModelDir(tmp_path))
    ended = f"{PREFIX}{Process(this_machine(), 2**22 + 1, 0).name}-{'0' * 16}.json"
    for name in (ended, f"members/{ended}", ".writing-x", "members/.writing-y.keras", "mine"):
        (tmp_path / name).write_text("")
    write(ModelDir(tmp_path))
    left = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    written = {"manifest.json", "state-000001.json", "state-000002.json"}
    assert left - written == {"members/.writing-y.keras", ".writing-x", "mine"}


def test_opening_a_folder_leaves_nothing(tmp_path):
    ModelDir(tmp_path / "not" / "there")
    assert not list(tmp_path.iterdir())
    ModelDir(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["file", "file/sub", "file/sub/sub"])
def test_a_path_below_a_file_is_refused(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match=r"model_dir must be a folder that can be written to") as info:
        ModelDir(tmp_path / place)
    assert "\n" not in str(info.value)
    assert (tmp_path / "file").read_text() == "mine"


def test_differences_are_listed_by_path():
    stored = {"a": 1, "b": {"c": [1, 2], "d": 0}, "gone": True}
    given = {"a": 1, "b": {"c": [1, 3], "d": 0}, "new": None}
    assert differences(stored, stored) == []
    assert differences(stored, given) == [
        "b.c: stored [1, 2], now [1, 3]",
        "gone: stored True, now 'absent'",
        "new: stored 'absent', now None",
    ]
