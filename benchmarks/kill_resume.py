"""Kills a search again and again, goes on each time, and compares the ends bit by bit.

    python benchmarks/kill_resume.py [--kills 10] [--seed 0] [--quick]

An undisturbed process searches digits. Others search in a folder of their own and are ended
at random moments, by SIGKILL, SIGTERM and SIGINT in turns; while they run, every file is read as
soon as it has its name. The final leaderboards (all but the seconds) and all weights of the models
must be equal. With --quick an error that a callback raises takes a kill's place, and all searches
are of this process.
"""

import argparse
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

# In turns. By the last two a search saves a checkpoint.
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)

QUICK = {"kills": 1, "rounds": 2, "steps": 12}


class KilledError(Exception):
    """Ends a search in the middle of a round."""


def search(folder, given, callbacks=(), **settings):
    """Searches in a folder, going on from what is there; writes the result beside it."""
    import numpy as np
    from sklearn.datasets import load_digits

    import adaptive_nets as an

    x, y = load_digits(return_X_y=True)
    net = an.AdaNet(
        an.heads.MultiClass(),
        max_iterations=given.rounds,
        steps_per_iteration=given.steps,
        model_dir=folder,
        seed=given.seed,
        checkpoint_seconds=0,
        **settings,
    )
    print("ready", flush=True)
    valid = (x[1400:], y[1400:])
    try:
        net.fit(x[:1400], y[:1400], validation_data=valid, callbacks=list(callbacks), verbose=0)
    except an.adanet.ModelDirInUseError as error:
        print(f"refused: {error}", flush=True)
        return
    np.savez(f"{folder}.npz", *reported(net))
    print("done", flush=True)


def reported(net):
    """What a search reports: its leaderboard without the seconds, and all weights."""
    import numpy as np

    board = net.leaderboard().drop(columns="seconds").to_json(double_precision=15)
    return [np.array(board), *net.model.get_weights()]


def check(folder, seen):
    """Reads every file that has come since; raises where one cannot be read."""
    for path in folder.rglob("*"):
        try:
            if path.suffix not in (".json", ".keras", ".npz") or path.name.startswith("."):
                continue
            stamp = (path, path.stat().st_mtime_ns)
            if stamp in seen:
                continue
            if path.suffix == ".json":
                json.loads(path.read_text())
            else:
                with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
                    if archive.testzip() is not None:
                        raise ValueError(f"{path} is corrupt.")
            seen.add(stamp)
        except FileNotFoundError:
            continue


def new_process(*arguments, script=__file__):
    """Starts a script, this one by default; what it prints can be read while it runs."""
    command = [sys.executable, os.path.abspath(script), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def worker_arguments(folder, given):
    """What a process is given that searches in a folder."""
    shared = [f"--{name}={getattr(given, name)}" for name in ("seed", "rounds", "steps")]
    return ["--worker", str(folder), *shared]


def attempt(folder, given, delay=None, ending=signal.SIGKILL, start=new_process):
    """Runs a process, ended `delay` seconds after it is ready; returns (done, seconds, files).

    `ending` is the signal that ends it; `start` starts this file in a process of its own, with the
    arguments it is given.
    """
    seen, process = set(), start(*worker_arguments(folder, given))
    try:
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("The search did not begin.")
        began = time.perf_counter()
        while process.poll() is None:
            left = 60.0 if delay is None else delay - (time.perf_counter() - began)
            if left <= 0:
                process.send_signal(ending)
                break
            check(folder, seen)
            time.sleep(min(left, 0.05))
        printed = process.stdout.read()
        if "refused: " in printed:
            raise RuntimeError(printed)
        done = "done" in printed
        seconds = time.perf_counter() - began
        status = process.wait(timeout=60)
        if status not in (0, -ending):
            raise RuntimeError(f"The search failed with status {status}.")
    finally:
        process.kill()
        process.wait()
    check(folder, seen)
    return done, seconds, len(seen)


def attempt_here(folder, given, delay=None, ending=None):
    """As `attempt`, but in this process, and ended by an error in its second compiled call."""
    from keras.callbacks import LambdaCallback

    began, seen, calls = time.perf_counter(), set(), itertools.count(1)

    def watch(step, logs=None):
        check(folder, seen)
        if next(calls) == 2 and delay is not None:
            raise KilledError

    done = True
    try:
        search(folder, given, [LambdaCallback(on_train_batch_end=watch)])
    except KilledError:
        done = False
    check(folder, seen)
    return done, time.perf_counter() - began, len(seen)


def same(one, other):
    """Whether two results are equal, bit by bit."""
    import numpy as np

    with np.load(f"{one}.npz") as a, np.load(f"{other}.npz") as b:
        return a.files == b.files and all(np.array_equal(a[n], b[n]) for n in a.files)


def compare(given, place, attempt, signals=SIGNALS):
    """Ends searches in a folder by signals in turns, prints what came out, and returns it."""
    moments = random.Random(given.seed)
    whole = place / "undisturbed"
    done, seconds, files = attempt(whole, given)
    print(f"undisturbed: {seconds:.1f} s, {files} files written and read", flush=True)
    kills, results = 0, []
    folder = place / "killed_0"
    while True:
        # Half a search at most, so that each is killed a few times and gets on all the same.
        delay = moments.uniform(0, seconds / 2) if kills < given.kills else None
        ending = signals[kills % len(signals)]
        done, lasted, read = attempt(folder, given, delay, ending=ending)
        if not done:
            kills += 1
            names = sorted(p.name for p in folder.glob("[cs]*-*") if p.is_file())
            print(
                f"kill {kills} ({ending.name}) after {lasted:.2f} s: {read} files read, all whole; "
                f"left {', '.join(names)}",
                flush=True,
            )
            continue
        results.append(same(whole, folder))
        print(f"search {len(results)} done: {'equal' if results[-1] else 'DIFFERENT'}")
        if kills >= given.kills:
            break
        folder = place / f"killed_{len(results)}"
    verdict = "all equal" if all(results) else "DIFFERENT"
    print(f"{kills} kills, {len(results)} searches finished: {verdict}; nothing corrupt")
    return {"kills": kills, "files": files, "equal": results}


def main(argv=None):
    """Compares; returns the number of kills, and which of the searches ended equal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10, help="signals, in all (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments, and of the search")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the search (default: 3)")
    parser.add_argument("--steps", type=int, default=8000, help="of a round (default: 8000)")
    parser.add_argument("--worker", help="folder to search in: what the killed processes are given")
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    given = parser.parse_args(argv)
    if given.worker:
        search(given.worker, given)
        return None
    if given.quick:
        vars(given).update(QUICK)
    with tempfile.TemporaryDirectory(prefix="kill_resume_") as place:
        return compare(given, Path(place), attempt_here if given.quick else attempt)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    found = main()
    sys.exit(found is not None and not all(found["equal"]))
