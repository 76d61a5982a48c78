"""`fuse_ensemble` of dense networks, of tables of features and of pools of models."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from adaptive_nets.adanet.fusion.fuse_ensemble import fuse_ensemble

UNITS = 3


@pytest.mark.parametrize("kind", ["uniform", "scalar", "vector", "matrix"])
def test_mixture_weights_and_bias_are_folded_in(fz, kind):
    fused = fz.assert_equal(*fz.ensemble_of(fz.dense([1, 2, 3, 2]), fz.TABLE, kind), fz.TABLE)
    assert fz.kinds(fused) == ["InputLayer", *["Dense", "Activation"] * 3, "Dense"]
    assert fused.layers[-1].name == "logits"


def test_what_is_read_of_earlier_members_stands_off_the_diagonal(fz):
    ensemble, ensembler, spec = fz.ensemble_of(fz.dense([2, 2]), fz.TABLE)
    fused = fz.assert_equal(ensemble, ensembler, spec, fz.TABLE)
    first, second = (fz.kernels(m.model) for m in ensemble.members)
    block = fz.kernels(fused)[1]
    assert block.shape == (9, 9)
    np.testing.assert_array_equal(block[:4, :4], first[1])
    np.testing.assert_array_equal(block[:4, 4:], second[1][5:])
    np.testing.assert_array_equal(block[4:, 4:], second[1][:5])
    assert not block[4:, :4].any()


DENSE = {
    "one": ([2], {}, None),
    "of growing depth": ([1, 2, 3], {}, None),
    "of falling depth": ([3, 1, 2], {"connect": "none"}, None),
    "linear": ([0, 0], {}, None),
    "linear first": ([0, 1, 2], {}, None),
    "linear last": ([2, 1, 0], {}, None),
    "without an activation": ([1, 2], {"activation": "linear"}, None),
    "relu6": ([1, 2], {"activation": "relu6"}, None),
    "by pairs: gelu": ([1, 3, 2], {"activation": "gelu"}, None),
    "by pairs: silu": ([1, 3], {"activation": "silu"}, None),
    "by pairs: softplus": ([1, 2], {"activation": "softplus"}, None),
    "by pairs: leaky relu": ([1, 3], {"activation": "leaky_relu"}, None),
    "tanh of one depth": ([2, 2], {"activation": "tanh"}, None),
    "dropout": ([1, 2], {"dropout": 0.2, "connection_dropout": 0.5}, None),
    "batch norm": ([2, 2], {"norm": "batch"}, None),
    "batch norm of growing depth": ([1, 2, 3], {"norm": "batch"}, None),
    "layer norm of one depth": ([2, 2], {"norm": "layer"}, None),
    "reads what is not a member": ([1, 2, 2], {}, [2]),
    "some read what is not a member": ([2, 3, 3], {}, [1, 2]),
}


@pytest.mark.parametrize("name", DENSE)
def test_dense_members(fz, name):
    depths, settings, members = DENSE[name]
    builders = fz.dense(depths, **settings)
    fz.assert_equal(*fz.ensemble_of(builders, fz.TABLE, "vector", members), fz.TABLE)


def test_of_unequal_depth_a_norm_is_folded_only_where_it_would_stand_in_the_way(fz):
    ensemble, ensembler, spec = fz.ensemble_of(fz.dense([1, 2], norm="batch"), fz.TABLE)
    fused = fuse_ensemble(ensemble, ensembler, spec)
    assert fz.kinds(fused)[1:] == [
        "Dense", "BatchNormalization", "Activation", "Dense", "Activation", "Dense"
    ]  # fmt: skip


def test_features_of_several_kinds_are_read_as_the_search_reads_them(fz):
    x = {
        "a": fz.TABLE[:, :2],
        "b": (fz.TABLE[:, :3] * 9).astype("int32"),
        "c": fz.TABLE.reshape(-1, 2, 3),
    }
    fused = fz.assert_equal(*fz.ensemble_of(fz.dense([1, 2]), x), x)
    assert {name: t.dtype for name, t in fused.input.items()} == {
        "a": "float32", "b": "int32", "c": "float32"
    }  # fmt: skip


def text_model(vocabulary):
    def make():
        word, number = keras.Input((1,), dtype="string", name="w"), keras.Input((6,), name="n")
        lookup = layers.StringLookup()
        lookup.adapt(next(vocabulary))
        scaled = layers.Normalization(mean=[1.0] * 6, variance=[2.0] * 6)(number)
        embedded = layers.Flatten()(layers.Embedding(4, 2)(lookup(word)))
        x = layers.Dense(4, "relu")(layers.Concatenate()([embedded, scaled]))
        return keras.Model({"w": word, "n": number}, layers.Dense(UNITS)(x))

    return make


def worded(fz):
    words = fz.RNG.choice(["a", "b", "c"], (len(fz.TABLE), 1)).astype(object)
    return {"w": words, "n": fz.TABLE}


def test_tables_and_scales_that_members_share_are_kept_once(fz):
    words = iter([["a", "b", "c", "a"]] * 2)
    x = worded(fz)
    tensors = {key: tf.constant(value) for key, value in x.items()}
    ensemble, ensembler, spec = fz.ensemble_of(fz.pooled(text_model(words)), x)
    fused = fuse_ensemble(ensemble, ensembler, spec)
    expected = fz.outputs_of(ensemble, ensembler, tensors)
    np.testing.assert_allclose(fused.predict(tensors, verbose=0), expected, atol=1e-5)
    assert fz.kinds(fused).count("StringLookup") == fz.kinds(fused).count("Normalization") == 1
    assert fused.get_layer("normalization_1").output.shape == (None, 6)


def test_tables_that_differ_are_refused(fz):
    words = iter([["a", "b", "c", "a"], ["c", "b", "a", "c"]])
    with pytest.raises(ValueError, match=r"'string_lookup_1'.* Expected equal .*vocabularies"):
        fuse_ensemble(*fz.ensemble_of(fz.pooled(text_model(words)), worded(fz)))


def nested():
    inside = keras.Sequential([layers.Dense(5, "tanh"), layers.BatchNormalization()])
    return keras.Sequential([inside, layers.Dropout(0.1), layers.Dense(UNITS)])


def ends_in_a_shift():
    inputs = keras.Input((6,))
    return keras.Model(inputs, layers.Dense(UNITS)(layers.Dense(4, "elu")(inputs)) + 0.5)


def holds_a_model_that_stays_as_in_prediction():
    number = layers.Normalization(mean=[1.0] * 6, variance=[2.0] * 6)
    inside = keras.Sequential(
        [keras.Input((6,)), number, layers.Dense(4, "relu"), layers.BatchNormalization()],
        name="dense_1",
    )
    inputs = keras.Input((6,))
    return keras.Model(inputs, layers.Dense(UNITS)(inside(inputs, training=False)))


def recurrent():
    return keras.Sequential([layers.Reshape((3, 2)), layers.LSTM(4), layers.Dense(UNITS)])


@pytest.mark.parametrize(
    "model", [nested, holds_a_model_that_stays_as_in_prediction, ends_in_a_shift, recurrent]
)
@pytest.mark.parametrize("kind", ["vector", "matrix"])
def test_pool_models_of_one_topology(fz, model, kind):
    fz.assert_equal(*fz.ensemble_of(fz.pooled(model), fz.TABLE, kind), fz.TABLE)
