"""Which process has written a file, and whether it still runs."""

import dataclasses
import functools
import hashlib
import os
import re
import socket
import sys
from pathlib import Path

_NAME = re.compile(r"([0-9a-f]{12})-(\d+)-(\d+)")


@dataclasses.dataclass(frozen=True)
class Process:
    """A process, as named in the files that it writes.

    A process id alone is not enough: ids are used again, and those of other machines, and of
    containers on the same one, say nothing here.

    Args:
        machine: 12 hexadecimal digits for the running system (since it was booted) and the
            container in which the id counts.
        pid: Process id.
        started: When it started, in the system's clock ticks since boot; 0 if unknown.
    """

    machine: str
    pid: int
    started: int

    @classmethod
    def current(cls) -> "Process":
        """Returns this process."""
        pid = os.getpid()
        return cls(this_machine(), pid, _started(pid) or 0)

    @classmethod
    def from_name(cls, text: str) -> "Process | None":
        """Returns the process that a text begins with, as `name` gives it; or `None`."""
        found = _NAME.match(text)
        return found and cls(found[1], int(found[2]), int(found[3]))

    @property
    def name(self) -> str:
        """Text for file names, without the characters that any file system forbids."""
        return f"{self.machine}-{self.pid}-{self.started}"

    @property
    def is_here(self) -> bool:
        """Whether it belongs to this machine and container, since the last boot."""
        return self.machine == this_machine()

    @property
    def is_gone(self) -> bool:
        """Whether it has certainly ended; always false for a process of another machine."""
        if not self.is_here:
            return False
        found = _started(self.pid)
        return found is None or found != self.started


@functools.cache
def this_machine() -> str:
    """Returns 12 hexadecimal digits for this machine, its last boot and this container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        place = f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        place = socket.gethostname()
    return hashlib.sha256(place.encode(errors="replace")).hexdigest()[:12]


def _started(pid):
    """Returns when a process of this machine started, 0 if unknown, `None` if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None if sys.platform == "linux" else _started_elsewhere(pid)
    # The second field is a name in parentheses, which may contain both spaces and parentheses.
    fields = text.rpartition(")")[2].split()
    # A zombie has ended, though its parent has not asked for its status yet; but a killed process
    # may still have other threads, with open files, when its first one is a zombie.
    ended = fields[0] in "ZX" and int(fields[17]) <= 1
    return None if ended else int(fields[19])


def _started_elsewhere(pid):
    # On Windows, `os.kill` ends a process whatever the signal.
    if sys.platform == "win32":
        return 0
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    return 0
