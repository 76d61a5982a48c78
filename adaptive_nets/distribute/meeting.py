"""Processes of a cluster meet before TensorFlow connects them.

TensorFlow waits for the last of them, for an hour and without a word, also for one that has died.
"""

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator

from absl import logging

from adaptive_nets.distribute.cluster import TRAINING, Task
from adaptive_nets.distribute.lost import WorkersLostError

# How long processes wait for each other, unless this variable of the environment says otherwise.
VARIABLE, SECONDS = "ADAPTIVE_NETS_CLUSTER_SECONDS", 50.0
POLL_SECONDS = 0.1
_HELLO, _GO, _MET, _LOST = b"adaptive_nets ", b"go", b"met", b"lost "
_WELCOME, _TWICE = b"welcome", b"twice "
_LONGEST = 4096


@contextlib.contextmanager
def met(task: Task, seconds: float | None = None) -> Iterator[None]:
    """Waits for all processes of a cluster that train, and watches them while the block runs.

    They meet at the address of the chief. While TensorFlow connects them, which nothing can
    interrupt, the loss of a process ends this one, with an error on stderr.

    Args:
        task: This process's task.
        seconds: How long to wait. Defaults to `None`: 50, or what the environment variable
            `ADAPTIVE_NETS_CLUSTER_SECONDS` says.

    Raises:
        ValueError: Another process with the same task has come already.
        WorkersLostError: One of them has not come, or has been lost.
    """
    addresses = [a for kind in TRAINING for a in task.cluster.get(kind, ())]
    names = [
        f"{kind} {index}" for kind in TRAINING for index in range(len(task.cluster.get(kind, ())))
    ]
    told = [f"{name} ({address})" for name, address in zip(names, addresses, strict=True)]
    meeting = _Meeting(told, task.rank, _seconds() if seconds is None else seconds)
    address, _, port = addresses[0].rpartition(":")
    try:
        with meeting.entered(address.strip("[]"), int(port)):
            yield
    finally:
        meeting.close()


def _seconds():
    given = os.environ.get(VARIABLE, "").strip()
    try:
        found = float(given) if given else SECONDS
    except ValueError:
        found = -1.0
    if not found > 0:
        raise ValueError(
            f"{VARIABLE} must be a number of seconds > 0. Received: {VARIABLE}={given!r}."
        )
    return found


class _Meeting:
    """One process's part of a meeting.

    Args:
        told: What to call each process, by rank.
        rank: This process.
        seconds: How long to wait.
    """

    def __init__(self, told, rank, seconds):
        self.told, self.rank, self.seconds = told, rank, seconds
        self.links: dict[int, _Link] = {}
        self.over = threading.Event()

    @contextlib.contextmanager
    def entered(self, host, port):
        if self.rank == 0:
            self._host(port)
        else:
            self._visit(host, port)
        watch = threading.Thread(target=self._watch, name="meeting", daemon=True)
        watch.start()
        try:
            yield
        finally:
            self.over.set()
            watch.join()
        for link in self.links.values():
            link.send(_MET)

    def close(self):
        for link in self.links.values():
            link.close()

    def _host(self, port):
        """Waits, as the chief, until all have come."""
        try:
            server = socket.create_server(("", port))
        except OSError as error:
            raise ValueError(
                f"The port of {self.told[0]}, this process's task of TF_CONFIG, cannot be used: "
                f"{error.strerror}. Another process may have the same task, or another program may "
                "listen there. Give each process a task of its own, or the chief another port."
            ) from None
        with server:
            server.settimeout(POLL_SECONDS)
            waiting, began, warned = [], time.monotonic(), False
            while len(self.links) < len(self.told) - 1:
                with contextlib.suppress(TimeoutError):
                    waiting.append(_Link(server.accept()[0]))
                for link in list(waiting):
                    line = link.line()
                    if line is not None:
                        waiting.remove(link)
                        self._welcome(link, line)
                self.links = {r: link for r, link in self.links.items() if link.alive()}
                elapsed = time.monotonic() - began
                if elapsed > self.seconds:
                    text = self._missing()
                    for link in self.links.values():
                        link.send(_LOST + text.encode())
                    raise WorkersLostError(text)
                warned = warned or self._warn(elapsed)
        for link in self.links.values():
            link.send(_GO)

    def _welcome(self, link, line):
        rank = line.removeprefix(_HELLO).decode(errors="replace")
        known = line.startswith(_HELLO) and rank.isdigit() and 0 < int(rank) < len(self.told)
        before = self.links.get(int(rank)) if known else None
        if before is not None and before.alive():
            logging.warning("Refused a second process that is %s.", self.told[int(rank)])
            link.send(_TWICE)
        elif known:
            link.send(_WELCOME)
            self.links[int(rank)] = link
            return
        link.close()

    def _visit(self, host, port):
        """Waits, as a worker, for the chief's word that all have come."""
        link, began, warned = None, time.monotonic(), False
        answered = welcome = greeted = False
        while True:
            if link is None:
                with contextlib.suppress(OSError):
                    link = _Link(socket.create_connection((host, port), timeout=POLL_SECONDS))
                    link.send(_HELLO + str(self.rank).encode())
                    answered = True
            line = link.line() if link is not None else None
            if line == _GO:
                self.links = {0: link}
                return
            if line is not None and line.startswith(_LOST):
                raise WorkersLostError(line.removeprefix(_LOST).decode(errors="replace"))
            if line == _TWICE:
                raise ValueError(
                    f"Two processes have the same task of TF_CONFIG: another one that is "
                    f"{self.told[self.rank]} waits for the cluster already, and this one ends. "
                    "Give each process an index of its own, and start this one again."
                )
            if line == _WELCOME:
                welcome = greeted = True
            elif line is not None:
                # The chief has ended, and may be started again; or something else answers there,
                # such as TensorFlow in a chief whose cluster has met.
                link.close()
                link, welcome = None, False
            elapsed = time.monotonic() - began
            # The chief says by then who else is missing.
            if elapsed > self.seconds + (3.0 if welcome else 0.0):
                if answered and not greeted:
                    raise ValueError(
                        f"{self.told[0]} answers, but waits for no process. Its cluster has met "
                        f"already, and another process is {self.told[self.rank]}; or another "
                        "program listens there. Give each process a task of TF_CONFIG of its own. "
                        "To start a cluster again, end all of its processes first."
                    )
                raise WorkersLostError(self._missing([0]))
            warned = warned or self._warn(elapsed)
            time.sleep(POLL_SECONDS)

    def _warn(self, elapsed):
        if elapsed < 10:
            return False
        whom = self._absent() if self.rank == 0 else self.told[0]
        logging.warning("Waiting for %s of the cluster.", whom)
        return True

    def _absent(self):
        return ", ".join(n for r, n in enumerate(self.told) if r and r not in self.links)

    def _missing(self, ranks=None):
        whom = self._absent() if ranks is None else ", ".join(self.told[r] for r in ranks)
        return (
            f"The cluster has not met: {whom} has not come within {self.seconds:g} s, or has died. "
            "Start all tasks of TF_CONFIG at about the same time, and start them again if one "
            f"dies. Where they start far apart, set {VARIABLE} to the seconds to wait."
        )

    def _watch(self):
        """Ends this process if another one is lost while TensorFlow connects them."""
        waiting = dict(self.links)
        while waiting and not self.over.wait(POLL_SECONDS):
            for rank, link in list(waiting.items()):
                line = link.line()
                if line == _MET:
                    del waiting[rank]
                elif line is not None and not self.over.is_set():
                    sys.stderr.write(
                        f"WorkersLostError: {self.told[rank]} was lost while the cluster met. "
                        "Start all tasks again.\n"
                    )
                    sys.stderr.flush()
                    os.abort()


class _Link:
    """A connection on which short lines are sent."""

    def __init__(self, connection):
        self.connection, self._text = connection, b""
        connection.setblocking(False)

    def send(self, line):
        with contextlib.suppress(OSError):
            self.connection.sendall(line.replace(b"\n", b" ")[: _LONGEST - 1] + b"\n")

    def line(self):
        """Returns the next line, `b""` if the other side has ended, or `None`: nothing yet."""
        while b"\n" not in self._text:
            try:
                more = self.connection.recv(_LONGEST)
            except BlockingIOError:
                return None
            except OSError:
                return b""
            if not more:
                return b""
            self._text += more
            if len(self._text) > _LONGEST and b"\n" not in self._text:
                return self._text
        found, _, self._text = self._text.partition(b"\n")
        return found

    def alive(self):
        try:
            return self.connection.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self):
        with contextlib.suppress(OSError):
            self.connection.close()
