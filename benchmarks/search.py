"""What a search costs: steps a second, time between rounds, memory, and the price of age.

    python benchmarks/search.py [--part steady|rounds|age|budget|mnist_dense|mnist_conv ...]
                                [--connect all] [--quick]
    python benchmarks/search.py --part budget [--rows 1000 ...] [--seconds 10 ...] [--busy]

Every ratio is of two figures measured in this run.
"""

import argparse
import concurrent.futures
import contextlib
import gc
import multiprocessing
import os
import statistics
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import psutil
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import adaptive_nets as an

WIDTH, BATCH = 64, 32


class Stopwatch(an.callbacks.SearchCallback):
    """What each round took: in all, in training calls, and of memory.

    Attributes:
        rounds: Seconds from the end of the round before.
        steps: Of each round the number of steps, and their seconds.
        calls: Of each round the seconds a step of every compiled call.
        memory: MiB that the process holds after each round.
    """

    def __init__(self):
        super().__init__()
        self.rounds, self.steps, self.calls, self.memory = [], [], [], []

    def on_train_begin(self, logs=None):
        self._ended = time.perf_counter()

    def on_round_begin(self, iteration, logs=None):
        self.calls.append([])
        self._taken = self._seconds = 0

    def on_train_batch_begin(self, batch, logs=None):
        self._first, self._began = batch, time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        seconds, taken = time.perf_counter() - self._began, batch + 1 - self._first
        self.calls[-1].append(seconds / taken)
        self._taken, self._seconds = self._taken + taken, self._seconds + seconds

    def on_round_end(self, iteration, logs=None):
        self.steps.append((self._taken, self._seconds))
        gc.collect()
        self.rounds.append(time.perf_counter() - self._ended)
        self.memory.append(psutil.Process().memory_info().rss / 2**20)
        self._ended = time.perf_counter()

    def rate(self, k):
        """Steps a second of a round."""
        steps, seconds = self.steps[k]
        return steps / seconds

    def medians(self):
        """The median step of each round; its first calls are of a few steps each."""
        return [statistics.median(calls[2:] or calls) for calls in self.calls]


def digits():
    """Training part of digits, 75 %."""
    x, y = load_digits(return_X_y=True)
    x, _, y, _ = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)
    return x.astype("float32") / 16, y.astype("int32")


def timed_search(rounds, steps, depths=None, connect="none", **settings):
    """The benchmark's search on digits, finished, and its stopwatch."""
    generator = an.generators.Dense(widths=WIDTH, depths=depths, connect=connect)
    search = an.AdaNet(
        an.heads.MultiClass(10), generator, rounds, steps, seed=0, force_grow=True,
        preprocessing=None, **settings,
    )  # fmt: skip
    watch = Stopwatch()
    search.fit(*digits(), batch_size=BATCH, verbose=0, callbacks=[watch])
    return search, watch


def steady(rounds=3, steps=500, many=20_000, compilers=("auto", False)):
    """Candidates of depth d and d + 1; then many steps for the rate."""
    found = {}
    for jit in compilers:
        _, watch = timed_search(rounds, steps, jit_compile=jit)
        outside = [watch.rounds[k] - watch.steps[k][1] for k in range(rounds)]
        print(f"{rounds} rounds x {steps} steps, two candidates, jit_compile={jit}")
        for k in range(rounds):
            print(
                f"  round {k + 1}: {watch.rate(k):8,.0f} steps/s   "
                f"outside training {outside[k]:.2f} s"
            )
        _, long = timed_search(1, many, jit_compile=jit)
        print(f"  steady rate over {many:,} steps: {long.rate(0):,.0f} steps/s", flush=True)
        rates = [watch.rate(k) for k in range(rounds)]
        found[str(jit)] = {"rates": rates, "outside": outside, "steady": long.rate(0)}
    found["model.fit"] = {"rates": one_by_one(rounds, steps)}
    return found


def one_by_one(rounds, steps):
    """The same subnetworks one after another with model.fit: steps a second for both."""
    x, y = digits()
    rates = []
    for k in range(rounds):
        began, seconds = time.perf_counter(), 0.0
        for depth in (k + 1, k + 2):
            layers = [keras.layers.Dense(WIDTH, "relu") for _ in range(depth)]
            model = keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(10)])
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(keras.optimizers.Adam(1e-3), loss)
            model.fit(x, y, batch_size=BATCH, epochs=1, steps_per_epoch=1, verbose=0)
            compiled = time.perf_counter()
            epochs = max(1, round(steps * BATCH / len(x)))
            model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)
            taken = epochs * -(-len(x) // BATCH)
            seconds += (time.perf_counter() - compiled) / taken
        rates.append(1 / seconds)
        print(
            f"  model.fit one after another, depths {k + 1} and {k + 2}: "
            f"{rates[-1]:,.0f} steps/s for both   in all {time.perf_counter() - began:.2f} s"
        )
    return rates


def short_rounds(rounds=8, steps=50, all_depths=(None, [1, 2])):
    """Many short rounds: time in all and memory."""
    found = {}
    for depths in all_depths:
        began = time.perf_counter()
        _, watch = timed_search(rounds, steps, depths=depths)
        total = time.perf_counter() - began
        name, ratio = str(depths or "d, d + 1"), watch.memory[-1] / watch.memory[1]
        shown = " ".join(f"{m:.0f}" for m in watch.memory)
        print(f"{rounds} rounds x {steps} steps, depths {name}: {total:.1f} s in all")
        print(f"  memory after each round, MiB: {shown}   last / second: {ratio:.3f}", flush=True)
        found[name] = {"seconds": total, "memory": watch.memory, "last / second": ratio}
    return found


def age(connect="none", rounds=10, steps=4000):
    """The last round's step against the first's, at equal candidate size."""
    _, watch = timed_search(rounds, steps, [1, 2], connect)
    median = watch.medians()
    shown = " ".join(f"{1e6 * m:.0f}" for m in median)
    print(f"median step of rounds 1 to {rounds}, connect={connect}, microseconds: {shown}")
    found = {"medians": median, "last / first": median[-1] / median[0]}
    print(f"  round {rounds} / round 1: {found['last / first']:.3f}", flush=True)
    if connect != "none":
        _, spilled = timed_search(rounds, steps, [1, 2], connect, cache_bytes=1)
        later = statistics.fmean(spilled.medians()[1:]) / statistics.fmean(median[1:])
        print(f"  outputs on disk, median step of rounds 2 to {rounds} against memory {later:.3f}")
        found["on disk / in memory"] = later
    return found


def images(data_dir):
    """MNIST, all 60,000 rows; without a folder scikit-learn's digits, for a quick look."""
    if data_dir is None:
        x, y = load_digits(return_X_y=True)
        x = (x / 16).reshape(-1, 8, 8).astype("float32")
        return x[300:], y[300:], x[:300], y[:300]
    with np.load(os.path.join(data_dir, "mnist", "mnist.npz")) as archive:
        data = {name: archive[name] for name in archive.files}
    x, test = (data[k].astype("float32") / 255 for k in ("train_x", "test_x"))
    return x, data["train_y"], test, data["test_y"]


def mnist(data_dir, kind, rounds, steps, **settings):
    """Accuracy, memory, and rows a second beside `model.fit`."""
    x, y, test, test_y = images(data_dir)
    if kind == "conv":
        x, test = x[..., None], test[..., None]
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    generators = {
        "dense": an.generators.Dense(512, depths=[1, 2], dropout=0.3, learning_rate=rate),
        "conv": an.generators.Conv(16, depths=[3], learning_rate=rate),
    }
    generator, watch = generators[kind], Stopwatch()
    search = an.AdaNet(an.heads.MultiClass(10), generator, rounds, steps, seed=0, **settings)
    began = time.perf_counter()
    search.fit(x, y, batch_size=128, verbose=0, callbacks=[watch])
    total = time.perf_counter() - began
    accuracy = search.evaluate(test, test_y)["accuracy"]
    rows = 128 * watch.rate(0)
    print(f"MNIST {kind}: test accuracy {accuracy:.4f} after {total:.0f} s, "
          f"peak memory {_peak():.2f} GiB")  # fmt: skip
    seconds, taken = 0.0, min(12_800, len(x))
    for builder in generator.generate(None, 1, []):
        model = _plain(builder, x.shape[1:])
        model.fit(x[:1280], y[:1280], batch_size=128, verbose=0)
        began = time.perf_counter()
        model.fit(x[:taken], y[:taken], batch_size=128, verbose=0)
        seconds += time.perf_counter() - began
    ratio = rows * seconds / taken
    print(f"  round 1: {rows:,.0f} rows/s through every candidate; model.fit one after another: "
          f"{taken / seconds:,.0f}; ratio {ratio:.2f}", flush=True)  # fmt: skip
    return {"accuracy": accuracy, "rows a second": rows, "beside model.fit": ratio}


def budget(rows, limits, busy, held_out=1_000_000, apart=True):
    """What default searches use of a time limit, each in a process of its own."""
    cells = [(n, 0, limit) for n in rows for limit in limits]
    # Few rows to train on, and many to be measured on.
    cells += [(min(rows), held_out, min(limits))] if held_out else []
    found = {}
    print("    rows  held out  asked     used  ratio  within  rounds  accuracy  stopped by")
    for second in (False, True) if busy else (False,):
        for n, held, limit in cells:
            with _second_process() if second else contextlib.nullcontext():
                cell = _in_a_process(used_of_limit, n, held, limit) if apart else (
                    used_of_limit(n, held, limit)
                )  # fmt: skip
            # A search that stops early says why, by its `stop_reason`.
            early = cell["used"] < 0.9 * limit
            excess = cell["used"] - limit > max(2.0, 0.05 * limit)
            cell["within"] = not excess and (not early or cell["reason"] != "time_limit")
            name = f"{n} rows, {held} held out, {limit} s" + (", busy" if second else "")
            found[name] = cell
            print(
                f"{n:8} {held:9} {limit:6} {cell['used']:8.1f} {cell['used'] / limit:6.2f} "
                f"{cell['within']!s:>7} {cell['rounds']:7} {cell['accuracy']:9.3f}  "
                f"{cell['reason']}{' (second process)' if second else ''}",
                flush=True,
            )
    return found


def used_of_limit(rows, held_out, limit):
    """One search with default settings and a time limit on made rows of 20 columns."""
    rng = np.random.default_rng(0)

    def make(count):
        x = rng.normal(size=(count, 20)).astype("float32")
        return x, (x[:, 0] * x[:, 1] + 0.3 * rng.normal(size=count) > 0).astype(int)

    train, test = make(rows), make(10_000)
    search = an.AdaNet(an.heads.BinaryClass(), seed=0)
    valid = make(held_out) if held_out else None
    began = time.perf_counter()
    search.fit(*train, validation_data=valid, time_limit=limit, verbose=0)
    used = time.perf_counter() - began
    return {
        "used": used,
        "rounds": int(search.leaderboard()["round"].max()),
        "accuracy": search.evaluate(*test)["accuracy"],
        "reason": search.stop_reason,
    }


def _in_a_process(function, *arguments):
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(function, *arguments).result()


@contextlib.contextmanager
def _second_process():
    code = "import numpy as np\na = np.ones((500, 500))\nwhile True: a @ a"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _plain(builder, shape):
    inputs = keras.Input(shape)
    model = keras.Model(inputs, builder.build(inputs, 10).logits)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def _peak():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


PARTS = ("steady", "rounds", "age", "mnist_dense", "mnist_conv", "budget")


def main(argv=None):
    """Runs the parts that are asked for, and returns their figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", nargs="*", choices=PARTS, help="default: the first three")
    parser.add_argument("--connect", default="none", choices=["all", "previous", "none"])
    parser.add_argument("--data_dir", help="folder with mnist/mnist.npz, for the last two parts")
    parser.add_argument("--rows", nargs="*", type=int, default=[1000, 100_000, 1_000_000])
    parser.add_argument("--seconds", nargs="*", type=int, default=[10, 60, 120])
    parser.add_argument("--busy", action="store_true", help="also beside a second busy process")
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    given = parser.parse_args(argv)
    parts = given.part or (PARTS[:4] if given.quick else PARTS[:3])
    if not given.quick and given.data_dir is None and {"mnist_dense", "mnist_conv"} & {*parts}:
        parser.error("--data_dir is needed")
    average = {"training": "independent", "mixture_weights": "uniform", "force_grow": True}
    run = {
        "steady": steady,
        "rounds": short_rounds,
        "age": lambda: age(given.connect),
        "mnist_dense": lambda: mnist(given.data_dir, "dense", 3, 4700, **average),
        "mnist_conv": lambda: mnist(given.data_dir, "conv", 1, 4700),
        "budget": lambda: budget(given.rows, given.seconds, given.busy),
    }
    if given.quick:
        run = {
            "steady": lambda: steady(1, 4, 4, ["auto"]),
            "rounds": lambda: short_rounds(2, 4, [None]),
            "age": lambda: age(given.connect, 2, 4),
            "mnist_dense": lambda: mnist(None, "dense", 1, 4, **average),
            "mnist_conv": lambda: mnist(None, "conv", 1, 4),
            "budget": lambda: budget([500], [3], given.busy, held_out=0, apart=False),
        }
    return {part: run[part]() for part in parts}


if __name__ == "__main__":
    main()
