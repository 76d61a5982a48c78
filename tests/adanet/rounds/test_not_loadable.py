"""What could not be loaded from a file is said before a round trains."""

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.graphs.loadable import why_not_loaded

X = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


def unregistered(x):
    return 2.0 * x


@keras.saving.register_keras_serializable(package="loadable")
def registered(x):
    return 2.0 * x


def local_class():
    class Local(keras.layers.Layer):
        def call(self, x):
            return x

    return Local()


@keras.saving.register_keras_serializable(package="loadable")
class Scaled(keras.layers.Layer):
    """It has a setting that no configuration holds."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = keras.ops.convert_to_tensor(factor)

    def call(self, x):
        return self.factor * x


LAYERS = {
    "lambda": lambda: keras.layers.Lambda(lambda x: x),
    "local class": local_class,
    "no configuration": lambda: Scaled(np.float32([2.0])),
    "unregistered function": lambda: keras.layers.Activation(unregistered),
    "inside a layer": lambda: keras.layers.SpectralNormalization(
        keras.layers.Dense(4, activation=unregistered)
    ),
    "inside a model": lambda: keras.Sequential([keras.Input((4,)), local_class()]),
}


@keras.saving.register_keras_serializable(package="loadable")
class Subclassed(keras.Model):
    """A model of the user's own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(2)

    def call(self, x):
        return self.dense(x)


def compiled():
    model = Subclassed()
    model.compile(loss=lambda y, found: found)
    return model


def make(layer):
    return lambda: keras.Sequential([keras.Input((4,)), layer(), keras.layers.Dense(1)])


def search(layer, **settings):
    pool = an.generators.Pool({"mine": make(layer)})
    return an.AdaNet(
        an.heads.BinaryClass(), pool, max_iterations=1, steps_per_iteration=1, seed=0, **settings
    )


@pytest.mark.parametrize("name", LAYERS)
def test_a_folder_refuses_what_it_could_not_give_back(name, tmp_path):
    made = search(LAYERS[name], model_dir=tmp_path / "search")
    with pytest.raises(ValueError, match="^The subnetwork of builder 'mine' could not be loaded"):
        made.fit(X, Y, verbose=0)
    assert not list((tmp_path / "search").rglob("*.json"))


@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.Lambda(registered),
        lambda: keras.layers.Activation(registered),
        lambda: keras.layers.Activation("relu"),
        compiled,
        lambda: keras.layers.Dense(2, activation="gelu", kernel_constraint="unit_norm"),
    ],
)
def test_what_keras_knows_is_loaded(layer):
    assert why_not_loaded(make(layer)()) is None


def test_without_a_folder_it_is_a_warning(caplog):
    made = search(LAYERS["lambda"])
    made.fit(X, Y, verbose=0)
    assert "could not be loaded with the subnetwork of builder 'mine'" in caplog.text
    assert made.predict(X).shape == (24,)
