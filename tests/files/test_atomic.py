"""What killed processes have left half written is swept, and nothing else."""

import os
import time
from pathlib import Path

import pytest

from adaptive_nets.files import atomic
from adaptive_nets.files.atomic import atomic_write, sweep, temporary_folder
from adaptive_nets.files.processes import Process

pytestmark = pytest.mark.backend_agnostic

TOKEN = "0123456789abcdef"


def names():
    """Names of ended processes of this machine, of running ones, and of another machine's."""
    own = Process.current()
    gone = Process(own.machine, own.pid, own.started - 1).name
    return gone, own.name, Process("0" * 12, own.pid, own.started).name


def test_what_ended_processes_have_left_is_swept(tmp_path):
    gone, own, other = (f".writing-{name}-{TOKEN}" for name in names())
    for name in (gone, f"{gone}.keras", own, other, ".writing-mine", f"{gone[:-1]}", "mine.txt"):
        (tmp_path / name).write_text("")
    folder = tmp_path / f".writing-{names()[0]}-{TOKEN[::-1]}"
    folder.mkdir()
    (folder / "model").write_text("")
    sweep(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {own, other, ".writing-mine", gone[:-1], "mine.txt"}
    # Another machine's process cannot be seen; after a day it is done.
    old = time.time() - 2 * atomic.OLD_SECONDS
    for name in (own, other):
        os.utime(tmp_path / name, (old, old))
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        own,
        ".writing-mine",
        gone[:-1],
        "mine.txt",
    }
    sweep(tmp_path / "missing")


def test_a_link_is_removed_and_not_followed(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("")
    link = tmp_path / f".writing-{names()[0]}-{TOKEN}"
    link.symlink_to(tmp_path / "mine")
    sweep(tmp_path)
    assert not link.is_symlink() and (tmp_path / "mine" / "file").exists()


def test_what_is_being_written_is_not_swept(tmp_path):
    with atomic_write(tmp_path / "file") as name, temporary_folder(tmp_path) as folder:
        sweep(tmp_path)
        assert os.path.exists(name) and folder.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_is_not_confirmed_is_not_written(tmp_path):
    def refuse():
        raise RuntimeError("taken over")

    (tmp_path / "file").write_text("old")
    with pytest.raises(RuntimeError), atomic_write(tmp_path / "file", confirm=refuse) as name:
        Path(name).write_text("new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
