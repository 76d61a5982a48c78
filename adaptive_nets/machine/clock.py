"""The seconds in which this process could run: what limits on time are measured in."""

import contextlib
import threading
import time
from collections.abc import Iterator

TICK_SECONDS = 0.25

# Between two ticks of a process that runs there is never as much time as this.
LONGEST_GAP = 2.0

# A process that was stopped has used less than this share of the time; one that was only busy in
# a library that lets no other thread run has used more.
MOST_USED = 0.05


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
        ended = threading.Event()

        def tick():
            while not ended.wait(TICK_SECONDS):
                self.now()

        self.now()
        self._watchers += 1
        thread = threading.Thread(target=tick, name="clock", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self._watchers -= 1


_CLOCK = Clock()
now, watching = _CLOCK.now, _CLOCK.watching
