"""What ends a process from outside lets a search save its state first."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

from absl import logging

# What batch systems, containers and closed terminals send. Ctrl-C (SIGINT) is Python's own affair.
_NAMES = ("SIGTERM", "SIGHUP")


class TerminatedError(KeyboardInterrupt):
    """A signal has asked the process to end."""


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Lets SIGTERM and SIGHUP end the block as Ctrl-C does, and then the process as usual.

    Only signals whose action is the system's default are taken, and only in the main thread, where
    Python handles them. A handler of the user's own stays: what it raises ends the block too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    process, received = os.getpid(), []

    def stop(number, frame):
        if os.getpid() != process:
            # A forked child, which has nothing to save.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        # A second one does not disturb the saving that the first one has led to.
        elif not received:
            received.append(number)
            raise TerminatedError

    known = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    taken = [number for number in known if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in taken:
            if signal.getsignal(number) is stop:
                signal.signal(number, signal.SIG_DFL)
        if received:
            name = signal.Signals(received[0]).name
            logging.warning("%s: the search has been stopped; fit goes on from its state.", name)
            # The system ends a process without what Python would still write.
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):
                    stream.flush()
            signal.raise_signal(received[0])
