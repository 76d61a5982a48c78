"""A Keras that lacks it fails here by name: layers that stand for those of the first call."""

import keras
import numpy as np
import pytest

from adaptive_nets import keras_internals as internals


def network(x, width=2):
    return keras.layers.Dense(1)(keras.layers.Dense(width)(x))


def test_reused_layers():
    known, x, before = [], np.ones((2, 3), "float32"), keras.layers.Layer.__call__
    with internals.reused_layers(known):
        first = network(x)
    assert len(known) == 2
    with internals.reused_layers(known, grows=False):
        np.testing.assert_array_equal(network(x), first)
        # A model that is put together within keeps its own layers.
        inputs = keras.Input((3,))
        keras.Model(inputs, network(inputs))
    for other in (lambda: network(network(x)), lambda: keras.layers.Flatten()(x)):
        with (
            internals.reused_layers(known, grows=False),
            pytest.raises(ValueError, match="same layers in the same order.*Received"),
        ):
            other()
    assert keras.layers.Layer.__call__ is before and len(known) == 2
