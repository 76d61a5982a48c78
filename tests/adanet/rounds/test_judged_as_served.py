"""Batch statistics are those of the final weights before a candidate is judged."""

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.keras_internals import layers_in

RNG = np.random.default_rng(0)
X = (3 + 5 * RNG.normal(size=(240, 4))).astype("float32")
Y = (X[:, 0] > 3).astype(int)


@keras.saving.register_keras_serializable(package="judged")
class OwnNormalization(keras.layers.BatchNormalization):
    pass


def nested():
    inputs = keras.Input((8,))
    return keras.Model(inputs, keras.layers.BatchNormalization()(inputs))


class Subclassed(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.inner = keras.layers.BatchNormalization()

    def build(self, shape):
        self.inner.build(shape)

    def call(self, inputs, training=None):
        return self.inner(inputs, training=training)


def steps():
    yield "plain", keras.layers.BatchNormalization
    yield "subclass", OwnNormalization
    yield "nested", nested
    yield "layer of a user", Subclassed


class Normalized(an.adanet.Builder):
    def __init__(self, layer, name="normalized"):
        self.name, self.layer = name, layer

    def build(self, inputs, units, previous=None):
        hidden = keras.layers.Dense(8, activation="relu")(
            self.layer()(keras.layers.Dense(8)(inputs))
        )
        return an.adanet.Subnetwork(keras.layers.Dense(units)(hidden), last_layer=hidden, depth=1)

    def optimizer(self):
        return keras.optimizers.Adam(0.02)


class Fixed(an.adanet.Generator):
    def __init__(self, builder):
        self.builder = builder

    def generate(self, previous, iteration, reports):
        return [self.builder]


def norm_of(search):
    model = search.ensemble.members[0].model
    layers = layers_in(model)
    return model, next(v for v in layers if isinstance(v, keras.layers.BatchNormalization))


@pytest.mark.parametrize(("name", "layer"), steps(), ids=lambda v: v if isinstance(v, str) else "")
def test_statistics_are_of_the_final_weights(name, layer):
    generator = Fixed(Normalized(layer))
    search = an.AdaNet(
        an.heads.BinaryClass(), generator, max_iterations=1, steps_per_iteration=30, seed=0,
        preprocessing=None,
    ).fit(X, Y, verbose=0)  # fmt: skip
    model, norm = norm_of(search)
    first = next(v for v in model.layers if isinstance(v, keras.layers.Dense))
    np.testing.assert_allclose(norm.moving_mean, np.mean(first(X), axis=0), rtol=1e-3, atol=1e-2)
    assert search.evaluate(X, Y)["accuracy"] > 0.9


def test_a_frozen_normalization_keeps_its_statistics():
    def frozen():
        layer = keras.layers.BatchNormalization(trainable=False, moving_mean_initializer="ones")
        return layer

    search = an.AdaNet(
        an.heads.BinaryClass(), Fixed(Normalized(frozen)), max_iterations=1, steps_per_iteration=5,
        seed=0,
    ).fit(X, Y, verbose=0)  # fmt: skip
    np.testing.assert_array_equal(norm_of(search)[1].moving_mean, np.ones(8))


def test_renormalization_which_trains_on_its_moving_statistics_keeps_them():
    model = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(renorm=True)])
    before = model.get_weights()
    an.majority.recalibrate_in_place(model, X)
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_rows_that_are_sorted_by_class_and_a_layer_used_twice():
    def twice():
        layer = keras.layers.BatchNormalization(center=False, scale=False)
        return lambda x: keras.layers.Add()([layer(x), layer(x)])

    order = np.argsort(Y)
    search = an.AdaNet(
        an.heads.BinaryClass(), Fixed(Normalized(twice)), max_iterations=1, steps_per_iteration=5,
        seed=0, preprocessing=None,
    ).fit(X[order], Y[order], verbose=0)  # fmt: skip
    model, norm = norm_of(search)
    first = next(v for v in model.layers if isinstance(v, keras.layers.Dense))
    np.testing.assert_allclose(norm.moving_mean, np.mean(first(X), axis=0), rtol=1e-3, atol=1e-2)
