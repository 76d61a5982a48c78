"""Fusion through layers that are kept once per source: the mask is told to whoever reads it."""

import itertools

import keras
import numpy as np
import pytest

from adaptive_nets import growth

layers = keras.layers
TOKENS = np.array([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0], [6, 7, 8, 1, 2]], "int32")


@keras.saving.register_keras_serializable("fused_masks")
class Scaled(layers.Layer):
    """A layer without a rule that hands its mask on."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, shape):
        self.gain = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.gain


def attended(x):
    return layers.MultiHeadAttention(2, 3)(x, x)


READERS = {
    "recurrent": lambda x: layers.LSTM(3)(x),
    "both ways": lambda x: layers.Bidirectional(layers.GRU(3))(x),
    "recurrent twice": lambda x: layers.LSTM(3)(layers.LSTM(4, return_sequences=True)(x)),
    "mean": lambda x: layers.GlobalAveragePooling1D()(x),
    "attention": lambda x: layers.GlobalAveragePooling1D()(attended(x)),
    "behind others": lambda x: layers.LSTM(3)(layers.Dropout(0.1)(layers.Dense(4, "relu")(x))),
    "residual": lambda x: layers.LSTM(3)(layers.Add()([x, layers.Dense(x.shape[-1])(x)])),
}
KEPT = {
    "norm": lambda: layers.LayerNormalization(),
    "custom": lambda: Scaled(),
}


def network(read, keep, width, seed):
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Embedding(9, width, mask_zero=True)(inputs)
    model = keras.Model(inputs, layers.Dense(2)(read(keep()(x))))
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "seed" not in weight.path:
            weight.assign(0.6 * rng.normal(size=weight.shape))
    return model


def outputs(model):
    return keras.ops.convert_to_numpy(model(TOKENS, training=False))


QUICK = [("recurrent", "custom"), ("attention", "norm"), ("residual", "norm")]
ALL = [
    pytest.param(*each, marks=[] if each in QUICK else pytest.mark.exhaustive)
    for each in itertools.product(READERS, KEPT)
]


@pytest.mark.parametrize(("read", "keep"), ALL)
def test_readers_behind_see_the_mask(read, keep, tmp_path):
    sources = [network(READERS[read], KEPT[keep], 4 + 2 * n, n) for n in (0, 1)]
    fused = growth.fuse(sources, norm="grouped", verify=False)
    expected = sum(map(outputs, sources)) / 2
    np.testing.assert_allclose(outputs(fused), expected, rtol=1e-5, atol=1e-5)
    if read in ("recurrent", "attention"):
        fused.save(tmp_path / "fused.keras")
        loaded = keras.models.load_model(tmp_path / "fused.keras")
        np.testing.assert_allclose(outputs(loaded), expected, rtol=1e-5, atol=1e-5)


def test_attention_that_is_kept_once_per_source_hands_its_mask_on():
    def decoder(x):
        states = layers.GRU(x.shape[-1], return_sequences=True)(x)
        return layers.LSTM(3)(layers.Concatenate()([states, layers.Attention()([states, x])]))

    sources = [network(decoder, layers.Identity, 4 + 2 * n, n) for n in (0, 1)]
    fused = growth.fuse(sources, verify=False)
    expected = sum(map(outputs, sources)) / 2
    np.testing.assert_allclose(outputs(fused), expected, rtol=1e-5, atol=1e-5)


def test_a_mask_that_comes_from_around_is_refused_or_kept():
    def nested(width, seed):
        x = inside = keras.Input((5, width))
        x = layers.LSTM(3)(layers.LayerNormalization()(x))
        inner = keras.Model(inside, x, name="inner")
        return network(inner, layers.Identity, width, seed)

    sources = [nested(4, 0), nested(6, 1)]
    with pytest.raises(ValueError, match="its mask would be lost"):
        growth.fuse(sources, norm="grouped")


@keras.saving.register_keras_serializable("fused_masks")
class Weighed(layers.Layer):
    """A layer of other layers that reads the mask."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = layers.Dense(units)

    def build(self, shape):
        self.dense.build(shape)

    def call(self, x, mask=None):
        x = self.dense(x)
        return x if mask is None else x * keras.ops.cast(mask, x.dtype)[..., None]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("fused_masks")
class Blind(layers.Layer):
    """A layer without a rule that neither reads a mask nor hands one on."""

    def build(self, shape):
        self.gain = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.gain


def behind_an_encoder(read, width, seed):
    """A model in which the mask comes out of a model inside."""
    inside = keras.Input((5,), dtype="int32")
    x = layers.Embedding(9, width, mask_zero=True)(inside)
    encoder = keras.Model(inside, layers.Dense(width, "relu")(x), name="encoder")
    outer = keras.Model(encoder.inputs, encoder(inside), name="outer")
    tokens = keras.Input((5,), dtype="int32")
    model = keras.Model(tokens, layers.Dense(2)(read(outer(tokens))))
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "seed" not in weight.path:
            weight.assign(0.6 * rng.normal(size=weight.shape))
    return model


@pytest.mark.parametrize(
    "read",
    [
        lambda x: layers.LSTM(3)(layers.LayerNormalization()(x)),
        lambda x: layers.LSTM(3)(layers.Dense(4)(Scaled()(x))),
        lambda x: layers.GlobalAveragePooling1D()(Weighed(3)(x)),
    ],
)
def test_a_mask_that_a_model_inside_hands_out_is_not_lost(read):
    sources = [behind_an_encoder(read, 4, n) for n in (0, 1)]
    with pytest.raises(ValueError, match="its mask would be lost"):
        growth.plan_fuse(sources, norm="grouped")


@pytest.mark.parametrize(
    "read",
    [
        lambda x: layers.LSTM(3)(layers.Dense(4, "relu")(x)),
        lambda x: layers.Flatten()(Blind()(x)),
    ],
)
def test_a_mask_that_a_model_inside_hands_out_goes_on_where_it_can(read):
    sources = [behind_an_encoder(read, 4, n) for n in (0, 1)]
    fused = growth.fuse(sources, norm="grouped", verify=False)
    expected = sum(map(outputs, sources)) / 2
    np.testing.assert_allclose(outputs(fused), expected, rtol=1e-5, atol=1e-5)


def test_a_layer_of_others_reads_the_mask_of_a_model_inside():
    source = behind_an_encoder(lambda x: layers.GlobalMaxPooling1D()(Weighed(3)(x)), 4, 0)
    wider = growth.widen(source, 2.0, verify=False)
    np.testing.assert_allclose(outputs(wider), outputs(source), rtol=1e-5, atol=1e-5)
