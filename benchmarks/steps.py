"""Steps a second of a search and seconds of an import, of this checkout beside another one.

    python benchmarks/steps.py --against ../other_checkout [--pairs 10] [--quick]

Each figure is of a new process that imports the package from one of the checkouts. The two take
turns, A B B A A B B A, so that what slows the machine down slows both. What is compared are the
medians; the interval of their ratio is that of a bootstrap over the pairs. Beside the time on the
clock stands the processor's, which suffers less where others use the machine. Without --against
the checkout is compared with itself, which shows how far the machine can be trusted.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parents[1]
# What child processes run; each prints figures by name.
IMPORT_FACE = """
import json, time
began, cpu = time.perf_counter(), time.process_time()
import adaptive_nets
cpu, ended = time.process_time() - cpu, time.perf_counter()
print(json.dumps({
    "import adaptive_nets, ms": 1e3 * (ended - began),
    "import adaptive_nets, processor ms": 1e3 * cpu,
}))
"""
# Most of an import is TensorFlow's, which hides what the package itself takes.
IMPORT_ADANET = """
import json, time
began, cpu = time.perf_counter(), time.process_time()
import tensorflow, keras, pandas
loaded, cpu_loaded = time.perf_counter(), time.process_time()
import adaptive_nets.adanet
ended, cpu_ended = time.perf_counter(), time.process_time()
print(json.dumps({
    "import adaptive_nets.adanet, s": ended - began,
    "import adaptive_nets.adanet, processor s": cpu_ended - cpu,
    "without TensorFlow, Keras and pandas, s": ended - loaded,
    "without TensorFlow, Keras and pandas, processor s": cpu_ended - cpu_loaded,
}))
"""
# A search tells its calls by Keras' own hooks.
SEARCH = """
import json, time
import keras
import numpy as np
import adaptive_nets as an

class Stopwatch(keras.callbacks.Callback):
    steps = seconds = cpu = 0

    def on_train_batch_begin(self, batch, logs=None):
        self.first, self.began = batch, (time.perf_counter(), time.process_time())

    def on_train_batch_end(self, batch, logs=None):
        # A round's first calls are of a few steps each, and compile.
        if self.first > {settled}:
            self.seconds += time.perf_counter() - self.began[0]
            self.cpu += time.process_time() - self.began[1]
            self.steps += batch + 1 - self.first

rng = np.random.default_rng(0)
x, y = rng.normal(size=(1400, 64)).astype("float32"), rng.integers(0, 10, 1400)
watch = Stopwatch()
search = an.AdaNet(
    an.heads.MultiClass(10), an.generators.Dense(64), max_iterations={rounds},
    steps_per_iteration={steps}, force_grow=True, preprocessing=None, seed=0, jit_compile=False,
)
began, cpu = time.perf_counter(), time.process_time()
search.fit(x, y, batch_size=32, verbose=0, callbacks=[watch])
cpu, ended = time.process_time() - cpu, time.perf_counter()
print(json.dumps({{
    "search, training steps a second": watch.steps / watch.seconds,
    "search, steps a processor second": watch.steps / watch.cpu,
    "search of {rounds} rounds of {steps} steps, s": ended - began,
    "search of {rounds} rounds of {steps} steps, processor s": cpu,
}}))
"""
FULL = {"rounds": 3, "steps": 3000, "settled": 100}
QUICK = {"rounds": 1, "steps": 40, "settled": 0}


def measure(code, checkout):
    """The figures that a new process prints, with the package of a checkout."""
    # -P: neither the current folder nor that of a script comes before the checkout.
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": str(checkout), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"With the package of {checkout}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def in_turns(code, checkouts, pairs):
    """From a name to `(pairs, 2)`: the figures of each checkout's processes; A B B A."""
    found = [[None, None] for _ in range(pairs)]
    for pair in range(pairs):
        for which in (0, 1) if pair % 2 == 0 else (1, 0):
            found[pair][which] = measure(code, checkouts[which])
    return {name: np.array([[a[name], b[name]] for a, b in found]) for name in found[0][0]}


def ratio_of_medians(pairs):
    """The ratio of the first's median to the second's, and 95 % of a bootstrap over the pairs."""
    rng = np.random.default_rng(0)
    drawn = pairs[rng.integers(0, len(pairs), (2000, len(pairs)))]
    ratios = np.divide(*np.median(drawn, axis=1).T)
    low, high = np.quantile(ratios, (0.025, 0.975))
    return {
        "ratio": float(np.divide(*np.median(pairs, axis=0))),
        "low": float(low),
        "high": float(high),
    }


def main(argv=None):
    """All comparisons; returns medians and ratios by what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=pathlib.Path, default=HERE, help="the other checkout")
    parser.add_argument("--pairs", type=int, default=10, help="processes of each (default: 10)")
    parser.add_argument("--json", type=pathlib.Path, help="file to write the figures to")
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    given = parser.parse_args(argv)
    other = given.against.resolve()
    if not (other / "adaptive_nets" / "__init__.py").is_file():
        parser.error(f"--against: there is no adaptive_nets in {other}")
    sizes, pairs = (QUICK, 1) if given.quick else (FULL, given.pairs)
    print(f"this: {HERE}\nother: {other}\n{pairs} processes of each, in turns", flush=True)
    found = {}
    for code in (IMPORT_FACE, IMPORT_ADANET, SEARCH.format(**sizes)):
        for name, measured in in_turns(code, (HERE, other), pairs).items():
            this, that = map(float, np.median(measured, axis=0))
            found[name] = {"this": this, "other": that, **ratio_of_medians(measured)}
            print(
                f"{name}: this {this:.4g}, other {that:.4g}, this / other "
                "{ratio:.3f} (95 %: {low:.3f} to {high:.3f})".format(**found[name]),
                flush=True,
            )
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    return found


if __name__ == "__main__":
    main()
