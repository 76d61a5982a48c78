"""`copy.deepcopy` and `pickle` of a search, fitted or not, give one that goes on like it."""

import copy
import pickle
import random

import keras
import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an


def pickled(search):
    return pickle.loads(pickle.dumps(search))


BOTH = pytest.mark.parametrize("copied", [copy.deepcopy, pickled])


class Named(an.AdaNet):
    """A search with an attribute of its own."""


def pool():
    base = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)], name="base")
    base.trainable = False
    top = keras.layers.Dense(3, kernel_initializer=keras.initializers.GlorotUniform(1))
    return an.generators.Pool({"a": keras.Sequential([keras.Input((6,)), base, base_again(), top])})


def base_again():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.2)], name="inner")


@BOTH
def test_a_new_search_is_copied(copied, lc):
    x, y = lc.blobs(60)
    search = lc.small(preprocessing="standardize", max_iterations=1)
    other = copied(search)
    assert repr(other) == repr(search)
    lc.assert_same(other.fit(x, y, verbose=0), search.fit(x, y, verbose=0))


@BOTH
def test_a_fitted_search_goes_on_in_its_copy(copied, lc):
    x, y = lc.blobs(60)
    search = lc.small(preprocessing="standardize", max_iterations=1, mixture_weights="matrix")
    search.fit(x, y, verbose=0)
    other = copied(search)
    lc.assert_same(other, search)
    np.testing.assert_array_equal(other.predict(x, "logits"), search.predict(x, "logits"))
    shared = {id(v) for v in search.ensemble.members[0].model.variables}
    assert shared.isdisjoint(id(v) for v in other.ensemble.members[0].model.variables)
    before = search.model.get_weights()
    other.max_iterations = 2
    other.fit(x, y, verbose=0)
    assert (other.state.iteration, search.state.iteration) == (2, 1)
    for old, new in zip(before, search.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    search.max_iterations = 2
    lc.assert_same(search.fit(x, y, verbose=0), other)


@BOTH
def test_copying_leaves_the_random_states_of_the_process(copied, lc):
    x, y = lc.blobs(60)
    search = lc.small(max_iterations=1).fit(x, y, verbose=0)
    before = random.getstate(), np.random.get_state()[1:]
    copied(search)
    keras.tree.map_structure(
        np.testing.assert_array_equal, before, (random.getstate(), np.random.get_state()[1:])
    )


@BOTH
def test_a_round_that_was_interrupted_goes_on_in_the_copy(copied, lc, one_step_calls):
    x, y = lc.blobs(60)
    search = lc.small(max_iterations=1)
    search.fit(x, y, verbose=0, callbacks=[lc.StopAt(1, 3)])
    other = copied(search)
    lc.assert_same(other.fit(x, y, verbose=0), search.fit(x, y, verbose=0))


@BOTH
def test_a_pool_is_copied_and_so_are_own_attributes(copied, lc):
    x, y = lc.blobs(60)
    search = Named(
        an.heads.MultiClass(), pool(), max_iterations=1, steps_per_iteration=2, force_grow=True
    ).fit(x, y, verbose=0)
    search.note = ["mine"]
    other = copied(search)
    assert type(other) is Named
    assert other.note == ["mine"]
    assert other.note is not search.note
    np.testing.assert_array_equal(other.predict(x, "logits"), search.predict(x, "logits"))
    other.max_iterations = 2
    assert other.fit(x, y, verbose=0).state.iteration == 2


@BOTH
def test_one_of_two_copies_continues_in_the_folder(copied, lc, tmp_path):
    x, y = lc.blobs(60)
    search = lc.small(tmp_path / "search", max_iterations=1).fit(x, y, verbose=0)
    other = copied(search)
    third = copied(other)
    for each in (search, other):
        each.max_iterations = 2
    other.fit(x, y, verbose=0)
    for late in (search, third, copied(search)):
        with pytest.raises(ValueError, match="^model_dir '.*' holds the rounds of another copy"):
            late.fit(x, y, verbose=0)
        assert late.state.iteration == 1
        late.predict(x)
    lc.assert_same(an.AdaNet.load(tmp_path / "search"), other)
    other.max_iterations = 3
    assert other.fit(x, y, verbose=0).state.iteration == 3


def test_a_copy_may_be_used_where_the_folder_is_not(lc, tmp_path):
    x, y = lc.blobs(60)
    search = lc.small(tmp_path / "search", max_iterations=1).fit(x, y, verbose=0)
    written = pickle.dumps(search)
    (tmp_path / "search").rename(tmp_path / "moved")
    other = pickle.loads(written)
    other.max_iterations = 2
    other.fit(x, y, verbose=0)
    lc.assert_same(an.AdaNet.load(tmp_path / "search"), other)


def test_a_shallow_copy_shares_what_was_found(lc):
    x, y = lc.blobs(60)
    search = lc.small(max_iterations=1).fit(x, y, verbose=0)
    other = copy.copy(search)
    assert other.ensemble is search.ensemble
    other.max_iterations = 7
    assert search.max_iterations == 1


def lambdas():
    return keras.layers.Lambda(lambda x: 2.0 * x, output_shape=(6,))


def local_layer():
    class Local(keras.layers.Layer):
        def call(self, x):
            return x

    return Local()


@pytest.mark.parametrize(
    "settings, named",
    [
        ({"complexity": lambda built: 1.0}, "its complexity cannot: "),
        ({"distribute": tf.distribute.OneDeviceStrategy("/cpu:0")}, "its distribute cannot: "),
        ({"preprocessing": local_layer()}, "its preprocessing cannot: "),
        (
            {"generator": an.generators.Pool({"a": lambda: keras.layers.Dense(3)})},
            "its generator cannot: ",
        ),
    ],
)
def test_what_cannot_be_pickled_is_named(settings, named, lc):
    search = lc.small(**settings)
    with pytest.raises(ValueError, match=f"^The search cannot be pickled, because {named}"):
        pickle.dumps(search)
    other = copy.deepcopy(search)
    assert other.settings is not search.settings


def test_what_cannot_be_copied_is_named(lc):
    search = lc.small()
    search.generator.connection = (each for each in ())
    with pytest.raises(ValueError, match="^The search cannot be copied, because its generator"):
        copy.deepcopy(search)


def test_lambdas_of_layers_are_pickled(lc):
    x, y = lc.blobs(60)
    search = lc.small(max_iterations=1, preprocessing=lambdas()).fit(x, y, verbose=0)
    np.testing.assert_array_equal(pickled(search).predict(x), search.predict(x))
