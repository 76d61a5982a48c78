"""Identities of processes as files, and the chief's, which workers compare theirs with."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from absl import logging

from adaptive_nets.adanet.checkpoints.files.sealed_json import (
    NotWholeError,
    check_seal,
    parse,
    seal,
)
from adaptive_nets.adanet.checkpoints.files.sealing import DamagedError, read_bytes
from adaptive_nets.adanet.checkpoints.heartbeat import Silence, heartbeat
from adaptive_nets.adanet.placement.identity import Identity
from adaptive_nets.files.atomic import atomic_write
from adaptive_nets.files.processes import Process

_MOST_BYTES = 64 << 20


def write_identity(path: Path, identity: Identity) -> None:
    """Writes an identity, and the process that has it."""
    values = {"process": Process.current().name, "identity": identity.values}
    with atomic_write(path, ".json") as name:
        Path(name).write_bytes(seal(values))


def read_identity(folder: Path, name: str) -> Identity | None:
    """Returns the identity in a file, or `None` if there is none that is whole."""
    found = _read(folder, name)
    return found and found[1]


def _read(folder, name):
    try:
        text = read_bytes(folder, name, _MOST_BYTES)
        check_seal(text)
        values = parse(text)
    except (DamagedError, NotWholeError):
        return None
    process, identity = values.get("process"), values.get("identity")
    if not isinstance(process, str) or not isinstance(identity, dict):
        return None
    return Process.from_name(process), Identity(identity)


class ChiefFile:
    """The file in which the chief says what it trains with, while it runs.

    What a chief that has ended left behind says nothing about the next one.

    Args:
        folder: The folder of all shares.
    """

    NAME = "chief.json"

    def __init__(self, folder: Path):
        self.folder, self.path = folder, folder / self.NAME
        self._silence, self._told = Silence(), False

    @contextlib.contextmanager
    def shown(self, identity: Identity) -> Iterator[None]:
        """Shows the chief's identity while the block runs."""
        self.show(identity)
        try:
            with heartbeat(self.path):
                yield
        finally:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)
                self.folder.rmdir()

    def show(self, identity: Identity) -> None:
        """Writes the chief's identity, as it is now."""
        write_identity(self.path, identity)

    def check(self, identity: Identity, who: str) -> None:
        """Compares the identity of a worker with that of the chief, if there is one.

        Args:
            identity: The worker's identity.
            who: What to call the worker.

        Raises:
            ValueError: They differ.
        """
        found = _read(self.folder, self.NAME)
        if found is None:
            return
        process, chief = found
        alive = self._is_alive(process)
        if alive is False and not self._told:
            self._told = True
            logging.warning(
                "The chief (process %s) has ended before the search has. %s goes on, and waits "
                "for it to be started again.", process.pid, who.capitalize(),
            )  # fmt: skip
        how = chief.differences(identity, ("the chief has", "this process has")) if alive else ""
        if how:
            raise ValueError(
                f"The chief refuses what this process ({who}) trains, because it trains with "
                f"something else: {how}. All processes need the same data, settings, seed and "
                "versions. Nothing that it has trained is used. Correct it, and start it again."
            )

    def _is_alive(self, process):
        """Returns whether the chief runs; `None` if that is not known yet."""
        if process is not None and process.is_here:
            return not process.is_gone
        try:
            self._silence.seconds(self.path)
        except OSError:
            return None
        return self._silence.has_changed(self.path) or None
