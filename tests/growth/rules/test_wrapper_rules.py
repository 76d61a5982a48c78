"""Bidirectional and TimeDistributed layers, and operations that pick or reduce whole axes."""

import keras
import pytest

from adaptive_nets import growth, majority
from adaptive_nets.growth.core.compare import random_inputs

pytestmark = pytest.mark.backend_agnostic
layers = keras.layers


def check(gc, model, other, expect=None):
    """Widens and fuses; what comes out is what came out before."""
    x = random_inputs(gc.randomise(model))
    outputs = gc.outputs(model, x)
    for method in ("zero", "replicate"):
        grown = growth.widen(model, 2.0, method, seed=0)
        assert grown.count_params() > model.count_params()
        assert gc.gap(gc.outputs(grown, x), outputs) <= 1e-5
        if expect:
            expect(grown)
    mean = [
        (a + b) / 2 for a, b in zip(outputs, gc.outputs(gc.randomise(other, 1), x), strict=True)
    ]
    assert gc.gap(gc.outputs(growth.fuse([model, other]), x), mean) <= 1e-5


@pytest.mark.parametrize("mode", ["concat", "sum", "ave", "mul", None])
def test_both_directions_grow_together(gc, mode):
    def make(width=3):
        inputs = keras.Input((4, 2))
        cell = layers.LSTM(width, return_sequences=True, activation="softsign", name="lstm")
        back = layers.LSTM(width, return_sequences=True, go_backwards=True, name="back")
        x = layers.Bidirectional(cell, mode, backward_layer=back, name="both")(inputs)
        x = layers.Add()(x) if mode is None else x
        return keras.Model(inputs, layers.Dense(2)(x))

    def expect(grown):
        both = grown.get_layer("both")
        assert (both.forward_layer.units, both.backward_layer.units) == (6, 6)
        assert both.merge_mode == mode
        assert (both.forward_layer.name, both.backward_layer.name) == ("forward_lstm", "back")
        assert both.forward_layer.activation is keras.activations.softsign
        assert both.backward_layer.activation is keras.activations.tanh

    check(gc, make(), make(5), expect)


def test_a_model_at_every_step(gc):
    def make(width=3):
        inputs = keras.Input((2, 4, 2))
        inner = keras.Sequential(
            [keras.Input((2 * width,)), layers.Dense(width, "relu", name="deep"), layers.Dense(4)]
        )
        x = layers.TimeDistributed(layers.Bidirectional(layers.GRU(width)), name="read")(inputs)
        x = layers.TimeDistributed(inner, name="think")(x)
        return keras.Model(inputs, layers.TimeDistributed(layers.Dense(2))(x))

    def expect(grown):
        assert grown.get_layer("read").layer.forward_layer.units == 6
        assert grown.get_layer("think").layer.get_layer("deep").units == 6

    check(gc, make(), make(5), expect)


def test_a_wrapper_is_named_for_its_layer(gc):
    inputs = keras.Input((4, 2))
    x = layers.TimeDistributed(layers.Dense(3, "relu"), name="each")(inputs)
    model = gc.randomise(keras.Model(inputs, layers.Dense(2)(x)))
    plan = growth.plan_widen(model, {"each": 5}, seed=0)
    assert [(row.layer, row.axis, row.size) for row in plan.rows()] == [("each", "units", 5)]
    assert growth.apply(plan)[0].get_layer("each").layer.units == 5


def test_a_layer_around_an_unknown_one_is_carried_whole(gc):
    @keras.saving.register_keras_serializable(package="test_wrapper_rules")
    class Unknown(layers.Dense):
        pass

    inputs = keras.Input((4, 2))
    x = layers.TimeDistributed(Unknown(3, name="inside"), name="each")(inputs)
    model = gc.randomise(keras.Model(inputs, layers.Dense(2)(layers.Dense(3)(x))))
    grown = growth.widen(model, 2.0)
    assert grown.get_layer("each").layer.units == 3
    x = random_inputs(model)
    assert gc.gap(gc.outputs(grown, x), gc.outputs(model, x)) <= 1e-5
    assert "there is no growth rule for" in str(growth.plan_widen(model, 2.0))


@pytest.mark.parametrize(
    ("pick", "reason"),
    [
        (lambda x: x[..., :2], "takes some of the features"),
        (lambda x: keras.ops.mean(x, axis=-1, keepdims=True), "reduces over features"),
        (lambda x: keras.ops.reshape(x, (-1, 6)), "cuts or joins the features"),
        (lambda x: layers.LSTM(2)(keras.ops.transpose(x, (0, 2, 1))), "steps are not features"),
    ],
)
def test_what_mixes_features_keeps_them(gc, pick, reason):
    inputs = keras.Input((2, 5))
    x = pick(layers.Dense(3, "relu", name="begin")(inputs))
    model = gc.randomise(keras.Model(inputs, layers.Dense(2)(x)))
    with pytest.raises(ValueError, match=f"Cannot grow 'begin' from 3 to 4: .*{reason}"):
        growth.widen(model, {"begin": 4})
    x = random_inputs(model)
    assert gc.gap(gc.outputs(growth.widen(model, 2.0, seed=0), x), gc.outputs(model, x)) <= 1e-5
    other = gc.randomise(keras.models.clone_model(model), 5)
    assert gc.fused_gap([model, other], x) <= 1e-5
    assert reason in str(growth.plan_fuse([model, other]))


def test_masking_keeps_its_features_and_its_mask_is_not_lost(gc):
    inputs = keras.Input((2, 5))
    x = layers.Masking()(layers.Dense(3, "relu", name="begin")(inputs))
    model = gc.randomise(keras.Model(inputs, layers.Dense(2)(x)))
    with pytest.raises(
        ValueError, match="Cannot grow 'begin' from 3 to 4: .*compares all features"
    ):
        growth.widen(model, {"begin": 4})
    other = gc.randomise(keras.models.clone_model(model), 5)
    with pytest.raises(ValueError, match="kept once per source, and its mask would be lost"):
        growth.fuse([model, other])


@pytest.mark.parametrize("inside", ["Dense", "Conv2D", "Conv2DTranspose", "DepthwiseConv2D"])
def test_kernels_that_are_divided_by_their_norms(gc, inside):
    def make(width=4):
        inputs = keras.Input((4, 4, 2))
        x = layers.Conv2D(width, 2, activation="relu")(inputs)
        size = () if inside == "DepthwiseConv2D" else (3 * width,)
        kernel = () if inside == "Dense" else (2,)
        made = getattr(layers, inside)(*size, *kernel, activation="relu", name="inside")
        x = layers.SpectralNormalization(made, name="normed")(x)
        return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))

    def expect(grown):
        normed = grown.get_layer("normed")
        assert tuple(normed.vector_u.shape) == (1, normed.layer.kernel.shape[-1])

    check(gc, make(), make(3), expect)
    model = gc.randomise(make())
    x = random_inputs(model)
    with pytest.warns(UserWarning, match="inside"):
        expanded = majority.expand(model, 2, seed=0)
    assert gc.gap(gc.outputs(expanded, x), gc.outputs(model, x)) <= 1e-5
    grown = growth.widen(model, 2.0, seed=0)
    grown.compile("sgd", "mse")
    grown.fit(x, gc.outputs(model, x)[0], verbose=0)
