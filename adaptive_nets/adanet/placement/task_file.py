"""`TaskFile`: at most one process of a cluster has a worker's index."""

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

from adaptive_nets.adanet.checkpoints.files.sealing import DamagedError, read_bytes
from adaptive_nets.adanet.checkpoints.heartbeat import HEARTBEAT_SECONDS, Silence, heartbeat
from adaptive_nets.distribute import Task
from adaptive_nets.files.atomic import atomic_write
from adaptive_nets.files.processes import Process

_NAME = re.compile(r"(chief|worker)_\d{3,}\.task")
_MOST_BYTES = 1 << 10
# So long a file of another machine is watched for a sign of life.
LOOK_SECONDS = 5 * HEARTBEAT_SECONDS


class TaskFile:
    """The file by which a worker says that it has an index of `TF_CONFIG`, while it runs.

    The last process to write it has the index. Of two that start at once, the other one learns so
    by its next `check`.

    Args:
        folder: The folder of all shares.
        task: The worker's task.
    """

    def __init__(self, folder: Path, task: Task):
        self.path = folder / f"{task.kind}_{task.index:03d}.task"
        self._who = f"{task.kind} {task.index}"

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Shows this process while the block runs.

        Raises:
            ValueError: Another process with this index runs.
        """
        other = self._other()
        if other is not None and self._is_alive(other):
            raise self._refusal(other)
        self._write()
        try:
            with heartbeat(self.path):
                yield
        finally:
            with contextlib.suppress(OSError):
                if self._other() is None:
                    self.path.unlink(missing_ok=True)
                self.path.parent.rmdir()

    def check(self) -> None:
        """Checks that no other process has taken the index.

        Raises:
            ValueError: Another one has.
        """
        other = self._other()
        if other is not None:
            raise self._refusal(other)
        # A chief that ends removes the files of all tasks.
        if not self.path.exists():
            self._write()

    def _write(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.path, ".task") as name:
            Path(name).write_text(Process.current().name, encoding="ascii")

    def _other(self):
        """Returns the other process that has the index, or `None`."""
        try:
            text = read_bytes(self.path.parent, self.path.name, _MOST_BYTES)
        except DamagedError:
            return None
        found = Process.from_name(text.decode("ascii", errors="replace"))
        return None if found == Process.current() else found

    def _is_alive(self, process):
        if process.is_here:
            return not process.is_gone
        silence, began = Silence(), time.monotonic()
        while time.monotonic() - began < LOOK_SECONDS:
            try:
                silence.seconds(self.path)
            except OSError:
                return False
            if silence.has_changed(self.path):
                return True
            time.sleep(HEARTBEAT_SECONDS / 4)
        return False

    def _refusal(self, other):
        where = "this machine" if other.is_here else "another machine"
        return ValueError(
            f"Two processes have the same task of TF_CONFIG: this one and process {other.pid} of "
            f"{where} are both {self._who}, and this one ends. Give each process an index of its "
            "own, and start this one again."
        )


def remove_task_files(folder: Path) -> None:
    """Removes the files of all tasks, also of those that were killed."""
    for path in folder.glob("*.task"):
        if _NAME.fullmatch(path.name):
            path.unlink(missing_ok=True)
