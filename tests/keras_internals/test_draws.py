"""A Keras that draws its seeds elsewhere fails here by name."""

import random

import keras
import pytest

from adaptive_nets import keras_internals as internals

pytestmark = pytest.mark.backend_agnostic


def drawn():
    layer = keras.layers.Dropout(0.5)
    loose = keras.random.uniform((2,))
    seed = keras.initializers.GlorotUniform().seed
    return [*keras.ops.convert_to_numpy(layer.seed_generator.state), *loose, seed]


def test_draw_seed():
    random.seed(2)
    expected = random.Random(2).randint(1, int(1e9))
    assert internals.draw_seed() == expected
    with internals.seeded(2):
        assert internals.draw_seed() == expected
        assert internals.draw_seed() != expected


def test_seeded():
    keras.utils.set_random_seed(3)
    expected = drawn()
    keras.utils.set_random_seed(3)
    state = random.getstate()
    found = []
    for _ in range(2):
        with internals.seeded(1):
            found.append(drawn())
    assert found[0] == found[1] != expected
    assert random.getstate() == state
    assert drawn() == expected
