"""How long one row takes: a fused ensemble beside the ensemble, and beside a network by hand.

    python benchmarks/serving.py [--members 5] [--width 64] [--quick]

The SavedModels answer in turns; each figure is the median of this run. One that only hands its
input on tells how much of it is the call from Python, which a server does not make: the ratios
are given with it and, as "net", without.
"""

import argparse
import os
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

import adaptive_nets as an


def searched(members, width, steps=100):
    """An ensemble of equal members on digits."""
    x, y = load_digits(return_X_y=True)
    search = an.AdaNet(
        an.heads.MultiClass(10), an.generators.Dense(width, 2), max_iterations=members,
        steps_per_iteration=steps, force_grow=True, adanet_lambda=1e-3, seed=0,
    )  # fmt: skip
    return search.fit((x / 16).astype("float32"), y, verbose=0)


def by_hand(members, width):
    """A plain network of the fused one's sizes."""
    inputs = keras.Input((64,), name="features")
    normal = keras.layers.Normalization(mean=np.zeros(64), variance=np.ones(64))(inputs)
    hidden = keras.layers.Dense(members * width, "relu")(normal)
    hidden = keras.layers.Dense(members * width, "relu")(hidden)
    return keras.Model(inputs, keras.layers.Dense(10)(hidden))


def nothing(path):
    """A SavedModel of as many outputs, which computes none."""

    @tf.function(input_signature=[tf.TensorSpec([None, 64], name="features")])
    def serve(features):
        return dict.fromkeys(("classes", "logits", "probabilities"), features[:, :10])

    module = tf.Module()
    tf.saved_model.save(module, path, {"serving_default": serve})
    return path


def latencies(functions, rows, turns):
    """Median seconds of a call with some rows; the functions take turns."""
    given = tf.constant(np.random.default_rng(0).random((rows, 64), "float32"))
    found = np.empty((turns, len(functions)))
    for turn in range(-turns // 40, turns):
        for k, function in enumerate(functions):
            began = time.perf_counter()
            function(features=given)
            if turn >= 0:
                found[turn, k] = time.perf_counter() - began
    return np.median(found, axis=0)


def main(argv=None):
    """Prints times and ratios, and returns them by number of rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    given = parser.parse_args(argv)
    turns = {1: 2000, 32: 2000, 1024: 300}
    if given.quick:
        given.members, given.width, turns = 2, 8, {1: 40}
    search = searched(given.members, given.width, 10 if given.quick else 100)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            search.export(f"{folder}/ensemble"),
            search.export(f"{folder}/fused", fuse=True),
            an.serving.export_saved_model(
                by_hand(given.members, given.width), search.head, f"{folder}/by_hand"
            ),
            nothing(f"{folder}/nothing"),
        ]
        served = [tf.saved_model.load(path) for path in paths]
        functions = [each.signatures["serving_default"] for each in served]
        print(f"ensemble of {len(search.ensemble.members)} members of width {given.width}")
        for rows in turns:
            whole, fused, plain, call = latencies(functions, rows, turns[rows]) * 1e3
            net = (fused - call) / (whole - call), (fused - call) / (plain - call)
            print(
                f"{rows:5d} rows: ensemble {whole:.3f} ms, fused {fused:.3f} ms "
                f"({fused / whole:.2f} x, net {net[0]:.2f}), by hand {plain:.3f} ms "
                f"({fused / plain:.2f} x, net {net[1]:.2f}), the call {call:.3f} ms"
            )
            milliseconds = {"ensemble": whole, "fused": fused, "by hand": plain, "the call": call}
            ratios = {"fused / ensemble": fused / whole, "fused / by hand": fused / plain}
            results[rows] = {**milliseconds, **ratios}
    return results


if __name__ == "__main__":
    main()
