"""Several processes on one folder: who may train, who takes over, and who only reads.

    python benchmarks/leases.py [--part starts|locks|kills|reads ...] [--quick]

starts: two processes begin to search in one folder at random times. One trains, the other must be
    refused in seconds, and the folder must load to what the first one reported.
locks: the same where the file system has no locks, and no links.
kills: the process that trains is killed at random moments, another takes the folder over and must
    end where an undisturbed search does (see kill_resume.py).
reads: while one process trains, others load what is there, evaluate it and export it.

With --quick all searches are of this process.
"""

import argparse
import contextlib
import errno
import fcntl
import functools
import io
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from unittest import mock

# Where this is run as a script, only its own folder can be imported from.
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from benchmarks import kill_resume

REFUSED = "refused: "


def searching(folder, given, callbacks=()):
    """Searches in this process, where asked for as if on a file system without locks."""
    # What only reads needs a search that goes on, whether or not it improves.
    more = {"force_grow": True} if given.force_grow else {}
    with contextlib.ExitStack() as stack:
        if given.without_locks:
            for module, name in ((fcntl, "flock"), (fcntl, "lockf"), (os, "link"), (os, "symlink")):
                stack.enter_context(mock.patch.object(module, name, refuse))
        kill_resume.search(folder, given, callbacks, **more)


def refuse(*arguments, **named):
    """Stands for a call that the file system does not know."""
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def loads_to_what_was_reported(folder):
    """Whether a folder holds the search that the process has reported which trained there."""
    import numpy as np

    import adaptive_nets as an

    loaded = kill_resume.reported(an.AdaNet.load(folder))
    with np.load(f"{folder}.npz") as kept:
        stored = [kept[name] for name in kept.files]
    return len(stored) == len(loaded) and all(map(np.array_equal, stored, loaded))


class Run:
    """A process that searches, what it has printed, and when it began and ended.

    Args:
        start: Function that starts this file with arguments.
        folder: The folder.
        given: The settings of the search, with `without_locks` and `force_grow`.
    """

    def __init__(self, start, folder, given):
        more = [f"--{name}" for name in ("without_locks", "force_grow") if getattr(given, name)]
        self.process = start(*kill_resume.worker_arguments(folder, given), *more)
        self.printed, self.ready, self.ended = [], None, None
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.printed.append(line.strip())
            now = time.perf_counter()
            if line == "ready\n":
                self.ready = now
            elif self.ended is None:
                self.ended = now

    def wait(self):
        """Waits for the end; returns the exit status."""
        status = self.process.wait(timeout=600)
        self._thread.join()
        return status

    @property
    def refusal(self):
        """The line by which it was refused, or `None`."""
        return next((line for line in self.printed if line.startswith(REFUSED)), None)


def two_processes(folder, given, offset, start):
    """Starts two searches in one folder; returns how it ended."""
    first = Run(start, folder, given)
    time.sleep(offset)
    both = [first, Run(start, folder, given)]
    statuses = [each.wait() for each in both]
    if any(statuses):
        raise RuntimeError(f"The searches ended with {statuses}: {[r.printed for r in both]}.")
    refused = [each for each in both if each.refusal]
    seconds = [each.ended - each.ready for each in refused]
    return len(refused), max(seconds, default=0.0), offset


def two_here(folder, given, offset, start=None):
    """As `two_processes`, but the second search begins within the first, in this process."""
    from keras.callbacks import LambdaCallback

    found = []

    def second(step, logs=None):
        if not found:
            began, printed = time.perf_counter(), io.StringIO()
            with contextlib.redirect_stdout(printed):
                kill_resume.search(folder, given)
            seconds = time.perf_counter() - began
            found.append((printed.getvalue().count(REFUSED), seconds, offset))

    searching(folder, given, [LambdaCallback(on_train_batch_end=second)])
    return found[0]


def starts(given, place, name="starts", without_locks=False):
    """Two searches at once, again and again."""
    moments, found = random.Random(given.seed), []
    given = argparse.Namespace(**{**vars(given), "without_locks": without_locks})
    run = two_here if given.quick else two_processes
    start = functools.partial(kill_resume.new_process, script=__file__)
    whole = None
    for number in range(given.starts):
        folder = place / f"{name}_{number}"
        refused, seconds, offset = run(folder, given, moments.uniform(0, 2), start)
        loads = loads_to_what_was_reported(folder)
        equal = whole is None or kill_resume.same(whole, folder)
        whole = whole or folder
        found.append({"refused": refused, "seconds": seconds, "loads": loads, "equal": equal})
        print(
            f"{name} {number + 1}, {offset:.2f} s apart: {refused} of 2 refused, after "
            f"{seconds:.2f} s; loads to what was reported: {loads}; as the first: {equal}",
            flush=True,
        )
        shutil.rmtree(folder)
    return {
        "starts": len(found),
        "one won": sum(each["refused"] == 1 for each in found),
        "loads": sum(each["loads"] and each["equal"] for each in found),
        "slowest refusal, s": max(each["seconds"] for each in found),
    }


def locks(given, place):
    """The same without locks."""
    return starts(given, place, "locks", without_locks=True)


def kills(given, place):
    """The owner is killed at random moments."""
    run = kill_resume.attempt_here if given.quick else kill_resume.attempt
    found = kill_resume.compare(given, place, run, (signal.SIGKILL,))
    return {"kills": found["kills"], "equal": found["equal"]}


def read(kind, count, folder):
    """Loads a search that another process goes on with, and evaluates or exports it, each time."""
    import psutil
    from sklearn.datasets import load_digits

    import adaptive_nets as an

    x, y = load_digits(return_X_y=True)
    memory = psutil.Process().memory_info
    seconds, errors, rounds, held = [], [], set(), []
    while len(seconds) < count:
        began = time.perf_counter()
        try:
            search = an.AdaNet.load(folder)
            rounds.add(search.state.iteration)
            if kind == "evaluate":
                search.evaluate(x[1400:], y[1400:])
            else:
                search.export(f"{folder}_exports/{len(seconds) % 3}")
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
        seconds.append(time.perf_counter() - began)
        held.append(memory().rss / (1 << 20))
    ordered = sorted(seconds)
    return {
        "calls": count,
        "errors": errors,
        "rounds seen": len(rounds),
        "p50, s": ordered[count // 2],
        "p99, s": ordered[min(count - 1, int(0.99 * count))],
        # The first calls load libraries.
        "MiB a call": (held[-1] - held[count // 2]) / max(1, count - 1 - count // 2),
    }


KINDS = ("evaluate", "export")


def readers(given, place):
    """A process trains while two others read, one a kind; returns what these say."""
    from adaptive_nets.adanet.checkpoints.reader import ModelDirReader

    folder = place / "reads"
    start = functools.partial(kill_resume.new_process, script=__file__)
    # Rounds end while others read.
    more = {"rounds": 1000, "steps": 4 * given.steps, "force_grow": True}
    long = argparse.Namespace(**{**vars(given), **more})
    training = Run(start, folder, long)
    try:
        # The first state is written before anything is trained.
        while ModelDirReader(folder).newest_with_ensemble() is None:
            if training.process.poll() is not None:
                raise RuntimeError(f"The search ended: {training.printed}.")
            time.sleep(0.1)
        run = [start("--read", kind, str(folder), f"--reads={given.reads}") for kind in KINDS]
        found = [json.loads(each.communicate()[0].splitlines()[-1]) for each in run]
        if training.process.poll() is not None:
            raise RuntimeError("The search ended before all had read.")
        training.process.send_signal(signal.SIGTERM)
        status = training.wait()
        if status != -signal.SIGTERM:
            raise RuntimeError(f"The search failed with status {status}: {training.printed}.")
    finally:
        training.process.kill()
    return dict(zip(KINDS, found, strict=True))


def readers_here(given, place):
    """As `readers`, but between the rounds of a search of this process."""
    import adaptive_nets as an

    folder, found = place / "reads", {}

    class Reads(an.callbacks.SearchCallback):
        def on_round_begin(self, iteration, logs=None):
            if iteration == 2:
                found.update({kind: read(kind, given.reads, folder) for kind in KINDS})

    kill_resume.search(folder, given, [Reads()])
    return found


def reads(given, place):
    """Evaluations and exports while another process trains."""
    found = (readers_here if given.quick else readers)(given, place)
    for kind, figures in found.items():
        print(f"{kind}: {figures}", flush=True)
    return found


PARTS = {part.__name__: part for part in (starts, locks, kills, reads)}
QUICK = {"starts": 1, "kills": 1, "reads": 2, "rounds": 2, "steps": 12}


def main(argv=None):
    """Returns the figures by part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--starts", type=int, default=20, help="of two processes (default: 20)")
    parser.add_argument("--kills", type=int, default=20, help="SIGKILLs (default: 20)")
    parser.add_argument("--reads", type=int, default=100, help="of each kind (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments, and of the search")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the search (default: 3)")
    parser.add_argument("--steps", type=int, default=8000, help="of a round (default: 8000)")
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--without_locks", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--force_grow", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--read", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.worker:
        return searching(given.worker, given)
    if given.read:
        kind, folder = given.read
        print(json.dumps(read(kind, given.reads, folder)), flush=True)
        return None
    if given.quick:
        vars(given).update(QUICK)
    with tempfile.TemporaryDirectory(prefix="leases_") as place:
        found = {}
        for name in given.part:
            (pathlib.Path(place) / name).mkdir()
            found[name] = PARTS[name](given, pathlib.Path(place) / name)
    print(json.dumps(found))
    return found


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
