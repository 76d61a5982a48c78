"""How fast machines learn: beside scikit-learn, beside their matrix products, and while they grow.

    python benchmarks/energy.py [--visible 784] [--units 500] [--data_dir DIR] [--quick]

All figures of a comparison are of this run; each is the best of some turns, which alternate. Last,
what an `EnergyNet` learns of real values, beside logistic predictors of each feature from the
others: of California housing and red wine in `--data_dir`, or else of the diabetes table that
scikit-learn ships. `--part tables` runs only that.
"""

import argparse
import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.datasets import load_diabetes
from sklearn.neural_network import BernoulliRBM

from adaptive_nets import energy

ROWS, TURNS, BATCHES, EPOCHS = 6400, 7, (64, 128), 40
# Tables of real values, and how many of their columns are features.
TABLES = {
    "california_housing/california_housing.csv.gz": 8,
    "wine_quality/winequality_red.csv.gz": 11,
}


def timed(function):
    """Seconds that a call takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def best(functions, turns):
    """Best seconds of each function; they take turns."""
    for function in functions:
        function()
    return np.min([[timed(function) for function in functions] for _ in range(turns)], axis=0)


def products(batch, visible, units, count):
    """A function that multiplies batch x visible by visible x units and back, so many products."""
    kernel = tf.random.normal((visible, units), stddev=0.01)
    start = tf.random.normal((batch, visible))

    @tf.function
    def run(v):
        for _ in range(count // 2):
            v = tf.matmul(tf.matmul(v, kernel), kernel, transpose_b=True)
        return v

    return lambda: run(start)


def fitted(model, x, batch, rate=0.05):
    """A function that trains one epoch."""
    model.compile(keras.optimizers.SGD(rate), steps_per_execution=10)
    data = tf.data.Dataset.from_tensor_slices(x).batch(batch).cache()
    return lambda: model.fit(data, verbose=0)


def show(title, figures):
    """Prints figures under their title and returns them."""
    print(title)
    for name, value in figures.items():
        print(f"  {name:40} {value:{',.0f' if value >= 100 else '.2f'}}", flush=True)
    return {title: figures}


def beside_scikit_learn(x, units, batches, turns):
    """PCD-1 with the same rows, units and batches."""
    found, visible = {}, x.shape[1]
    for batch in batches:
        theirs = BernoulliRBM(units, learning_rate=0.05, batch_size=batch, n_iter=1)
        ours = energy.RBM(units, chains=batch, seed=0)
        calls = [lambda m=theirs: m.fit(x), fitted(ours, x, batch)]
        seconds = best([*calls, products(batch, visible, units, 100)], turns)
        rates = [len(x) / s for s in seconds[:2]]
        figures = {
            "scikit-learn": rates[0],
            "this package": rates[1],
            "ratio": rates[1] / rates[0],
            # Samples want two products, free energies two, gradients two.
            "five matrix products and nothing else": batch / (5 * seconds[2] / 100),
        }
        found |= show(f"PCD-1, {visible} x {units}, batch {batch}, rows a second", figures)
    return found


def beside_products(x, units, batches, turns):
    """PCD-10, whose products are two a Gibbs step, and those of the gradient."""
    found, visible = {}, x.shape[1]
    for batch in batches:
        model = energy.RBM(units, gibbs_steps=10, chains=batch, seed=0)
        calls = [fitted(model, x, batch), products(batch, visible, units, 100)]
        seconds = best(calls, turns)
        bound = (2 * 10 + 4) * seconds[1] / 100 * len(x) / batch
        figures = {"time / time of its 24 products a step": seconds[0] / bound}
        found |= show(f"PCD-10, {visible} x {units}, batch {batch}", figures)
    return found


def growing(x, units, most_epochs):
    """From one unit to all of them, beside as many from the beginning."""

    def run(model, epochs):
        model.compile(keras.optimizers.Adagrad(0.03), steps_per_execution=10)
        return lambda: model.fit(x, batch_size=64, epochs=epochs, verbose=0)

    grown = energy.InfiniteRBM(1.01, max_units=units, gibbs_steps=1, seed=0)
    epochs = 0
    began = time.perf_counter()
    grown.compile(keras.optimizers.Adagrad(0.03), steps_per_execution=10)
    while not epochs or (grown.n_units < units and epochs < most_epochs):
        grown.fit(x, batch_size=64, epochs=2, verbose=0)
        epochs += 2
    seconds = time.perf_counter() - began
    fixed = energy.OrderedRBM(units, 1.01, gibbs_steps=1, seed=0)
    other = timed(run(fixed, epochs))
    return show(
        f"growth from 1 to {grown.n_units} units in {epochs} epochs of {len(x):,} rows, PCD-1",
        {"time / that of a fixed size from the start": seconds / other},
    )


def real_values(data_dir, seeds, steps):
    """What the first layer of an `EnergyNet` knows of held-out rows of real values."""
    tables = {"diabetes": load_diabetes().data}
    if data_dir is not None:
        frames = {name: pd.read_csv(data_dir / name).dropna() for name in TABLES}
        tables = {
            pathlib.Path(name).name.partition(".")[0]: frame.iloc[:, : TABLES[name]].to_numpy()
            for name, frame in frames.items()
        }
    found = {}
    for name, rows in tables.items():
        for seed in seeds:
            net = energy.EnergyNet(max_layers=1, steps=steps, seed=seed)
            began = time.process_time()
            (layer,) = net.fit(rows).layers
            figures = {
                "gain of the machine, nats a row": layer.gain,
                "gain of linear predictors": net.linear_gain,
                "units trained": layer.raw,
                "width": layer.width,
                "CPU seconds, predictors included": time.process_time() - began,
            }
            held = round(net.validation_split * len(rows))
            found |= show(f"{name}, {held:,} of {len(rows):,} rows held out, seed {seed}", figures)
    return found


def main(argv=None):
    """All comparisons; returns their figures by title."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visible", type=int, default=784)
    parser.add_argument("--units", type=int, default=500)
    parser.add_argument("--data_dir", type=pathlib.Path, help="folder of the tables")
    parser.add_argument("--part", choices=("all", "tables"), default="all")
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    given = parser.parse_args(argv)
    rows, turns, batches, epochs = ROWS, TURNS, BATCHES, EPOCHS
    seeds, steps = (0, 1, 2), 2000
    if given.quick:
        rows, turns, batches, epochs = 256, 1, BATCHES[:1], 2
        given.visible, given.units = 16, 12
        seeds, steps = (0,), 200
    tables = real_values(given.data_dir, seeds, steps)
    if given.part == "tables":
        return tables
    x = (np.random.default_rng(0).random((rows, given.visible)) < 0.2).astype("float32")
    return {
        **beside_scikit_learn(x, given.units, batches, turns),
        **beside_products(x, given.units, batches, turns),
        **growing(x, given.units, epochs),
        **tables,
    }


if __name__ == "__main__":
    main()
