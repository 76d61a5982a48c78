"""Layers whose `get_config` does not say all that they were made of: completed, or refused."""

import keras
import numpy as np
import pytest

from adaptive_nets import growth, majority
from adaptive_nets.graphs import copy_model
from adaptive_nets.keras_internals import layers_in

layers = keras.layers


class Gain(layers.Layer):
    """What the others do: a gain of a number, then a function."""

    def __init__(self, gain=1.0, activation="linear", **kwargs):
        super().__init__(**kwargs)
        self.gain = gain
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        self.bias = self.add_weight(shape=(input_shape[-1],), initializer="random_normal")

    def call(self, x):
        return self.activation(self.gain * x + self.bias)

    def compute_output_shape(self, input_shape):
        return input_shape


class Raising(Gain):
    def get_config(self):
        return {**super().get_config(), "gain": self.gained}


class Omitting(Gain):
    def get_config(self):
        return layers.Layer.get_config(self) | {"activation": "linear"}


class OmittingFunction(Gain):
    def get_config(self):
        return layers.Layer.get_config(self) | {"gain": self.gain}


class Misnaming(Gain):
    def get_config(self):
        return layers.Layer.get_config(self) | {"gian": self.gain, "activation": "linear"}


class Needing(Gain):
    def __init__(self, gain, **kwargs):
        super().__init__(gain, **kwargs)

    def get_config(self):
        return layers.Layer.get_config(self)


class Hiding(layers.Layer):
    """Its argument is no attribute of it; Keras has noted it."""

    def __init__(self, gain=1.0, **kwargs):
        super().__init__(**kwargs)
        self.inner = Gain(gain)

    def call(self, x):
        return self.inner(x)

    def get_config(self):
        return layers.Layer.get_config(self)


class WithoutBase(Gain):
    def get_config(self):
        return {"gain": self.gain, "activation": "linear"}


class Wrapping(layers.Layer):
    """Another layer is in its configuration."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def build(self, input_shape):
        if not self.inner.built:
            self.inner.build(input_shape)

    def call(self, x):
        return self.inner(x)

    def get_config(self):
        inner = keras.saving.serialize_keras_object(self.inner)
        return {**super().get_config(), "inner": inner}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "inner": keras.saving.deserialize_keras_object(config["inner"])})


class Lost(layers.Layer):
    """Nobody knows its argument."""

    def __init__(self, gains=None, **kwargs):
        super().__init__(**kwargs)
        self.total = 1.0 if gains is None else float(np.sum(gains))

    def call(self, x):
        return self.total * x

    def get_config(self):
        return layers.Layer.get_config(self)


class Bound(layers.Layer):
    """The layer that it is given is not in its configuration, and it has a weight of its own."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def build(self, input_shape):
        self.bias = self.add_weight(shape=(input_shape[-1],))

    def call(self, x):
        return self.inner(x) + self.bias

    def get_config(self):
        return layers.Layer.get_config(self)


class Bank(layers.Layer):
    """Keras cannot note its arguments: one is an object, and another is kept by another name."""

    def __init__(self, size, initializer, activation_fn="tanh", **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.initializer = initializer
        self.activation = keras.activations.get(activation_fn)

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1],), initializer=self.initializer)

    def call(self, x):
        return self.activation(self.size * x * self.kernel)


class Banked(layers.Layer):
    """It makes a layer that has no configuration."""

    def __init__(self, size, initializer="random_normal", **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.initializer = keras.initializers.get(initializer)
        self.mixed = layers.Dense(5)

    def build(self, input_shape):
        self.mixed.build(input_shape)
        self.bank = Bank(self.size, self.initializer, dtype=self.dtype_policy)
        self.bank.build(input_shape)

    def call(self, x):
        return self.bank(self.mixed(x))

    def get_config(self):
        initializer = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), "size": self.size, "initializer": initializer}


class Unformed(layers.Layer):
    """Its `from_config` leaves the form of the layer inside as it is."""

    def __init__(self, inner, other=None, **kwargs):
        super().__init__(**kwargs)
        self.inner, self.other = inner, other
        self.units = inner.units

    def build(self, input_shape):
        if not self.inner.built:
            self.inner.build(input_shape)

    def call(self, x):
        return self.inner(x)

    def get_config(self):
        inner, other = map(keras.saving.serialize_keras_object, (self.inner, self.other))
        return {**super().get_config(), "inner": inner, "other": other}


class FormOfNone(Unformed):
    """Its `from_config` makes a layer of everything, also of None."""

    @classmethod
    def from_config(cls, config):
        made = {name: keras.layers.deserialize(config.pop(name)) for name in ("inner", "other")}
        return cls(**made, **config)


class Classed(layers.Layer):
    """It is given a class, which Keras cannot write down."""

    def __init__(self, norm, **kwargs):
        super().__init__(**kwargs)
        self.norm = norm
        self.inner, self.mixed = norm(name="norm"), layers.Dense(5, name="mixed")

    def call(self, x):
        return self.inner(self.mixed(x))

    def get_config(self):
        return {**super().get_config(), "norm": keras.saving.serialize_keras_object(self.norm)}


CLASSES = (Gain, Raising, Omitting, OmittingFunction, Misnaming, Needing, Hiding, WithoutBase)
CUSTOM = {each.__name__: each for each in (*CLASSES, Wrapping)}
MADE = {
    "raising": lambda: Raising(2.5),
    "omitting": lambda: Omitting(2.5),
    "a function": lambda: OmittingFunction(2.5, keras.activations.tanh),
    "a name": lambda: OmittingFunction(2.5, "tanh"),
    "misnaming": lambda: Misnaming(2.5),
    "needing": lambda: Needing(2.5),
    "hiding": lambda: Hiding(2.5),
    "dtype": lambda: WithoutBase(2.5, dtype="float64"),
    "wrapped": lambda: Wrapping(Omitting(2.5)),
    "wrapped and raising": lambda: Wrapping(Raising(2.5)),
    "stock around it": lambda: layers.TimeDistributed(Omitting(2.5)),
    "twice": lambda: Wrapping(Wrapping(Raising(2.5))),
}


def network(*inside):
    x = inputs = keras.Input((3, 4))
    x = layers.Dense(5, "relu")(x)
    for layer in inside:
        x = layer(layers.Rescaling(0.5)(x))
    x = layers.Dense(5, "relu")(x)
    return keras.Model(inputs, layers.Dense(2)(x))


def sample():
    return np.random.default_rng(0).normal(size=(6, 3, 4)).astype("float32")


def outputs(model):
    return np.asarray(keras.ops.convert_to_numpy(model(sample(), training=False)))


def same(model, expected):
    np.testing.assert_allclose(outputs(model), expected, rtol=1e-5, atol=1e-5)


VERBS = {
    "copy": copy_model,
    "widen": lambda model: growth.widen(model, 2.0, verify=False),
    "deepen": lambda model: growth.deepen(model, 1, verify=False),
    "self_fuse": lambda model: growth.self_fuse(model, cross="zero", verify=False),
    "expand": lambda model: majority.expand(model, verify=False),
    "collapse": lambda model: majority.collapse(majority.expand(model), verify=False)[0],
}


@pytest.fixture(scope="module")
def model():
    """One network with a layer of each kind, which every verb copies."""
    return network(*(make() for make in MADE.values()))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_keeps_what_a_configuration_forgets(verb, model, tmp_path):
    expected = outputs(model)
    new = VERBS[verb](model)
    same(new, expected)
    # And the copy of a copy, and what is loaded.
    again = copy_model(new)
    same(again, expected)
    again.save(tmp_path / "model.keras")
    same(
        keras.models.load_model(tmp_path / "model.keras", custom_objects=CUSTOM, compile=False),
        expected,
    )


UNREADABLE = {
    "no configuration inside": lambda: Banked(2.5),
    "form": lambda: Unformed(layers.Dense(5)),
    "form of None": lambda: FormOfNone(layers.Dense(5)),
    "class": lambda: Classed(layers.LayerNormalization),
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_makes_what_keras_does_not_read(verb):
    model = network(*(make() for make in UNREADABLE.values()))
    same(VERBS[verb](model), outputs(model))


@pytest.mark.parametrize("name", MADE)
def test_a_copy_holds_the_same_and_the_model_is_left_alone(name):
    made = network(MADE[name]())
    same(copy_model(made), outputs(made))
    # Nothing stays on the layers that were read.
    assert not any("get_config" in vars(each) for each in layers_in(made))


@pytest.mark.parametrize("verb", VERBS)
def test_what_nothing_says_comes_along_as_an_attribute(verb):
    model = network(Lost(np.array([1.0, 2.0])))
    same(VERBS[verb](model), outputs(model))


def test_an_attribute_that_was_changed_comes_along():
    model = network(Gain(2.0, name="gain"))
    model.get_layer("gain").gain = 0.5
    copy = copy_model(model)
    assert copy.get_layer("gain").gain == 0.5
    same(copy, outputs(model))


@pytest.mark.parametrize("verb", VERBS)
def test_what_cannot_be_completed_is_refused_by_name(verb):
    model = network(Bound(layers.Dense(5), name="bound"))
    with pytest.raises(ValueError, match="'bound'.*missing 1 required.*'inner'"):
        VERBS[verb](model)
