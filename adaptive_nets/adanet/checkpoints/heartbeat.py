"""Signs of life of a process that others see only through a file."""

import contextlib
import os
import time
from pathlib import Path

from adaptive_nets.machine.clock import repeated

# A process on another machine without a sign of life for this long is considered lost.
LOST_SECONDS = 20.0

HEARTBEAT_SECONDS = 1.0

# If an observer itself was stopped between two looks, that time says nothing about others.
_LONGEST_LOOK = 2.0


def heartbeat(path: Path) -> contextlib.AbstractContextManager[None]:
    """Touches a file every second while the block runs, even while it compiles."""

    def beat():
        # Others may have removed the file; that is noticed where it matters.
        with contextlib.suppress(OSError):
            os.utime(path)

    return repeated(beat, HEARTBEAT_SECONDS, "heartbeat")


class Silence:
    """How long files have not been touched, as observed by this process.

    Clocks of machines differ, so a file's time is never compared with a clock: what counts is
    whether it changes while this process watches.
    """

    def __init__(self):
        self._seen: dict[Path, tuple[int, float, float, bool]] = {}

    def seconds(self, path: Path) -> float:
        """Looks at a file; returns for how many seconds of watching it has not changed.

        Raises:
            OSError: The file is gone.
        """
        touched, now = _touched(path), time.monotonic()
        before, looked, silent, changed = self._seen.get(path, (touched, now, 0.0, False))
        if touched == before:
            silent += min(now - looked, _LONGEST_LOOK)
        else:
            silent, changed = 0.0, True
        self._seen[path] = (touched, now, silent, changed)
        return silent

    def has_changed(self, path: Path) -> bool:
        """Returns whether a file has changed since the first look at it."""
        return path in self._seen and self._seen[path][3]


def _touched(path):
    # A network file system may answer from memory unless the file is opened.
    try:
        with open(path, "rb") as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except PermissionError:
        return os.stat(path).st_mtime_ns
