"""Runs a small search in unusual surroundings, and compares the ends bit by bit.

    python benchmarks/machines.py [--only NAME ...] [--quick]

Each search is a process of its own that trains, saves, exports, and predicts in a new process with
what the first one has left. Names, limits and streams are those of the table that is printed. With
--quick only the first surroundings are tried, in this process.
"""

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def limited(kind, most):
    """Returns what limits a resource of the process that calls it."""
    return lambda: resource.setrlimit(getattr(resource, kind), (most, most))


# What surrounds a search: environment variables, what its process does first, its folder, options.
SURROUNDINGS = {
    "usual": {},
    "no HOME": {"without": ("HOME", "USER", "LOGNAME")},
    "HOME that is not there": {"env": {"HOME": "/not/there"}},
    "C locale, ASCII": {
        "env": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0",
                "PYTHONIOENCODING": "ascii"},
        "folder": "Ordner_ä_文",
    },
    "stdin closed": {"before": lambda: os.close(0)},
    "stdout closed": {"before": lambda: os.close(1)},
    "stderr closed": {"before": lambda: os.close(2)},
    "all streams closed": {"before": lambda: [os.close(n) for n in range(3)]},
    "umask 077": {"before": lambda: os.umask(0o077)},
    "umask 000": {"before": lambda: os.umask(0)},
    "64 open files": {"before": limited("RLIMIT_NOFILE", 64)},
    "no core, 8 MiB stack": {"before": limited("RLIMIT_STACK", 8 << 20)},
    "path of 230 characters": {"folder": "x" * 115 + "/" + "y" * 115},
    "spaces, quotes, a line end": {"folder": "a 'b' \"c\"\n%d {e} [f]*"},
    "python -O": {"options": ["-O"]},
    "python -OO": {"options": ["-OO"]},
    "a session of its own": {"before": os.setsid},
    "no temporary folder": {"env": {"TMPDIR": "/not/there"}},
}  # fmt: skip


def search(folder):
    """Searches in a folder and exports; with a search there already, predicts."""
    import numpy as np

    import adaptive_nets as an

    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 5)).astype("float32")
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    kept = Path(folder, "search")
    if kept.exists():
        found = an.AdaNet.load(kept).predict(x, "logits")
    else:
        net = an.AdaNet(
            an.heads.BinaryClass(), an.generators.Dense(8, [1]), max_iterations=2,
            steps_per_iteration=20, force_grow=True, model_dir=kept, seed=0, jit_compile=False,
            checkpoint_seconds=0,
        )  # fmt: skip
        net.fit(x, y, verbose=1)
        net.export(Path(folder, "export"))
        found = net.predict(x, "logits")
    np.save(Path(folder, "logits.npy"), found)


def attempt(place, given):
    """Runs two processes, one that searches and one that predicts; returns what was wrong."""
    folder = Path(place, given.get("folder", "folder"))
    folder.mkdir(parents=True)
    env = {**os.environ, **given.get("env", {})}
    for name in given.get("without", ()):
        env.pop(name, None)
    command = [sys.executable, *given.get("options", []), os.path.abspath(__file__)]
    for _ in range(2):
        ended = subprocess.run(
            [*command, "--worker", str(folder)], env=env, capture_output=True,
            preexec_fn=given.get("before"), check=False, timeout=600,
        )  # fmt: skip
        if ended.returncode:
            lines = ended.stderr.decode(errors="replace").strip().splitlines()
            return f"ended with {ended.returncode}: {lines[-1] if lines else ''}"
    return folder


def attempt_here(place, given):
    """As `attempt`, in this process."""
    folder = Path(place, "here")
    folder.mkdir()
    with contextlib.redirect_stdout(None):
        search(folder)
        search(folder)
    return folder


def compare(names, attempt):
    """Tries the surroundings, prints what came of each, and returns it."""
    import numpy as np

    found, first = {}, None
    for name in names:
        with tempfile.TemporaryDirectory(prefix="machines_") as place:
            began = time.perf_counter()
            folder = attempt(place, SURROUNDINGS[name])
            seconds = time.perf_counter() - began
            if isinstance(folder, str):
                found[name] = folder
            else:
                logits = np.load(folder / "logits.npy")
                first = logits if first is None else first
                found[name] = "equal" if np.array_equal(first, logits) else "DIFFERENT"
            print(f"{name:<28}{seconds:6.1f} s  {found[name]}", flush=True)
    return found


def main(argv=None):
    """Tries the surroundings; returns what came of each by name."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=SURROUNDINGS, help="surroundings to try")
    parser.add_argument("--worker", help="folder to search in: what the processes are given")
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    given = parser.parse_args(argv)
    if given.worker:
        search(given.worker)
        return None
    if given.quick:
        return compare(["usual"], attempt_here)
    names = ["usual", *(name for name in given.only or SURROUNDINGS if name != "usual")]
    return compare(names, attempt)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    found = main()
    sys.exit(found is not None and set(found.values()) != {"equal"})
