"""Kills a search again and again (SIGKILL), goes on each time, and compares the ends bit by bit.

    python benchmarks/kill_resume.py --kills 10 --seed 0

An undisturbed process searches digits. Others search in a folder of their own and are killed
at random moments; while they run, every file is read as soon as it has its name. The final
leaderboards (all but the seconds) and all weights of the models must be equal.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_integer("kills", 10, "SIGKILLs, in all.", lower_bound=0)
flags.DEFINE_integer("seed", 0, "Of the moments, and of the search.")
flags.DEFINE_integer("rounds", 3, "Rounds of the search.", lower_bound=1)
flags.DEFINE_integer("steps", 8000, "Steps of a round.", lower_bound=1)
flags.DEFINE_string("worker", None, "Folder to search in: what the killed processes are given.")


def search(folder):
    """Searches in a folder, going on from what is there; writes the result beside it."""
    import numpy as np
    from sklearn.datasets import load_digits

    import adaptive_nets as an

    x, y = load_digits(return_X_y=True)
    net = an.AdaNet(
        an.heads.MultiClass(),
        max_iterations=FLAGS.rounds,
        steps_per_iteration=FLAGS.steps,
        model_dir=folder,
        seed=FLAGS.seed,
        checkpoint_seconds=0,
    )
    print("ready", flush=True)
    net.fit(x[:1400], y[:1400], validation_data=(x[1400:], y[1400:]), verbose=0)
    board = net.leaderboard().drop(columns="seconds").to_json(double_precision=15)
    np.savez(f"{folder}.npz", np.array(board), *net.model.get_weights())
    print("done", flush=True)


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


def new_process(*arguments):
    """Starts this file anew; what it prints can be read while it runs."""
    command = [sys.executable, os.path.abspath(__file__), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def attempt(folder, start, delay=None):
    """Runs a process, killed `delay` seconds after it is ready; returns (done, seconds, files)."""
    seen = set()
    given = [f"--{name}={FLAGS[name].value}" for name in ("seed", "rounds", "steps")]
    process = start("--worker", str(folder), *given)
    try:
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("The search did not begin.")
        began = time.perf_counter()
        while process.poll() is None:
            left = 60.0 if delay is None else delay - (time.perf_counter() - began)
            if left <= 0:
                process.send_signal(signal.SIGKILL)
                break
            check(folder, seen)
            time.sleep(min(left, 0.05))
        done = "done" in process.stdout.read()
        seconds = time.perf_counter() - began
        status = process.wait()
        if status not in (0, -signal.SIGKILL):
            raise RuntimeError(f"The search failed with status {status}.")
    finally:
        process.kill()
        process.wait()
    check(folder, seen)
    return done, seconds, len(seen)


def same(one, other):
    """Whether two results are equal, bit by bit."""
    import numpy as np

    with np.load(f"{one}.npz") as a, np.load(f"{other}.npz") as b:
        return a.files == b.files and all(np.array_equal(a[n], b[n]) for n in a.files)


def compare(start=new_process):
    """Compares, and says what came out; the status is 1 where something differs.

    `start` starts this file in a process of its own, with the flags it is given.
    """
    moments = random.Random(FLAGS.seed)
    place = Path(tempfile.mkdtemp(prefix="kill_resume_"))
    try:
        whole = place / "undisturbed"
        done, seconds, files = attempt(whole, start)
        print(f"undisturbed: {seconds:.1f} s, {files} files written and read", flush=True)
        kills, results = 0, []
        folder = place / "killed_0"
        while True:
            # Half a search at most, so that each is killed a few times and gets on all the same.
            delay = moments.uniform(0, seconds / 2) if kills < FLAGS.kills else None
            done, lasted, files = attempt(folder, start, delay)
            if not done:
                kills += 1
                names = sorted(p.name for p in folder.glob("[cs]*-*") if p.is_file())
                print(
                    f"kill {kills} after {lasted:.2f} s: {files} files read, all whole; "
                    f"left {', '.join(names)}",
                    flush=True,
                )
                continue
            results.append(same(whole, folder))
            print(f"search {len(results)} done: {'equal' if results[-1] else 'DIFFERENT'}")
            if kills >= FLAGS.kills:
                break
            folder = place / f"killed_{len(results)}"
        verdict = "all equal" if all(results) else "DIFFERENT"
        print(f"{kills} kills, {len(results)} searches finished: {verdict}; nothing corrupt")
        return 0 if all(results) else 1
    finally:
        shutil.rmtree(place, ignore_errors=True)


def main(_):
    """A process of the benchmark: the one that compares, or one that searches."""
    if not FLAGS.worker:
        return compare()
    search(FLAGS.worker)
    return 0


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    app.run(main)
