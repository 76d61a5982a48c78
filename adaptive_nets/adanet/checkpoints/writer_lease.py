"""`WriterLease`: at most one process, and one `fit` in it, writes to a `model_dir`."""

import contextlib
import json
import os
import random
import secrets
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from absl import logging

from adaptive_nets.adanet.checkpoints.heartbeat import LOST_SECONDS, Silence, heartbeat
from adaptive_nets.files.processes import Process

# A folder in `model_dir` that exists only while somebody writes there.
LEASE_FOLDER = "writer.lease"

POLL_SECONDS = 0.1


class ModelDirInUseError(OSError):
    """Another `fit` is writing to the `model_dir`, or has taken it over from this one."""


class WriterLease:
    """The right to write to a `model_dir`, which one process has at a time.

    A process enters a file of its own, and has the lease if no other file is in the folder then.
    Of two that enter at once each sees the other, both withdraw, and try again. Locks of the file
    system are not used, since not every network file system has them.

    A holder that has ended is recognised at once on its own machine, by its process id and starting
    time. On another machine it counts as lost once it has not touched its file for `lost_seconds`
    of watching. Its file is then removed, by which the holder, should it only have been stopped,
    learns that it must not write any more (`confirm`).

    Args:
        model_dir: The folder to be written to.
        lost_seconds: Seconds without a sign of life after which a process of another machine is
            considered lost. Defaults to `None`: `LOST_SECONDS`.
    """

    def __init__(self, model_dir: str | os.PathLike, lost_seconds: float | None = None):
        self.model_dir = Path(model_dir)
        # It stays the same where the working directory changes.
        self._folder = self.model_dir.absolute()
        self.path = self._folder / LEASE_FOLDER
        self.lost_seconds = LOST_SECONDS if lost_seconds is None else lost_seconds
        self._own: Path | None = None
        self._process = Process.current()
        self._made: list[Path] = []
        self._silence = Silence()

    @contextlib.contextmanager
    def held(self, timeout: float = 0.0) -> Iterator["WriterLease"]:
        """Holds the lease while the block runs.

        Args:
            timeout: Seconds to wait for another holder to end. Defaults to 0.

        Raises:
            ModelDirInUseError: Another process, or another `fit` of this one, holds it.
            OSError: The folder cannot be written to.
        """
        self.acquire(timeout)
        try:
            with heartbeat(self._own):
                yield self
        finally:
            self.release()

    def acquire(self, timeout: float = 0.0) -> None:
        """Takes the lease; see `held`."""
        began, told = time.monotonic(), False
        while True:
            others = self._files()
            standing = {file: self._standing(file) for file in others}
            alive = [file for file, kind in standing.items() if kind == "alive"]
            if not alive and "unknown" not in standing.values() and self._enter(others):
                return
            if alive and time.monotonic() - began >= timeout:
                raise ModelDirInUseError(self._refusal(alive[0]))
            if others and not told:
                told = True
                logging.info("Waiting for %s, the writer of '%s'.", _who(others[0]), self.model_dir)
            time.sleep(POLL_SECONDS)

    def confirm(self) -> None:
        """Checks, before something is written, that the lease has not been lost.

        Raises:
            ModelDirInUseError: It has.
        """
        if os.getpid() != self._process.pid:
            raise ModelDirInUseError(
                f"model_dir '{self.model_dir}' is written to by process {self._process.pid}, from "
                f"which this process ({os.getpid()}) was forked. Nothing was written. Call fit in "
                "one process only."
            )
        try:
            # Opened, since a network file system may remember files that are gone.
            with open(self._own, "rb"):
                return
        except FileNotFoundError:
            pass
        others = [_who(file) for file in self._files()]
        by = f"{others[0]} has taken it over" if others else "the folder was removed or taken over"
        raise ModelDirInUseError(
            f"This process no longer holds model_dir '{self.model_dir}': after "
            f"{self.lost_seconds:g} s without a sign of life from it, {by}. Nothing was written "
            "since. Load the search with AdaNet.load to see how far it is, and call fit to go on."
        )

    def release(self) -> None:
        """Gives the lease back, and removes the folders that it has made if they are empty."""
        # A forked child has inherited this object, but not the lease.
        if self._own is None or os.getpid() != self._process.pid:
            return
        own, self._own = self._own, None
        with contextlib.suppress(OSError):
            own.unlink(missing_ok=True)
            for folder in (self.path, *self._made):
                folder.rmdir()
        self._made = []

    def _files(self):
        """Returns the files of all others that hold the lease, or are about to."""
        if self.path.is_symlink():
            raise OSError(f"'{self.path}' is a link. Expected a folder, or nothing. Remove it.")
        try:
            found = sorted(self.path.iterdir())
        except FileNotFoundError:
            return []
        return [file for file in found if file != self._own and Process.from_name(file.name)]

    def _standing(self, file):
        """Returns whether the process behind a file is "alive", "lost" or "unknown"."""
        process = Process.from_name(file.name)
        try:
            if process.is_here:
                copied = not file.name.startswith(self._name_of(process))
                return "lost" if copied or process.is_gone else "alive"
            if self._silence.seconds(file) > self.lost_seconds:
                return "lost"
        except FileNotFoundError:
            return "lost"
        return "alive" if self._silence.has_changed(file) else "unknown"

    def _enter(self, lost):
        """Enters a file, and removes those of lost processes; returns whether it is alone."""
        try:
            self._make_folders()
            own = self.path / f"{self._name_of(self._process)}{secrets.token_hex(8)}"
        except (FileNotFoundError, FileExistsError):
            # Somebody has removed an empty folder meanwhile, here or below.
            return False
        try:
            with open(own, "x", encoding="utf-8") as file:
                json.dump(
                    {
                        "host": socket.gethostname(),
                        "pid": self._process.pid,
                        "since": datetime.now().astimezone().isoformat(" ", "seconds"),
                    },
                    file,
                )
            self._own = own
            for each in lost:
                each.unlink(missing_ok=True)
            alone = not self._files()
        except FileNotFoundError:
            self._own, alone = None, False
        except BaseException:
            self._own = own
            self.release()
            raise
        if not alone:
            self._own = None
            own.unlink(missing_ok=True)
            time.sleep(random.uniform(0.0, POLL_SECONDS))
        return alone

    def _name_of(self, process):
        """Returns how the files of a process begin, if they are not in a copy of its folder."""
        return f"{process.name}-{os.stat(self._folder).st_ino}-"

    def _make_folders(self):
        missing, folder = [], self._folder
        while not folder.exists() and folder != folder.parent:
            missing.append(folder)
            folder = folder.parent
        self.path.mkdir(parents=True, exist_ok=True)
        self._made += [folder for folder in missing if folder not in self._made]

    def _refusal(self, file):
        return (
            f"model_dir '{self.model_dir}' is in use: {_who(file)} is writing to it. Only one fit "
            "at a time can. Wait until it has ended, pass lock_timeout=SECONDS to wait for it, or "
            "use another model_dir."
        )


class HoldsLease:
    """Base of what writes to a `model_dir` in several steps, all of them under one lease.

    Attributes:
        model_dir: The folder.
        lease: What it holds at present, or `None`.
    """

    model_dir: Any
    lease: WriterLease | None = None

    @contextlib.contextmanager
    def writing(self) -> Iterator[WriterLease]:
        """Holds the lease while the block runs; a block inside uses that of the outer one.

        Raises:
            ModelDirInUseError: Another process, or another writer of this one, holds it.
        """
        if self.lease is not None:
            yield self.lease
            return
        with WriterLease(self.model_dir).held() as self.lease:
            try:
                yield self.lease
            finally:
                self.lease = None


def _who(file):
    """Returns a description of the process behind a file."""
    process = Process.from_name(file.name)
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        host, since = f" on {known['host']}", f" (since {known['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        host = since = ""
    if process.is_here and process.pid == os.getpid():
        return f"another fit of this process{since}"
    return f"process {process.pid}{host}{since}"
