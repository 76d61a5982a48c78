"""LoRA's weights merged into kernels: the same function, and growth behind it."""

import keras
import numpy as np
import pytest

from adaptive_nets import growth, majority

layers = keras.layers
X = np.random.default_rng(0).integers(0, 9, (5, 6)).astype("int32")


def adapted(gc):
    """LoRA in every layer that has it, one of them inside another layer and one in a model."""
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(9, 4, name="words")(inputs)
    x = layers.EinsumDense("abc,cd->abd", (None, 4), bias_axes="d", name="einsum")(x)
    x = layers.Conv1D(4, 3, padding="same", activation="relu", name="conv")(x)
    x = layers.TimeDistributed(layers.Dense(3, "relu", name="inner"), name="wrapped")(x)
    x = layers.GlobalAveragePooling1D()(x)
    inside = keras.Sequential([keras.Input((3,)), layers.Dense(5, "relu", name="deep")], name="in")
    model = keras.Model(inputs, layers.Dense(2, name="head")(inside(x)))
    inner = model.get_layer("wrapped").layer
    deep = model.get_layer("in").layers[0]
    named = (model.get_layer(name) for name in ("words", "einsum", "conv"))
    for layer in (*named, inner, deep):
        layer.enable_lora(2, lora_alpha=3)
    return gc.randomise(model)


@pytest.fixture(scope="module")
def model(gc):
    return adapted(gc)


def test_the_merged_model_computes_the_same_with_plain_layers_that_learn(gc, model):
    before = gc.outputs(model, X)
    merged = growth.merge_lora(model)
    assert gc.gap(gc.outputs(merged, X), before) <= 1e-6
    assert gc.gap(gc.outputs(model, X), before) == 0
    assert not [w for w in merged.weights if "lora" in w.path]
    assert all(w.trainable for w in merged.weights)
    conv = model.get_layer("conv")
    product = np.array(conv.lora_kernel_a) @ np.array(conv.lora_kernel_b)
    expected = np.array(conv.variables[0]) + 1.5 * product
    np.testing.assert_allclose(np.array(merged.get_layer("conv").kernel), expected, atol=1e-6)


def test_it_grows_and_expands_then(gc, model):
    with pytest.raises(ValueError, match=r"LoRA.*growth\.merge_lora\(model\)"):
        majority.expand(model)
    before, merged = gc.outputs(model, X), growth.merge_lora(model)
    for grown in (growth.widen(merged, 2.0), majority.expand(merged)):
        assert gc.gap(gc.outputs(grown, X), before) <= 1e-5


def test_it_is_compiled_saved_and_trained_on(gc, tmp_path):
    source = keras.Sequential([keras.Input((3,)), layers.Dense(4, name="a"), layers.Dense(2)])
    source.layers[0].enable_lora(1)
    source.layers[1].trainable = False
    gc.randomise(source)
    source.compile(keras.optimizers.SGD(0.1), "mse")
    merged, x = growth.merge_lora(source), np.ones((4, 3), "float32")
    # What was frozen for another reason than LoRA stays so.
    assert not merged.layers[1].trainable and merged.layers[0].kernel.trainable
    before = np.array(merged.layers[0].kernel)
    merged.fit(x, np.zeros((4, 2)), verbose=0)
    assert np.abs(np.array(merged.layers[0].kernel) - before).max() > 0
    merged.save(tmp_path / "a.keras")
    again = keras.saving.load_model(tmp_path / "a.keras")
    assert gc.gap(gc.outputs(again, x), gc.outputs(merged, x)) == 0


def test_models_without_lora_or_with_quantized_kernels_are_refused():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, name="a")])
    with pytest.raises(ValueError, match="none of whose layers has any"):
        growth.merge_lora(model)
    model.layers[0].enable_lora(1)
    model.layers[0].quantize("int8")
    with pytest.raises(ValueError, match=r"'a': its kernel is quantized \(int8\)"):
        growth.merge_lora(model)
