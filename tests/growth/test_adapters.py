"""LoRA's factors grow beside their kernels: the same function, and they go on learning."""

import keras
import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets import growth, majority
from adaptive_nets.graphs import copy_model

layers = keras.layers
RNG = np.random.default_rng(0)
WORDS = RNG.integers(0, 9, (5, 6)).astype("int32")


def texts(seed=0, rank=2):
    """Factors beside every kind of kernel, with a share that is not 1."""
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(9, 4, name="words")(inputs)
    x = layers.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de", name="heads")(x)
    x = layers.EinsumDense("abde,dec->abc", (None, 4), activation="relu", name="joined")(x)
    x = layers.Conv1D(4, 3, padding="same", activation="relu", name="conv")(x)
    x = layers.Conv1D(4, 3, padding="same", groups=2, activation="relu", name="groups")(x)
    x = layers.TimeDistributed(layers.Dense(3, "relu", name="inner"), name="wrapped")(x)
    x = layers.Dense(5, "relu", name="dense")(layers.GlobalAveragePooling1D()(x))
    model = keras.Model(inputs, layers.Dense(2, name="head")(x))
    for name in ("words", "heads", "joined", "conv", "groups", "dense", "head"):
        model.get_layer(name).enable_lora(rank, lora_alpha=3 * rank)
    model.get_layer("wrapped").layer.enable_lora(rank, lora_alpha=3 * rank)
    return randomised(model, seed)


def randomised(model, seed):
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(0.5 * rng.normal(size=weight.shape).astype("float32"))
    return model


def factors(model):
    return {w.path: w for w in model.weights if "lora" in w.path}


@pytest.fixture(scope="module")
def model():
    return texts()


GROWN = {
    "zero": lambda model: growth.widen(model, 2.0),
    "replicate": lambda model: growth.widen(model, 2.0, method="replicate"),
    "named": lambda model: growth.widen(model, {"dense": 9, "words": 6}),
    "deepen": lambda model: growth.deepen(model, 1),
    "self_fuse": lambda model: growth.self_fuse(model, cross="zero"),
    "copy": copy_model,
}


@pytest.mark.parametrize("verb", GROWN)
def test_the_function_stays_and_the_factors_are_there(gc, model, verb):
    expected = gc.outputs(model, WORDS)
    grown = GROWN[verb](model)
    assert gc.gap(gc.outputs(grown, WORDS), expected) <= 1e-5
    assert len(factors(grown)) == len(factors(model))
    assert all(w.trainable for w in factors(grown).values())
    # Merged behind growth it is the same as well.
    assert gc.gap(gc.outputs(growth.merge_lora(grown), WORDS), expected) <= 1e-5
    learning = {w.path for w in model.trainable_weights}
    kept = [w for w in grown.trainable_weights if w.path in {x.path for x in model.weights}]
    assert {w.path for w in kept} <= learning


def test_ranks_stand_side_by_side_where_models_are_fused(gc, model):
    other = texts(seed=1, rank=3)
    fused = growth.fuse([model, other])
    expected = [(gc.outputs(model, WORDS)[0] + gc.outputs(other, WORDS)[0]) / 2]
    assert gc.gap(gc.outputs(fused, WORDS), expected) <= 1e-5
    dense = fused.get_layer("dense")
    assert dense.lora_rank == 5 and dense.lora_alpha / dense.lora_rank == 3
    a, b = np.array(dense.lora_kernel_a), np.array(dense.lora_kernel_b)
    first = model.get_layer("dense")
    np.testing.assert_allclose(a[:3, :2], np.array(first.lora_kernel_a), rtol=1e-6)
    np.testing.assert_allclose(b[:2, :5], np.array(first.lora_kernel_b), rtol=1e-6)
    assert not a[:3, 2:].any() and not b[2:, :5].any()


def test_new_features_learn_through_the_factors(gc):
    x = RNG.normal(size=(8, 3)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(2)])
    for layer in model.layers:
        layer.enable_lora(2)
    randomised(model, 0).compile(keras.optimizers.Adam(0.01), "mse")
    frozen = np.array(model.layers[0].variables[0])
    schedule = an.callbacks.GrowthSchedule({1: growth.Widen(2.0)}, unit="epoch")
    model.fit(x, np.zeros((8, 2)), epochs=3, verbose=0, callbacks=[schedule])
    assert tuple(model.layers[0].lora_kernel_b.shape) == (2, 8)
    assert np.abs(np.array(model.layers[1].lora_kernel_a)[4:]).max() > 0
    np.testing.assert_array_equal(np.array(model.layers[0]._kernel)[:, :4], frozen)


def test_gradients_of_copies_are_what_slots_are_scaled_to():
    """A factor's gradient is the old one's, over the copies of what it makes."""
    import tensorflow as tf

    model = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.Dense(2)])
    for layer in model.layers:
        layer.enable_lora(2)
    grown = growth.widen(randomised(model, 0), 2.0, method="replicate")
    x, y = (RNG.normal(size=(8, n)).astype("float32") for n in (3, 2))
    slopes = []
    for each in (model, grown):
        with tf.GradientTape() as tape:
            loss = keras.ops.mean((each(x) - y) ** 2)
        held = [w.value for w in each.layers[0].trainable_weights if "lora" in w.path]
        slopes.append([np.array(g) for g in tape.gradient(loss, held)])
    (a, b), (grown_a, grown_b) = slopes
    np.testing.assert_allclose(grown_a, a, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(grown_b[:, :4], b / 2, rtol=1e-4, atol=1e-6)


def test_what_cannot_grow_names_the_way_out(gc, model):
    other = texts(seed=1)
    other.get_layer("dense").lora_alpha = 1
    with pytest.raises(ValueError, match=r"'dense': LoRA's weights have another share.*merge_lora"):
        growth.fuse([model, other])
    plain = growth.merge_lora(model)
    with pytest.raises(ValueError, match=r"no LoRA.*merge_lora"):
        growth.fuse([model, plain])
    inputs = keras.Input((6, 4))
    attention = layers.MultiHeadAttention(2, 3, name="attention")
    whole = keras.Model(inputs, layers.Dense(2)(attention(inputs, inputs)))
    attention.query_dense.enable_lora(2)
    for verb in (
        lambda: growth.widen(whole, 2.0),
        lambda: growth.deepen(whole, 1),
        lambda: growth.self_fuse(whole),
        lambda: majority.expand(whole),
        lambda: copy_model(whole),
    ):
        with pytest.raises(ValueError, match=r"merge_lora\(model\)"):
            verb()
    x = RNG.normal(size=(3, 6, 4)).astype("float32")
    merged = growth.merge_lora(randomised(whole, 0))
    assert gc.gap(gc.outputs(merged, x), gc.outputs(whole, x)) <= 1e-5
