"""The convolutional models of keras.applications keep their function when deepened.

What is put in adds exact zeros, or passes what is there, so the outputs are equal to the bit;
measured at 64 pixels with one and with four insertions, in float32.
"""

import keras
import numpy as np
import pytest

from adaptive_nets import growth

apps = keras.applications
# The model, and what is put where by default.
MODELS = {
    "ResNet50": (apps.ResNet50, "conv5_block3_out", "BatchNormalization, Activation, Add"),
    "MobileNetV2": (apps.MobileNetV2, "block_15_add", "DepthwiseConv2D"),
    "EfficientNetB0": (apps.EfficientNetB0, "block6d_add", "Multiply, Dropout, Add"),
    "DenseNet121": (apps.DenseNet121, "conv5_block16_1_relu", "Conv2D, Activation"),
    "ConvNeXtTiny": (apps.ConvNeXtTiny, "add_", "LayerScale, Add"),
}


def images():
    return (np.random.default_rng(0).normal(size=(4, 32, 32, 3)) * 50 + 100).astype("float32")


def randomise_gently(model):
    """Every number a feature away from its default; moving statistics not far from the data's.

    So the outputs depend on the inputs through all layers, and norms do something.
    """
    rng = np.random.default_rng(0)
    for variable in model.weights:
        shape = tuple(variable.shape)
        if len(shape) != 1 or shape == (3,) or "moving" in variable.path:
            continue
        scale = "gamma" in variable.path or "layer_scale" in variable.path
        value = rng.uniform(0.5, 1.5, shape) if scale else 0.2 * rng.normal(size=shape)
        variable.assign(value.astype(variable.dtype))
    norms = [n for n in model.layers if isinstance(n, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model(images(), training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        mean, variance = np.array(norm.moving_mean), np.array(norm.moving_variance)
        variance = variance * rng.uniform(0.5, 2.0, variance.shape) + 0.1 * variance.mean()
        norm.moving_variance.assign(variance.astype("float32"))
        offset = 0.2 * np.sqrt(variance) * rng.normal(size=mean.shape)
        norm.moving_mean.assign((mean + offset).astype("float32"))
    return model


@pytest.mark.parametrize("name", MODELS)
def test_function_is_preserved(gc, name):
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    make, place, kinds = MODELS[name]
    settings = {"weights": None, "input_shape": (32, 32, 3), "classes": 5}
    model = randomise_gently(make(**settings, classifier_activation=None))
    x = images()
    expected = gc.outputs(model, x)
    assert np.abs(expected[0][0] - expected[0][1]).max() > 1e-3 * np.abs(expected[0]).max()
    plan = growth.plan_deepen(model, seed=0)
    ((path, insertion),) = plan.places
    assert path.startswith(place)
    assert kinds in insertion.kinds
    grown, pairs = plan.build()
    assert gc.gap(gc.outputs(grown, x), expected) <= 1e-5
    carried = {id(new) for _, new in pairs}
    fresh = [w for w in grown.trainable_weights if id(w) not in carried]
    for variable in fresh:
        variable.assign(variable + 0.5)
    assert gc.gap(gc.outputs(grown, x), expected) > 1e-5
