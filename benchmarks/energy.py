"""How fast machines learn: beside scikit-learn, beside their matrix products, and while they grow.

    python benchmarks/energy.py [--visible 784] [--units 500]

All figures of a comparison are of this run; each is the best of some turns, which alternate.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from sklearn.neural_network import BernoulliRBM

from adaptive_nets import energy

ROWS, TURNS = 6400, 7


def timed(function):
    """Seconds that a call takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def best(functions, turns=TURNS):
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


def beside_scikit_learn(x, visible, units):
    """PCD-1 with the same rows, units and batches."""
    for batch in (64, 128):
        theirs = BernoulliRBM(units, learning_rate=0.05, batch_size=batch, n_iter=1)
        ours = energy.RBM(units, chains=batch, seed=0)
        calls = [lambda m=theirs: m.fit(x), fitted(ours, x, batch)]
        seconds = best([*calls, products(batch, visible, units, 100)])
        rates = [len(x) / s for s in seconds[:2]]
        # Samples want two products, free energies two, gradients two.
        bound = batch / (5 * seconds[2] / 100)
        print(f"PCD-1, {visible} x {units}, batch {batch}, rows a second")
        print(f"  {'scikit-learn':40} {rates[0]:,.0f}")
        print(f"  {'this package':40} {rates[1]:,.0f}, ratio {rates[1] / rates[0]:.2f}")
        print(f"  {'five matrix products and nothing else':40} {bound:,.0f}", flush=True)


def beside_products(x, visible, units):
    """PCD-10, whose products are two a Gibbs step, and those of the gradient."""
    for batch in (64, 128):
        model = energy.RBM(units, gibbs_steps=10, chains=batch, seed=0)
        seconds = best([fitted(model, x, batch), products(batch, visible, units, 100)])
        bound = (2 * 10 + 4) * seconds[1] / 100 * len(x) / batch
        print(f"PCD-10, {visible} x {units}, batch {batch}")
        print(
            f"  {'time / time of its 24 products a step':40} {seconds[0] / bound:.2f}", flush=True
        )


def growing(x, units):
    """From one unit to all of them, beside as many from the beginning."""

    def run(model, epochs):
        model.compile(keras.optimizers.Adagrad(0.03), steps_per_execution=10)
        return lambda: model.fit(x, batch_size=64, epochs=epochs, verbose=0)

    grown = energy.InfiniteRBM(1.01, max_units=units, gibbs_steps=1, seed=0)
    epochs = 0
    began = time.perf_counter()
    grown.compile(keras.optimizers.Adagrad(0.03), steps_per_execution=10)
    while not epochs or (grown.n_units < units and epochs < 40):
        grown.fit(x, batch_size=64, epochs=2, verbose=0)
        epochs += 2
    seconds = time.perf_counter() - began
    fixed = energy.OrderedRBM(units, 1.01, gibbs_steps=1, seed=0)
    other = timed(run(fixed, epochs))
    print(f"growth from 1 to {grown.n_units} units in {epochs} epochs of {len(x):,} rows, PCD-1")
    print(f"  {'time / that of a fixed size from the start':40} {seconds / other:.2f}", flush=True)


def main():
    """All comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visible", type=int, default=784)
    parser.add_argument("--units", type=int, default=500)
    given = parser.parse_args()
    x = (np.random.default_rng(0).random((ROWS, given.visible)) < 0.2).astype("float32")
    beside_scikit_learn(x, given.visible, given.units)
    beside_products(x, given.visible, given.units)
    growing(x, given.units)


if __name__ == "__main__":
    main()
