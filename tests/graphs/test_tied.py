"""Layers that use the weights of others: the copies are as tied as the layers were."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from adaptive_nets import growth, majority
from adaptive_nets.graphs import copy_model

register = keras.saving.register_keras_serializable("tied")
X = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")


@register
class Transposed(layers.Layer):
    """A decoder with the kernel of its encoder, which `from_config` leaves in its form."""

    def __init__(self, tied, **kwargs):
        super().__init__(**kwargs)
        self.tied = tied

    def build(self, shape):
        self.bias = self.add_weight((self.tied.kernel.shape[0],), name="bias")

    def call(self, x):
        return ops.matmul(x, ops.transpose(self.tied.kernel)) + self.bias

    def get_config(self):
        return {**super().get_config(), "tied": keras.saving.serialize_keras_object(self.tied)}


@register
class Loadable(Transposed):
    """The same, of a class that makes a layer of the form: one of its own."""

    @classmethod
    def from_config(cls, config):
        tied = keras.saving.deserialize_keras_object(config["tied"])
        return cls(**{**config, "tied": tied})


@register
class Around(layers.Layer):
    """A residual block around a layer that it was given."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def build(self, shape):
        if not self.inner.built:
            self.inner.build(shape)

    def call(self, x):
        return x + self.inner(x)

    def get_config(self):
        return {**super().get_config(), "inner": keras.saving.serialize_keras_object(self.inner)}

    @classmethod
    def from_config(cls, config):
        return cls(inner=keras.saving.deserialize_keras_object(config["inner"]))


@register
class Own(layers.Layer):
    """A layer with one of its own that the model calls as well."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(6)

    def build(self, shape):
        self.dense.build(shape)

    def call(self, x):
        return ops.relu(self.dense(x))


@register
class Body(keras.Model):
    """A Functional model of a class of its own, which its configuration makes again as a whole."""

    def __init__(self, units=3, **kwargs):
        inputs, encoder = keras.Input((6,)), layers.Dense(units, "relu", name="encoder")
        super().__init__(inputs, layers.Dense(3, "relu")(encoder(inputs)), **kwargs)
        self.units, self.encoder = units, encoder

    def get_config(self):
        return {"name": self.name, "units": self.units}


def decoder(kind):
    def after(x):
        encoder = layers.Dense(3, "relu")
        return kind(encoder)(layers.Dense(3, "relu")(encoder(x)))

    return after


def around(x):
    dense = layers.Dense(6)
    return Around(dense)(ops.relu(Around(dense)(x)))


def own(x):
    layer = Own()
    return layer.dense(layer(x))


def body(x):
    model = Body(name="body")
    return Transposed(model.encoder)(model(x))


def steps(x):
    dense = layers.Dense(6, "relu")
    rows = layers.TimeDistributed(dense)(layers.RepeatVector(2)(x))
    return layers.Concatenate()([layers.Flatten()(rows), dense(x)])


CASES = {
    "decoder": decoder(Transposed),
    "loadable": decoder(Loadable),
    "around": around,
    "own": own,
    "body": body,
    "steps": steps,
}
VERBS = {
    "copy": copy_model,
    "deepen": lambda model: growth.deepen(model, after=["first"], verify=False),
    "widen": lambda model: growth.widen(model, {"last": 8}, verify=False),
    "expand": lambda model: majority.expand(model, 2, verify=False),
    "collapse": lambda model: majority.collapse(
        majority.expand(model, 2, verify=False), verify=False
    )[0],
}
MORE = {"deepen": 2}


def network(case):
    inputs = keras.Input((6,))
    x = layers.Dense(6, "relu", name="first")(inputs)
    x = layers.Dense(4, "relu", name="last")(CASES[case](x))
    model = keras.Model(inputs, layers.Dense(2)(x))
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape))
    return model


def outputs(model):
    return keras.ops.convert_to_numpy(model(X, training=False))


LONG = ("loadable", "steps")
EVERY = [pytest.param(x, marks=[pytest.mark.exhaustive] if x in LONG else []) for x in CASES]


@pytest.fixture(scope="module", params=EVERY)
def model(request):
    return network(request.param)


@pytest.mark.parametrize("verb", VERBS)
def test_what_was_one_weight_stays_one(model, verb):
    new = VERBS[verb](model)
    np.testing.assert_allclose(outputs(new), outputs(model), rtol=1e-4, atol=1e-4)
    assert len(new.weights) == len(model.weights) + MORE.get(verb, 0)
    held = {id(weight) for weight in model.weights}
    assert held.isdisjoint({id(weight) for weight in new.weights})
