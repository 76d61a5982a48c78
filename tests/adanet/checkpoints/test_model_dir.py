"""Files of a search: whole or not there, newest readable first."""

import json
import math
import os

import numpy as np
import pytest

from adaptive_nets import atomic_files
from adaptive_nets.adanet.checkpoints import model_dir
from adaptive_nets.adanet.checkpoints.model_dir import ModelDir
from adaptive_nets.atomic_files import atomic_write
from adaptive_nets.serialization import differences


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
    monkeypatch.setattr(atomic_files.os, "fsync", lambda handle: calls.append("sync"))
    replace = os.replace

    def replacing(old, new):
        calls.append("replace")
        replace(old, new)

    monkeypatch.setattr(atomic_files.os, "replace", replacing)
    with atomic_write(tmp_path / "file"):
        pass
    assert calls == ["sync", "replace", "sync"]


def test_states_are_numbered_and_the_last_three_kept(tmp_path):
    folder = ModelDir(tmp_path)
    assert folder.read_state() is None
    assert not folder.has_state()
    for k in range(5):
        folder.write_state({"k": k})
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"state-00000{n}.json" for n in (3, 4, 5)]
    assert folder.read_state()["k"] == 4
    assert folder.read_state()["version"] == model_dir.VERSION


def test_numbers_are_compared_as_numbers(tmp_path):
    folder = ModelDir(tmp_path)
    for number in (9, 999999, 1000000):
        text = json.dumps({"version": model_dir.VERSION, "k": number})
        (tmp_path / f"state-{number:06d}.json").write_text(text)
    assert folder.read_state()["k"] == 1000000
    folder.write_state({"k": "next"})
    assert folder.read_state()["k"] == "next"


@pytest.mark.parametrize("damage", [b"", b"{", b'{"k": 1}', b"[]", b"null", b"\xff\xfe\x00"])
def test_damaged_state_falls_back(tmp_path, damage):
    folder = ModelDir(tmp_path)
    folder.write_state({"k": 0})
    (tmp_path / "state-000002.json").write_bytes(damage)
    with pytest.warns(UserWarning, match=r"state-000002.json' cannot be read .*falling back"):
        assert folder.read_state()["k"] == 0


def test_damaged_checkpoint_falls_back(tmp_path):
    folder = ModelDir(tmp_path)
    arrays = [np.arange(3.0), np.array(7, "int64"), np.ones((2, 2), "float16")]
    folder.write_checkpoint(5, {"round": 1}, arrays)
    folder.write_checkpoint(9, {"round": 1, "step": 9}, arrays)
    newest = tmp_path / "checkpoint-000000009.npz"
    header, read = folder.read_checkpoint()
    assert header == {"round": 1, "step": 9}
    for a, b in zip(read, arrays, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
    whole = newest.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole[:-30], b"x" * 200):
        newest.write_bytes(damaged)
        with pytest.warns(UserWarning, match=r"000000009.npz' cannot be read"):
            header, _ = folder.read_checkpoint()
        assert header == {"round": 1}
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 0xFF
    newest.write_bytes(flipped)
    with pytest.warns(UserWarning, match="falling back"):
        assert folder.read_checkpoint()[0] == {"round": 1}


def test_checkpoint_holds_no_pickle(tmp_path):
    path = tmp_path / "checkpoint-000000001.npz"
    np.savez(path, header=np.array([{"round": 1}], dtype=object))
    with pytest.warns(UserWarning, match="cannot be read"):
        assert ModelDir(tmp_path).read_checkpoint() is None


def test_two_checkpoints_are_kept(tmp_path):
    folder = ModelDir(tmp_path)
    for step in (1, 2, 3):
        folder.write_checkpoint(step, {}, [])
    assert sorted(p.name[-5:-4] for p in tmp_path.iterdir()) == ["2", "3"]
    folder.drop_checkpoints()
    assert not list(tmp_path.iterdir())


def test_members_that_a_kept_state_names_are_kept(tmp_path):
    folder = ModelDir(tmp_path)
    (tmp_path / "members").mkdir()
    for name in "abc":
        (tmp_path / "members" / f"{name}.keras").write_text("")
    folder.write_state({"files": ["members/a.keras"]})
    folder.write_state({"files": ["members/b.keras"]})
    folder.drop_members(["members/b.keras"])
    assert sorted(p.name for p in (tmp_path / "members").iterdir()) == ["a.keras", "b.keras"]


def test_sweep_takes_what_a_killed_process_was_writing(tmp_path):
    (tmp_path / "members").mkdir()
    for name in (".writing-x", "members/.writing-y.keras", "members/1_a.keras", "mine.txt"):
        (tmp_path / name).write_text("")
    ModelDir(tmp_path).sweep()
    left = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert left == {"members/1_a.keras", "mine.txt"}


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


def test_state_is_strict_json_and_numbers_come_back(tmp_path):
    folder = ModelDir(tmp_path / "search")
    state = {"loss": float("nan"), "best": [float("inf"), -float("inf"), 1.5], "name": "x"}
    folder.write_state(state)
    (path,) = (tmp_path / "search").glob("state-*.json")

    def refuse(constant):
        raise ValueError(constant)

    json.loads(path.read_text(), parse_constant=refuse)
    read = folder.read_state()
    assert math.isnan(read["loss"])
    assert read["best"] == [float("inf"), -float("inf"), 1.5]
    assert read["name"] == "x"
