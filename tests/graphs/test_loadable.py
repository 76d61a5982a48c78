"""Models whose layers stand at several places are copied apart, and others are left."""

import keras
import numpy as np
import pytest
from keras import layers

from adaptive_nets.graphs.loadable import copied_apart, separated
from adaptive_nets.keras_internals import layers_in

X = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")


@keras.saving.register_keras_serializable(package="separate")
class Back(layers.Layer):
    """Maps back with the kernel of a layer that it holds."""

    def __init__(self, other, **kwargs):
        super().__init__(**kwargs)
        self.other = other

    def call(self, x):
        return keras.ops.matmul(x, keras.ops.transpose(self.other.kernel))

    def get_config(self):
        other = keras.saving.serialize_keras_object(self.other)
        return {**super().get_config(), "other": other}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "other": keras.saving.deserialize_keras_object(config["other"])})


def in_two_models():
    shared = layers.Dense(4, name="shared")
    one = keras.Sequential([keras.Input((4,)), shared, layers.Dropout(0.5)], name="one")
    other = keras.Sequential([keras.Input((4,)), shared, layers.BatchNormalization()], name="other")
    one.trainable = False
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Add()([one(inputs), other(inputs)]))


def in_a_model_and_beside_it():
    shared = layers.Dense(4, name="shared")
    inner = keras.Sequential([keras.Input((4,)), shared], name="inner")
    inputs = keras.Input((4,))
    return keras.Model(inputs, inner(shared(inputs)))


def tied():
    inputs = keras.Input((4,))
    forth = layers.Dense(3, name="forth")
    return keras.Model(inputs, Back(forth, name="back")(forth(inputs)))


def deep():
    core = keras.Sequential([keras.Input((4,)), layers.Dense(4)], name="core")
    halves = [
        keras.Sequential([keras.Input((4,)), core, layers.Activation("relu")], name=name)
        for name in ("left", "right")
    ]
    inputs = keras.Input((4,))
    return keras.Model(inputs, {"sum": halves[0](inputs) + halves[1](inputs)})


@pytest.mark.parametrize("make", [in_two_models, in_a_model_and_beside_it, tied, deep])
def test_what_is_shared_is_copied_apart_and_can_be_loaded(make, tmp_path):
    model = make()
    before = model.get_weights()
    apart = separated(model)
    assert apart is not model
    assert {id(v) for v in apart.variables}.isdisjoint(id(v) for v in model.variables)
    apart.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for found in (apart(X), loaded(X)):
        keras.tree.map_structure(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found, model(X)
        )
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert separated(apart) is apart, "once is enough"
    frozen = {layer.name for layer in layers_in(model) if not layer.trainable}
    assert frozen >= {layer.name for layer in layers_in(apart) if not layer.trainable}


def twice():
    inputs = keras.Input((4,))
    layer = layers.Dense(4)
    return keras.Model(inputs, layer(layer(inputs)))


def a_model_twice():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4)])
    inputs = keras.Input((4,))
    return keras.Model(inputs, inner(inner(inputs)))


def recurrent():
    return keras.Sequential(
        [keras.Input((4, 1)), layers.Bidirectional(layers.GRU(2)), layers.Dense(1)]
    )


@pytest.mark.parametrize("make", [twice, a_model_twice, recurrent])
def test_what_keras_can_load_is_left_as_it_is(make):
    model = make()
    assert separated(model) is model


def test_layers_that_stand_elsewhere_are_counted():
    model, taken = twice(), set()
    assert separated(model, taken) is model
    assert separated(model, taken) is not model


class Unmakable(layers.Layer):
    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.called = function

    def call(self, x):
        return self.called(x)

    def get_config(self):
        raise NotImplementedError("no configuration")


def test_what_cannot_be_copied_is_left_as_it_is():
    shared = Unmakable(abs, name="own")
    inner = keras.Sequential([keras.Input((4,)), shared], name="inner")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, inner(shared(inputs)))
    assert separated(model) is model
    with pytest.raises(ValueError, match="cannot be made again"):
        copied_apart(model)
