"""A disk that fails while a search writes: what was saved before stays whole, and fit goes on.

DISK_ERRORS=all tries every moment with every error; the suite tries a few.
"""

import errno
import os
import random

import pytest

import adaptive_nets as an
from adaptive_nets.files import atomic

ERRORS = ["ENOSPC", "EROFS", "EDQUOT", "EIO", "ESTALE"]
EVERY = os.environ.get("DISK_ERRORS") == "all"


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs(60)


class Disk:
    """Fails from one write on: while a file is written, synced or put into its place."""

    def __init__(self, monkeypatch, folder, name=None, fatal=None):
        self.folder, self.fatal, self.moments = str(folder), fatal, []
        self.error = name and OSError(getattr(errno, name), os.strerror(getattr(errno, name)))
        fsync, replace, opened = os.fsync, os.replace, os.open

        def syncing(file):
            self.take("sync")
            return fsync(file)

        def replacing(old, new):
            if self.folder in str(new):
                self.take("replace")
            return replace(old, new)

        def opening(path, flags, *args, **kwargs):
            if self.folder in str(path) and flags & os.O_CREAT:
                self.take("create")
            return opened(path, flags, *args, **kwargs)

        monkeypatch.setattr(atomic.os, "fsync", syncing)
        monkeypatch.setattr(atomic.os, "replace", replacing)
        monkeypatch.setattr(atomic.os, "open", opening)

    def take(self, what):
        self.moments.append(what)
        if self.fatal is not None and len(self.moments) > self.fatal:
            raise self.error


@pytest.mark.usefixtures("one_step_calls")
def test_each_error_leaves_a_whole_state(lc, data, tmp_path, monkeypatch):
    settings = {"steps_per_iteration": 3, "jit_compile": False}
    with monkeypatch.context() as patched:
        disk = Disk(patched, tmp_path / "whole")
        whole = lc.small(tmp_path / "whole", **settings).fit(*data, verbose=0)
    moments = len(disk.moments)
    assert moments > 20 and set(disk.moments) == {"create", "sync", "replace"}
    cases = [(moment, name) for moment in range(moments) for name in ERRORS]
    # Always the first and the last one.
    chosen = cases if EVERY else [cases[0], *random.Random(0).sample(cases, 1), cases[-1]]
    for moment, name in chosen:
        folder = tmp_path / f"{moment}_{name}"
        with monkeypatch.context() as patched:
            Disk(patched, folder, name, moment)
            said = f"can no longer be written to: {os.strerror(getattr(errno, name))}. What was"
            with pytest.raises(OSError, match=said):
                lc.small(folder, **settings).fit(*data, verbose=0)
        lc.check_files(folder)
        if list(folder.glob("state-*.json")):
            assert an.AdaNet.load(folder).state.iteration <= whole.state.iteration
        lc.assert_same(lc.small(folder, **settings).fit(*data, verbose=0), whole)
        assert not list(folder.rglob(".writing-*"))
