"""What ends a process from outside lets a search save its state first."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

from absl import logging

# Ctrl-C, and what batch systems, containers and closed terminals send.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class TerminatedError(KeyboardInterrupt):
    """A signal has asked the process to end."""


class _Held:
    """What signals have asked for while they were held back, in the main thread."""

    depth = 0
    waiting: list = []  # noqa: RUF012 (one for all)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Lets SIGTERM and SIGHUP end the block as Ctrl-C does, and then the process as usual.

    Within it, `held_back` holds for Ctrl-C as well, and for handlers of the user's own, which are
    called as ever. Ignored signals stay ignored. In another than the main thread nothing changes:
    Python handles signals in that one alone.
    """
    if not _in_main_thread():
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

    taken = {}
    for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
        before = signal.getsignal(number)
        if before is signal.SIG_DFL:
            taken[number] = (before, _holding(stop))
        elif callable(before):
            taken[number] = (before, _holding(before))
    for number, (_, handler) in taken.items():
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, (before, handler) in taken.items():
            if signal.getsignal(number) is handler:
                signal.signal(number, before)
        if received:
            name = signal.Signals(received[0]).name
            logging.warning("%s: the search has been stopped; fit goes on from its state.", name)
            # The system ends a process without what Python would still write.
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):
                    stream.flush()
            signal.raise_signal(received[0])


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Lets signals wait until the block has ended, so that what it changes is whole by then.

    Only for what takes moments, and only where `ended_by_signals` handles them.
    """
    if not _in_main_thread():
        yield
        return
    _Held.depth += 1
    try:
        yield
    finally:
        _Held.depth -= 1
        while _Held.waiting and not _Held.depth:
            handler, number, frame = _Held.waiting.pop(0)
            handler(number, frame)


def _holding(handler):
    def handle(number, frame):
        if _Held.depth:
            _Held.waiting.append((handler, number, frame))
        else:
            handler(number, frame)

    return handle


def _in_main_thread():
    return threading.current_thread() is threading.main_thread()
