"""What a search costs: steps a second, time between rounds, memory, and the price of age.

    python benchmarks/search.py [--part steady|rounds|age|mnist ...] [--connect all]

Every ratio is of two figures measured in this run.
"""

import argparse
import gc
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import psutil
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import adaptive_nets as an
from adaptive_nets.adanet.loop import SearchLoop

WIDTH, BATCH = 64, 32


class Stopwatch:
    """Wraps a run's rounds: what each took in all, in training calls, and of memory."""

    def __init__(self):
        self.rounds, self.memory, self.traces, self.steps = [], [], [], []

    def __enter__(self):
        self._round, self._train, watch = SearchLoop.round, SearchLoop._train, self

        def timed_round(run):
            began = time.perf_counter()
            result = watch._round(run)
            gc.collect()
            watch.rounds.append(time.perf_counter() - began)
            watch.memory.append(psutil.Process().memory_info().rss / 2**20)
            return result

        def timed_train(run, round_):
            calls, advance = [], round_.advance

            def timed(seconds):
                before, began = round_.training.step, time.perf_counter()
                losses = advance(seconds)
                calls.append((time.perf_counter() - began) / (round_.training.step - before))
                return losses

            round_.advance = timed
            result = watch._train(run, round_)
            watch.traces.append(round_.trainer.traces)
            watch.steps.append((round_.training.step, round_.training.seconds, calls))
            return result

        SearchLoop.round, SearchLoop._train = timed_round, timed_train
        return self

    def __exit__(self, *_):
        SearchLoop.round, SearchLoop._train = self._round, self._train

    def rate(self, k):
        steps, seconds, _ = self.steps[k]
        return steps / seconds


def digits():
    """Training part of digits, 75 %."""
    x, y = load_digits(return_X_y=True)
    x, _, y, _ = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)
    return x.astype("float32") / 16, y.astype("int32")


def search(rounds, steps, depths=None, force_grow=True, connect="none", **settings):
    """The benchmark's search."""
    generator = an.generators.Dense(widths=WIDTH, depths=depths, connect=connect)
    return an.AdaNet(
        an.heads.MultiClass(10), generator, rounds, steps, seed=0, force_grow=force_grow,
        preprocessing=None, **settings,
    )  # fmt: skip


def steady():
    """3 rounds x 500 steps, candidates of depth d and d + 1; then many steps for the rate."""
    x, y = digits()
    for jit in ("auto", False):
        with Stopwatch() as watch:
            search(3, 500, jit_compile=jit).fit(x, y, batch_size=BATCH, verbose=0)
        print(f"3 rounds x 500 steps, two candidates, jit_compile={jit}")
        for k in range(3):
            between = watch.rounds[k] - watch.steps[k][1]
            print(
                f"  round {k + 1}: {watch.rate(k):8,.0f} steps/s   "
                f"outside training {between:.2f} s   traces {watch.traces[k]}"
            )
        with Stopwatch() as watch:
            search(1, 20000, jit_compile=jit).fit(x, y, batch_size=BATCH, verbose=0)
        print(f"  steady rate over 20,000 steps: {watch.rate(0):,.0f} steps/s")
    one_by_one(x, y, 500)


def one_by_one(x, y, steps):
    """The same subnetworks one after another with model.fit."""
    for round_ in range(3):
        began, seconds = time.perf_counter(), 0.0
        for depth in (round_ + 1, round_ + 2):
            layers = [keras.layers.Dense(WIDTH, "relu") for _ in range(depth)]
            model = keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(10)])
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(keras.optimizers.Adam(1e-3), loss)
            first = time.perf_counter()
            model.fit(x, y, batch_size=BATCH, epochs=1, steps_per_epoch=1, verbose=0)
            compiled = time.perf_counter()
            epochs = round(steps * BATCH / len(x))
            model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)
            seconds += time.perf_counter() - compiled
            del first
        print(
            f"  model.fit one after another, depths {round_ + 1} and {round_ + 2}: "
            f"{steps / seconds:,.0f} steps/s for both   in all "
            f"{time.perf_counter() - began:.2f} s"
        )


def short_rounds():
    """8 rounds x 50 steps: time in all and memory."""
    x, y = digits()
    for depths in (None, [1, 2]):
        began = time.perf_counter()
        with Stopwatch() as watch:
            search(8, 50, depths=depths).fit(x, y, batch_size=BATCH, verbose=0)
        total = time.perf_counter() - began
        shown = " ".join(f"{m:.0f}" for m in watch.memory)
        print(f"8 rounds x 50 steps, depths {depths or 'd, d + 1'}: {total:.1f} s in all")
        print(f"  memory after each round, MiB: {shown}   last / second: "
              f"{watch.memory[-1] / watch.memory[1]:.3f}")  # fmt: skip


def age(connect="none"):
    """The tenth round's step against the first's, at equal candidate size."""
    median, traces, held, _ = aged(connect)
    shown = " ".join(f"{1e6 * m:.0f}" for m in median)
    print(f"median step of rounds 1 to 10, connect={connect}, microseconds: {shown}")
    print(f"  round 10 / round 1: {median[-1] / median[0]:.3f}; traces a round: {traces}")
    if connect == "none":
        return
    spilled, _, left, members = aged(connect, cache_bytes=1)
    # Logits of 10 classes of every member, and the layers of 64 units that later rounds read.
    rows = len(digits()[0])
    layers = len({key for m in members for key in m.reads})
    predicted = rows * 4 * (10 * len(members) + WIDTH * layers)
    print(f"  kept outputs of the ensemble: {held:,} bytes held; predicted {predicted:,}")
    print(f"  above the limit, on disk: {left} bytes held; median step of rounds 2 to 10 against "
          f"memory {statistics.fmean(spilled[1:]) / statistics.fmean(median[1:]):.3f}")  # fmt: skip


def aged(connect, **settings):
    """Ten rounds: median step of each, traces, bytes of the ensemble's outputs, members."""
    x, y = digits()
    runs, plain = [], SearchLoop.run

    def run(self, *args):
        runs.append(self)
        return plain(self, *args)

    SearchLoop.run = run
    with Stopwatch() as watch:
        engine = search(10, 4000, depths=[1, 2], connect=connect, **settings)
        engine.fit(x, y, batch_size=BATCH, verbose=0)
    SearchLoop.run = plain
    view, members = runs[0].train, engine.ensemble.members
    view.keep_only(members)
    # Calls of full length only: a round's first calls are a few steps each.
    median = [statistics.median(calls[2:]) for _, _, calls in watch.steps]
    return median, watch.traces, view.held_bytes, members


def mnist(data_dir, kind, rounds, steps, **settings):
    """MNIST, all 60,000 rows."""
    with np.load(os.path.join(data_dir, "mnist", "mnist.npz")) as archive:
        data = {name: archive[name] for name in archive.files}
    x, test = (data[k].astype("float32") / 255 for k in ("train_x", "test_x"))
    if kind == "conv":
        x, test = x[..., None], test[..., None]
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    generators = {
        "dense": an.generators.Dense(512, depths=[1, 2], dropout=0.3, learning_rate=rate),
        "conv": an.generators.Conv(16, depths=[3], learning_rate=rate),
    }
    generator = generators[kind]
    engine = an.AdaNet(an.heads.MultiClass(10), generator, rounds, steps, seed=0, **settings)
    began = time.perf_counter()
    with Stopwatch() as watch:
        engine.fit(x, data["train_y"], batch_size=128, verbose=2)
    total = time.perf_counter() - began
    measured = engine.evaluate(test, data["test_y"])
    rows = 128 * watch.rate(0)
    print(f"MNIST {kind}: test accuracy {measured['accuracy']:.4f} after {total:.0f} s, "
          f"peak memory {_peak():.2f} GiB")  # fmt: skip
    seconds = 0.0
    for member in (m for m in generator.generate(None, 1, [])):
        model = _plain(member, x.shape[1:])
        model.fit(x[:1280], data["train_y"][:1280], batch_size=128, verbose=0)
        began = time.perf_counter()
        model.fit(x[:12800], data["train_y"][:12800], batch_size=128, verbose=0)
        seconds += time.perf_counter() - began
    print(f"  round 1: {rows:,.0f} rows/s through every candidate; model.fit one after another: "
          f"{12800 / seconds:,.0f}; ratio {rows * seconds / 12800:.2f}")  # fmt: skip


def _plain(builder, shape):
    inputs = keras.Input(shape)
    model = keras.Model(inputs, builder.build(inputs, 10).logits)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def _peak():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main():
    """Runs the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", nargs="*", default=["steady", "rounds", "age"])
    parser.add_argument("--connect", default="none", choices=["all", "previous", "none"])
    parser.add_argument("--data_dir", help="folder with mnist/mnist.npz")
    arguments = parser.parse_args()
    parts = {
        "steady": steady,
        "rounds": short_rounds,
        "age": lambda: age(arguments.connect),
    }
    for part in arguments.part:
        if part in ("mnist_dense", "mnist_conv"):
            if part == "mnist_dense":
                mnist(
                    arguments.data_dir, "dense", 3, 4700,
                    training="independent", mixture_weights="uniform", force_grow=True,
                )  # fmt: skip
            else:
                mnist(arguments.data_dir, "conv", 1, 4700)
        else:
            parts[part]()


if __name__ == "__main__":
    main()
