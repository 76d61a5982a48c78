"""What a search takes at its limits: memory, seconds, files and threads, asked for and measured.

    python benchmarks/limits.py [--part mixture|classes|rows|predict|leaderboard|searches|rounds|
                                 candidates ...] [--quick]

Each part runs in a process of its own, whose peak of memory is read at the end. Memory is above
what the process has held after its imports. Seconds are those of the clock, and in brackets those
of the processor.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import psutil
import tensorflow as tf

import adaptive_nets as an

MIB = 1 << 20
PROCESS = psutil.Process()


class Peak:
    """The most memory that this process has held since, in MiB, and the seconds it took."""

    def __enter__(self):
        self._done = threading.Event()
        self.before = self.most = PROCESS.memory_info().rss
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        self._times = time.perf_counter(), time.process_time()
        return self

    def _watch(self):
        while not self._done.wait(0.02):
            self.most = max(self.most, PROCESS.memory_info().rss)

    def __exit__(self, *error):
        self.seconds = time.perf_counter() - self._times[0]
        self.processor = time.process_time() - self._times[1]
        self._done.set()
        self._thread.join()

    @property
    def above(self):
        return (self.most - self.before) / MIB


def normal(rows, columns, seed=0):
    """Random float32 numbers, drawn some rows at a time."""
    rng, x = np.random.default_rng(seed), np.empty((rows, columns), "float32")
    for start in range(0, rows, 4096):
        part = x[start : start + 4096]
        part[:] = rng.standard_normal(part.shape, dtype="float32")
    return x


def search(head, **settings):
    """A small search."""
    defaults = {"max_iterations": 1, "steps_per_iteration": 20, "seed": 0, "jit_compile": False}
    generator = settings.pop("generator", None) or an.generators.Dense(8, depths=[1])
    return an.AdaNet(head, generator, **{**defaults, **settings})


class Stub:
    """A member, of which the solver asks its complexity alone."""

    complexity = 1.0


def mixture(quick):
    """The mixture weights of several members of many classes."""
    rows, units, members = (300, 100, 2) if quick else (30_000, 10_000, 2)
    labels = np.random.default_rng(0).integers(0, units, rows).astype("int32")
    outputs = []
    with Peak() as made:
        for k in range(members):
            logits = normal(rows, units, k)
            logits[np.arange(rows), labels] += 4.0 / (1.0 + 0.3 * k)
            outputs.append({"logits": logits})
    ensembler = an.adanet.MixtureEnsembler("scalar", an.adanet.Penalty(1e-3))
    loss = an.heads.MultiClass(units).loss
    with Peak() as peak:
        solved = ensembler.fit(
            outputs, labels, None, members=[Stub()] * members, start=None, loss=loss
        )
    logits = sum(each["logits"].nbytes for each in outputs) / MIB
    show(f"mixture weights, {units:,} classes x {rows:,} rows x {members} members, s", 120, peak)
    ratio = (made.above + peak.above) / logits
    show("memory / the members' logits", 4, ratio)
    return {"seconds": peak.seconds, "memory / logits": ratio, "weights": list(solved.weights)}


def classes(quick):
    """A whole search with many classes."""
    rows, units = (300, 100) if quick else (30_000, 10_000)
    x = normal(rows, 32)
    y = np.arange(rows) % units
    done = 1 if quick else 2
    with Peak() as peak:
        made = search(an.heads.MultiClass(), max_iterations=done).fit(x, y, verbose=0)
    expect(made.state.iteration == done, f"the search has {done} rounds")
    show(f"{done} rounds of {units:,} classes x {rows:,} rows, MiB", 6 * 1024, peak.most / MIB)
    show("the same, s", "-", peak)
    return {"memory": peak.most / MIB, "seconds": peak.seconds}


def rows(quick):
    """A search on many wide rows, which are standardised."""
    count, columns = (3_000, 10) if quick else (1_000_000, 1_000)
    x = normal(count, columns)
    y = (x[:, 0] + x[:, 1] > 0).astype("int32")
    done = 1 if quick else 2
    with Peak() as peak:
        made = search(an.heads.BinaryClass(), max_iterations=done, steps_per_iteration=200)
        made.fit(x, y, batch_size=128, verbose=0)
    expect(made.state.iteration == done, f"the search has {done} rounds")
    show(f"{done} rounds on {count:,} rows x {columns:,} columns, MiB", 6 * 1024, peak.most / MIB)
    show("above the data and what was imported, MiB", "-", peak.above)
    show("the same, s", "-", peak)
    return {"memory": peak.most / MIB, "above": max(peak.above, 0.1), "seconds": peak.seconds}


def predict(quick):
    """Predictions of many rows, from an array and from a pipeline."""
    few, many, columns = (2_000, 4_000, 4) if quick else (1_000_000, 5_000_000, 8)
    x = normal(many, columns)
    made = search(an.heads.BinaryClass()).fit(x[:500], (x[:500, 0] > 0).astype("int32"), verbose=0)
    made.predict(x[:2048])
    found = {}
    for kind in ("array", "tf.data"):
        for count in (few, many):
            given = x[:count]
            if kind == "tf.data":
                given = tf.data.Dataset.range(count // 1000).map(
                    lambda k: tf.random.stateless_normal((1000, columns), tf.stack([k, k]))
                )
            with Peak() as peak:
                output = made.predict(given, output="probabilities", batch_size=4096)
            above = peak.above - output.nbytes / MIB
            show(f"{count:,} rows from {kind}, MiB above inputs and outputs", "flat", above)
            show("the same, s", "-", peak)
            found[f"{kind}, {count:,}"] = {"memory": above, "seconds": peak.seconds}
    return found


def leaderboard(quick):
    """The leaderboard of many rows, built and printed."""
    count = 200 if quick else 5_000
    x = normal(100, 3)
    made = search(an.heads.BinaryClass()).fit(x, (x[:, 0] > 0).astype("int32"), verbose=0)
    entry = made.state.entries[0]
    entries = tuple(
        dataclasses.replace(entry, round=1 + k // 100, candidate=f"grow_{k}", objective=k / count)
        for k in range(count)
    )
    made.adopt(made.context, dataclasses.replace(made.state, entries=entries))
    repr(made.leaderboard())
    with Peak() as peak:
        printed = repr(made.leaderboard())
    expect(f"[{count} rows" in printed, "the leaderboard has all rows")
    show(f"a leaderboard of {count:,} rows, built and printed, s", 0.1, peak)
    return {"seconds": peak.seconds, "processor": peak.processor}


def searches(quick):
    """Many searches in one process, with and without XLA."""
    count = 3 if quick else 100
    x = normal(200, 4)
    y = (x[:, 0] > 0).astype("int32")
    found = {}
    for jit_compile in (False,) if quick else (False, True):
        held = []
        for k in range(count):
            search(an.heads.BinaryClass(), seed=k, jit_compile=jit_compile).fit(x, y, verbose=0)
            figures = PROCESS.num_fds(), PROCESS.num_threads(), PROCESS.memory_info().rss / MIB
            held.append(figures)
        first, last = held[min(9, count - 2)], held[-1]
        of = f"{count} searches, XLA {'on' if jit_compile else 'off'}"
        show(f"{of}: files opened and not closed", 0, last[0] - first[0])
        show(f"{of}: threads left", 0, last[1] - first[1])
        each = (last[2] - first[2]) / (count - 1 - min(9, count - 2))
        show(f"{of}: MiB a search", "bounded", each)
        found["XLA" if jit_compile else "kernels"] = {
            "files": last[0] - first[0], "threads": last[1] - first[1], "MiB": each,
        }  # fmt: skip
    return found


class Ends(an.callbacks.SearchCallback):
    """The seconds of the processor and the bytes of the newest state at the end of each round."""

    def __init__(self, folder):
        super().__init__()
        self.folder, self.seconds, self.bytes = pathlib.Path(folder), [], []

    def on_round_begin(self, iteration, logs=None):
        self._began = time.process_time()

    def on_round_end(self, iteration, logs=None):
        self.seconds.append(time.process_time() - self._began)
        states = sorted(self.folder.glob("state-*.json"), key=lambda path: path.stat().st_mtime)
        self.bytes.append(states[-1].stat().st_size if states else 0)


def rounds(quick):
    """Many rounds: what the last ones take beside the first ones."""
    count = 2 if quick else 50
    x = normal(500, 4)
    y = (x[:, 0] * x[:, 1] > 0).astype("int32")
    with tempfile.TemporaryDirectory() as folder, Peak() as peak:
        ends = Ends(folder)
        settings = {"max_iterations": count, "force_grow": True, "model_dir": folder}
        made = search(an.heads.BinaryClass(), **settings)
        made.fit(x, y, callbacks=[ends], verbose=0)
    expect(made.state.iteration == count, f"the search has {count} rounds")
    tenth = max(1, count // 10)
    first, last = np.median(ends.seconds[1 : 1 + tenth]), np.median(ends.seconds[-tenth:])
    show(f"{count} rounds, s", "-", peak)
    show(f"median of the last {tenth} rounds / of the first", "no square", last / first)
    show("bytes of the state a round", "-", ends.bytes[-1] / count)
    show("memory above the first round's, MiB", "-", peak.above)
    return {"seconds": peak.seconds, "last / first": last / first, "bytes": ends.bytes[-1]}


class Same(an.adanet.Generator):
    """Many candidates, which differ in their names and random weights."""

    def __init__(self, count):
        self.count = count

    def generate(self, previous, iteration, reports):
        return [One(f"net_{k}") for k in range(self.count)]

    def get_config(self):
        return {"count": self.count}


class One(an.adanet.Builder):
    """A small network."""

    def __init__(self, name):
        self.name = name

    def build(self, inputs, units, previous=None):
        hidden = keras.layers.Dense(4, activation="relu")(inputs)
        return an.adanet.Subnetwork(keras.layers.Dense(units)(hidden), hidden, depth=1)


def candidates(quick):
    """Many candidates in a round, beside a quarter as many."""
    count = 4 if quick else 200
    x = normal(500, 4)
    y = (x[:, 0] * x[:, 1] > 0).astype("int32")
    found = {}
    for size in (count // 4, count):
        with Peak() as peak:
            made = search(an.heads.BinaryClass(), generator=Same(size)).fit(x, y, verbose=0)
        expect(made.state.iteration == 1, "the search has 1 round")
        expect(len(made.leaderboard()) == size, f"{size} candidates are judged")
        show(f"a round of {size} candidates, s", "-", peak)
        show("the same, MiB", "-", peak.above)
        found[str(size)] = {"seconds": peak.seconds, "memory": max(peak.above, 0.1)}
    return found


def expect(right, what):
    """Raises an error unless what has been measured was done."""
    if not right:
        raise RuntimeError(f"It was expected that {what}.")


def show(what, asked, measured):
    """Prints a figure beside what is asked for."""
    if isinstance(measured, Peak):
        measured = f"{measured.seconds:.3g} ({measured.processor:.3g})"
    else:
        measured = f"{measured:,.3g}" if abs(measured) < 1000 else f"{measured:,.0f}"
    print(f"{what}: asked {asked}, measured {measured}", flush=True)


PARTS = {
    part.__name__: part
    for part in (mixture, classes, rows, predict, leaderboard, searches, rounds, candidates)
}


def apart(name):
    """Runs a part in a process of its own, whose figures are the last line that it prints."""
    command = [sys.executable, __file__, "--alone", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    *printed, figures = done.stdout.splitlines()
    print("\n".join(printed), flush=True)
    return json.loads(figures)


def main(arguments=None):
    """Returns the figures by part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="seconds, in this process")
    parser.add_argument("--alone", choices=PARTS, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.alone:
        print(json.dumps(PARTS[given.alone](False), default=float))
        return {}
    return {name: PARTS[name](True) if given.quick else apart(name) for name in given.part}


if __name__ == "__main__":
    main()
