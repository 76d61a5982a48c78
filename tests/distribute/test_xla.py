"""A TPU takes only what XLA compiles: the training step of every kind of candidate."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import adaptive_nets as an

X, Y = load_digits(return_X_y=True)
X = (X[:256] / 16).astype("float32")
Y = Y[:256]
g = an.generators


def pooled():
    hidden = keras.layers.Dense(8, "gelu")
    return keras.Sequential([keras.Input((64,)), hidden, keras.layers.Dense(10)])


KINDS = {
    "dense": lambda: g.Dense(8, 2, norm="batch", connect="all", optimizer="adamw"),
    "layer norm": lambda: g.Dense(8, 1, norm="layer", optimizer="sgd"),
    "conv": lambda: g.Conv(4, 1),
    "growth": lambda: g.Growth(g.Dense(8, 1), ["widen"]),
    "pool": lambda: g.Pool({"mine": pooled}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_compiled_step_is_the_plain_one(kind):
    x = X.reshape(-1, 8, 8, 1) if kind == "conv" else X
    found = []
    for compiled in (True, False):
        search = an.AdaNet(
            an.heads.MultiClass(10), KINDS[kind](), max_iterations=2, steps_per_iteration=4,
            force_grow=True, penalize_training=kind == "dense", jit_compile=compiled, seed=0,
        )  # fmt: skip
        search.fit(x, Y, verbose=0)
        found.append(search)
    members = [list(each.state.members().values()) for each in found]
    for one, other in zip(*members, strict=True):
        for a, b in zip(one.model.weights, other.model.weights, strict=True):
            # The mean of a layer sums what 64 inputs' kernels differ by.
            np.testing.assert_allclose(a, b, atol=5e-4 if "moving_mean" in a.name else 5e-5)


def test_k_kernels_draw_within_the_compiled_step():
    search = an.AdaNet(
        an.heads.MultiClass(10), g.Dense(8, 1, majority=3, dropout=0.1), max_iterations=1,
        steps_per_iteration=60, jit_compile=True, seed=0,
    )  # fmt: skip
    search.fit(X, Y, verbose=0)
    curve = search.learning_curves()["loss"].to_numpy()
    assert curve[-1] < curve[0] and np.isfinite(curve).all()
