"""The convolutional models of keras.applications keep their function when widened or fused.

Largest differences of outputs, relative to their scale, at 64 pixels and 8 images:

                    float32                                 float64
                    zero     replicate self_fuse fuse       all four
    ResNet50        1.9e-7   1.9e-5    1.3e-6    3.2e-6     <= 5e-14
    MobileNetV2     1.4e-7   3.0e-6    2.6e-7    4.1e-7     <= 2e-14
    EfficientNetB0  2.7e-7   1.1e-6    6.1e-7    7.9e-7     <= 4e-15
    DenseNet121     5.7e-7   2.3e-6    5.2e-7    7.2e-7     <= 4e-15
    ConvNeXtTiny    0        1.6e-6    1.3e-6    4.7e-7     <= 3e-15

What exceeds 1e-5 is rounding, as float64 shows: copies are summed in another order.

Their later stages are the first ones again, wider, so the tests take the models up to a layer that
has every kind of block behind it; `WHOLE_CONTRACT=1`, as in `make contract`, takes all of them.
"""

import os

import keras
import numpy as np
import pytest

from adaptive_nets import growth

apps = keras.applications
WHOLE = "WHOLE_CONTRACT" in os.environ
# The model, and the layer that it is taken up to.
MODELS = {
    "ResNet50": (apps.ResNet50, "conv3_block2_out"),
    "MobileNetV2": (apps.MobileNetV2, "block_8_add"),
    "EfficientNetB0": (apps.EfficientNetB0, "block4b_add"),
    "DenseNet121": (apps.DenseNet121, "conv3_block3_concat"),
    "ConvNeXtTiny": (apps.ConvNeXtTiny, "convnext_tiny_downsampling_block_1"),
}
# Batch statistics of few images make these two carry rounding far.
ROUGH = {"ResNet50": 1e-4, "MobileNetV2": 1e-4}


def images(dtype="float32"):
    return (np.random.default_rng(0).normal(size=(4, 32, 32, 3)) * 50 + 100).astype(dtype)


def randomised(model, seed):
    """Random weights; moving statistics near the data's, so that outputs depend on inputs."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        shape, path = tuple(variable.shape), variable.path
        if shape in ((), (3,)):
            continue  # the inputs' statistics, which belong to the data
        if "gamma" in path or "layer_scale" in path:
            value = rng.uniform(0.5, 1.5, shape)
        elif len(shape) == 1:
            value = 0.2 * rng.normal(size=shape)
        elif "depthwise" in path:
            value = rng.normal(size=shape) / np.sqrt(np.prod(shape[:2]))
        else:
            value = rng.normal(size=shape) * np.sqrt(1.5 / np.prod(shape[:-1]))
        variable.assign(value.astype(variable.dtype))
    norms = [n for n in model.layers if isinstance(n, keras.layers.BatchNormalization)]
    momentum = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    if norms:
        model(images(model.dtype), training=True)
    for norm, before in zip(norms, momentum, strict=True):
        norm.momentum = before
        mean, variance = (norm.moving_mean.numpy(), norm.moving_variance.numpy())
        spread = variance * rng.uniform(0.5, 2.0, variance.shape) + 1e-3
        norm.moving_variance.assign(spread)
        norm.moving_mean.assign(mean + 0.2 * np.sqrt(spread) * rng.normal(size=mean.shape))
    return model


def application(name, seed, whole=WHOLE):
    """Logits, for a softmax would hide errors."""
    make, last = MODELS[name]
    settings = {"weights": None, "classes": 10, "classifier_activation": None}
    model = make(input_shape=(32, 32, 3), **settings)
    if not whole:
        x = keras.layers.GlobalAveragePooling2D()(model.get_layer(last).output)
        model = keras.Model(model.input, keras.layers.Dense(10, name="predictions")(x))
    return randomised(model, seed)


@pytest.fixture
def doubles():
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])


@pytest.mark.parametrize("name", MODELS)
def test_widened_and_fused(gc, name):
    keras.backend.clear_session()
    one, two = application(name, 1), application(name, 2)
    x = images()
    expected, other = gc.outputs(one, x), gc.outputs(two, x)
    assert np.ptp(expected[0], axis=0).max() > 0.01 * np.abs(expected[0]).max()

    def check(plan, want, times, tolerance=1e-5):
        grown = growth.apply(plan)[0]
        gap = gc.gap(gc.outputs(grown, x), want)
        print(f"{name} {plan.verb}: {gap:.1e}")
        assert gap <= tolerance
        assert grown.count_params() > times * one.count_params()

    layer_norm = name == "ConvNeXtTiny"
    # Kernels have four times the numbers; depthwise ones and norms, of which small layers have
    # more, only twice.
    times = 3.8 if WHOLE else 3.5
    check(growth.plan_widen(one, 2.0, "zero"), expected, 1.9 if layer_norm else times)
    check(growth.plan_widen(one, 2.0, "replicate"), expected, times, ROUGH.get(name, 1e-5))
    check(growth.plan_self_fuse(one, cross="zero", preserve="exact"), expected, times)
    mean = [(a + b) / 2 for a, b in zip(expected, other, strict=True)]
    check(growth.plan_fuse([one, two], norm="grouped"), mean, times)


@pytest.mark.parametrize("name", ROUGH)
def test_what_copies_add_is_rounding(gc, name, doubles):
    keras.backend.clear_session()
    one = application(name, 1)
    x = images("float64")
    grown = growth.widen(one, 2.0, "replicate")
    assert gc.gap(gc.outputs(grown, x), gc.outputs(one, x)) <= 1e-10


def test_a_joint_layer_norm_is_refused_as_exact():
    keras.backend.clear_session()
    pair = [application("ConvNeXtTiny", seed) for seed in (1, 2)]
    with pytest.raises(ValueError, match="normalises the features of all sources together"):
        growth.plan_fuse(pair)
    with pytest.raises(ValueError, match="whole multiples of copies"):
        growth.plan_widen(pair[0], {"convnext_tiny_stem/convnext_tiny_stem_conv": 2.0})


def test_one_step_reaches_new_filters():
    keras.backend.clear_session()
    model = application("MobileNetV2", 1, whole=True)
    grown = growth.widen(model, 2.0, "zero", seed=0)
    grown.compile(keras.optimizers.SGD(1e-3), "mse", run_eagerly=True)
    names = ["block_3_project", "block_16_project", "Conv_1", "predictions"]
    before = [np.array(grown.get_layer(name).kernel) for name in names]
    grown.train_on_batch(images(), np.ones((4, 10), "float32"))
    for name, was in zip(names, before, strict=True):
        now = np.array(grown.get_layer(name).kernel)
        old = model.get_layer(name).kernel.shape
        # Rows that read new features begin at zero for old readers, and learn at once.
        rows = now[..., old[-2] :, : old[-1]]
        assert not was[..., old[-2] :, : old[-1]].any()
        assert np.abs(rows).max() > 0, name
