"""What valid calls are made with. Everything is made once."""

import functools
import tempfile

import keras
import numpy as np
import tensorflow as tf
from call_kinds import lazy

import adaptive_nets as an

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 3)).astype("float32")
Y = np.arange(24) % 3
FLAGS = Y % 2
TARGETS = RNG.normal(size=24).astype("float32")
BITS = (RNG.random((24, 6)) < 0.5).astype("float32")


def once(function):
    """A thing that is made when it is first needed."""
    return lazy(functools.cache(function))


@once
def dense():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(4, activation="relu", name="hidden")(inputs)
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(hidden), name="net")


@once
def compiled():
    model = keras.models.clone_model(dense())
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@lazy
def fresh():
    """A compiled model that may be changed."""
    model = keras.models.clone_model(dense())
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@once
def adapted():
    model = keras.models.clone_model(dense())
    model.get_layer("hidden").enable_lora(2)
    return model


@once
def expanded():
    return an.majority.expand(dense(), factor=2)


@once
def machine():
    found = an.energy.RBM(4, seed=0)
    found.build((None, 6))
    return found


@once
def structure():
    return an.energy.EnergyNet(max_layers=1, max_units=4, steps=2, seed=0)


@once
def learnt():
    found = an.energy.EnergyNet(max_layers=1, max_units=4, steps=2, seed=0)
    found.fit(X)
    return found


@once
def head():
    return an.heads.MultiClass(3)


@once
def multi():
    heads = {"a": an.heads.MultiClass(3), "b": an.heads.Regression(1)}
    return an.heads.Multi(heads)


def search():
    """A search that is not fitted."""
    return an.AdaNet(
        an.heads.MultiClass(), an.generators.Dense(4, [1]), max_iterations=1,
        steps_per_iteration=2, seed=0,
    )  # fmt: skip


@once
def fitted():
    """A fitted search with a folder."""
    found = an.AdaNet(
        an.heads.MultiClass(), an.generators.Dense(4, [1]), max_iterations=1,
        steps_per_iteration=2, seed=0, model_dir=tempfile.mkdtemp(),
    )  # fmt: skip
    return found.fit(X, Y, verbose=0)


@lazy
def stored():
    return fitted().model_dir


@once
def bounded():
    found = an.AdaNet(
        an.heads.BinaryClass(), an.generators.Dense(4, [1]), max_iterations=1,
        steps_per_iteration=2, seed=0, complexity="rademacher",
    )  # fmt: skip
    return found.fit(X, FLAGS, verbose=0)


@once
def convex():
    return an.adanet.ConvexAdaNet(max_iterations=3, adanet_lambda=0.01).fit(X, FLAGS)


@once
def front():
    """A classifier that had no time for a search."""
    return an.AutoClassifier(time_limit=0.01, seed=0, verbose=0).fit(X, Y)


@once
def two_front():
    """A classifier of two classes that had no time for a search."""
    return an.AutoClassifier(time_limit=0.01, seed=0, verbose=0).fit(X, FLAGS)


@once
def numbers_front():
    """A regressor that had no time for a search."""
    return an.AutoRegressor(time_limit=0.01, seed=0, verbose=0).fit(X, TARGETS)


@lazy
def saved_front():
    return front().save(tempfile.mkdtemp())


@once
def schema():
    return fitted().schema


def input_fn():
    return tf.data.Dataset.from_tensor_slices(({"x": X}, Y)).batch(8)


def features_fn():
    return tf.data.Dataset.from_tensor_slices({"x": X}).batch(8)


@once
def estimator():
    found = an.estimator.Estimator(
        an.heads.MultiClass(3), an.generators.Dense(4, [1]), 2, max_iterations=1
    )
    return found.train(input_fn)


@once
def receiver_fn():
    spec = {"x": tf.io.FixedLenFeature([3], tf.float32)}
    return an.estimator.export.build_parsing_serving_input_receiver_fn(spec)


def train_all():
    """Makes what has to be trained, before training is stopped at its first step."""
    for make in (fitted, bounded, learnt, convex, estimator):
        make()
