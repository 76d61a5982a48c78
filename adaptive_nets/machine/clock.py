"""The seconds in which this process could run: what limits on time are measured in."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

TICK_SECONDS = 0.25

# Between two ticks of a process that runs there is never as much time as this.
LONGEST_GAP = 2.0

# A process that was stopped has used less than this share of the time; one that was only busy in
# a library that lets no other thread run has used more.
MOST_USED = 0.05


@contextlib.contextmanager
def repeated(act: Callable[[], Any], seconds: float, name: str) -> Iterator[None]:
    """Calls a function again and again in a thread of its own while the block runs.

    Args:
        act: Function without arguments.
        seconds: Time between two calls, the first of which comes after it.
        name: Name of the thread.
    """
    ended = threading.Event()

    def run():
        while not ended.wait(seconds):
            act()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class Clock:
    """A clock that stands still while the process does.

    It does not go on while a process is stopped (SIGSTOP, Ctrl-Z, a frozen container) or, on
    Linux, the machine sleeps; and it does not follow changes of the date. Stops are noticed while
    `watching`: a thread that should have woken up has not, and no processor time was used.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._watchers, self._stopped = 0, 0.0
        self._ticked, self._used = time.perf_counter(), time.process_time()

    def now(self) -> float:
        """Returns the seconds since some moment in the past."""
        with self._lock:
            ticked, used = time.perf_counter(), time.process_time()
            gap = ticked - self._ticked
            if self._watchers and gap > LONGEST_GAP and used - self._used < MOST_USED * gap:
                self._stopped += gap
            self._ticked, self._used = ticked, used
            return ticked - self._stopped

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Notices stops while the block runs."""
        self.now()
        self._watchers += 1
        try:
            with repeated(self.now, TICK_SECONDS, "clock"):
                yield
        finally:
            self._watchers -= 1


_CLOCK = Clock()
now, watching = _CLOCK.now, _CLOCK.watching
