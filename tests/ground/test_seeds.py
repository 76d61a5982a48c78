"""Seeds: a thread's layers are reproducible, and no state of the process is read or changed."""

import random
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.keras_internals import seeded

X = np.random.default_rng(0).normal(size=(48, 4)).astype("float32")
Y = (X[:, 0] * X[:, 1] > 0).astype(int)


def drawn(between=lambda: None):
    """What is drawn where no seed was given, with something done in the middle."""
    with seeded(5):
        first = keras.layers.Dense(2)
        between()
        dropout = keras.layers.Dropout(0.5)
        loose = keras.random.uniform((2,))
    first.build((None, 3))
    state = keras.ops.convert_to_numpy(dropout.seed_generator.state)
    return [np.asarray(first.kernel), state, np.asarray(loose)]


def assert_equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_draws_inside_are_reproducible_and_depend_on_the_seed():
    assert_equal(drawn(), drawn())
    with seeded(6):
        other = keras.layers.Dense(2)
        other.build((None, 3))
    assert not np.array_equal(np.asarray(other.kernel), drawn()[0])


def test_seeds_may_be_nested():
    def inside():
        with seeded(1):
            keras.layers.Dropout(0.5)

    assert_equal(drawn(inside), drawn())


def test_other_threads_draw_from_the_process_meanwhile():
    found = []

    def act():
        found.append(keras.layers.Dropout(0.5).seed_generator.state.numpy()[0])

    def other():
        thread = threading.Thread(target=act)
        thread.start()
        thread.join()

    random.seed(3)
    assert_equal(drawn(other), drawn())
    random.seed(3)
    act()
    assert found[0] == found[1]


def states():
    """What the process would draw next, from each of its generators."""
    return [
        random.getstate(),
        np.random.get_state()[1:],
        tf.random.get_global_generator().state.numpy(),
        tf.random.uniform((3,)).numpy(),
        keras.ops.convert_to_numpy(keras.random.uniform((3,))),
        keras.ops.convert_to_numpy(keras.random.normal((3,))),
    ]


class Noisy(keras.layers.Layer):
    """Draws without a seed in its call."""

    def call(self, x, training=False):
        return x + 0.1 * keras.random.normal(keras.ops.shape(x)) if training else x


def models():
    dense = keras.layers.Dense
    return {
        "noisy": lambda: keras.Sequential([dense(4, "relu"), Noisy(), dense(1)]),
        "normed": lambda: keras.Sequential(
            [dense(4), keras.layers.BatchNormalization(), keras.layers.Dropout(0.3), dense(1)]
        ),
    }


def search(kind="dense", **settings):
    generator = {
        "dense": lambda: an.generators.Dense(4, [1], dropout=0.1),
        "pool": lambda: an.generators.Pool(models(), majority=2),
    }[kind]()
    # What its users create beforehand, the process' state decides.
    given = keras.layers.Dense(4, kernel_initializer=keras.initializers.GlorotUniform(1))
    preprocessing = given if kind == "pool" else "auto"
    return an.AdaNet(
        an.heads.BinaryClass(), generator, seed=0, max_iterations=2, steps_per_iteration=3,
        force_grow=True, preprocessing=preprocessing, **settings,
    )  # fmt: skip


def used(made, folder):
    """Does with a search all that users do."""
    made.fit(X, Y, validation_split=0.25, verbose=0, batch_size=8)
    made.predict(X)
    made.evaluate(X, Y)
    made.best_single.save(folder / "single.keras")
    made.export(folder / "export", subnetworks="logits")
    return made.model.get_weights()


@pytest.mark.parametrize("kind", ["dense", "pool"])
def test_a_search_leaves_the_random_states_of_the_process(kind, tmp_path):
    settings = {"model_dir": tmp_path / "search"} if kind == "dense" else {}
    made = search(kind, **settings)
    keras.utils.set_random_seed(7)
    expected = states()
    keras.utils.set_random_seed(7)
    used(made, tmp_path)
    if settings:
        made.fuse()
        an.AdaNet.load(tmp_path / "search").predict(X)
    for found, wanted in zip(states(), expected, strict=True):
        keras.tree.map_structure(np.testing.assert_array_equal, found, wanted)


@pytest.mark.parametrize("kind", ["dense", "pool"])
def test_two_searches_in_two_threads_find_what_one_finds(kind):
    found = {}

    def act(key):
        found[key] = search(kind).fit(X, Y, verbose=0, batch_size=8).model.get_weights()

    act("alone")
    threads = [threading.Thread(target=act, args=(key,)) for key in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for key in ("one", "other"):
        assert_equal(found[key], found["alone"])
