"""A Keras that lacks it fails here by name: how a layer keeps what it holds."""

import keras
import pytest
from keras import layers

from adaptive_nets import keras_internals as internals

pytestmark = pytest.mark.backend_agnostic


def dense_model():
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(2, "relu", name="a"), layers.Dropout(0.1)], name="m"
    )
    model.compile(keras.optimizers.Adam(), "mse")
    return model


def test_layers_in():
    layer = layers.TimeDistributed(layers.Dense(2))
    assert internals.layers_in(layer) == [layer, layer.layer]
    assert internals.layers_in(layer, include_self=False) == [layer.layer]


def test_direct_layers():
    layer = layers.TimeDistributed(layers.TimeDistributed(layers.Dense(2)))
    assert list(internals.direct_layers(layer)) == [layer.layer]


def test_own_variables():
    layer = layers.BatchNormalization()
    layer.build((None, 2))
    expected = [layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance]
    assert [id(v) for v in internals.own_variables(layer)] == [id(v) for v in expected]


def test_given_arguments():
    class Scaled(layers.Layer):
        def __init__(self, factor, other=None, **options):
            super().__init__(**options)

    assert internals.given_arguments(Scaled(2, name="scaled")) == {"factor": 2, "other": None}
    assert internals.given_arguments(Scaled(layers.Dense(2))) == {}


def test_own_seed_generators():
    layer = layers.Dropout(0.5)
    assert internals.own_seed_generators(layer) == [layer.seed_generator]


def test_own_trainable():
    model = dense_model()
    model.layers[0].trainable = False
    assert not internals.own_trainable(model.layers[0]) and internals.own_trainable(model)


def test_set_own_trainable():
    model = dense_model()
    internals.set_own_trainable(model, False)
    assert not model.trainable and internals.own_trainable(model.layers[0])


def test_unlocked():
    layer = layers.Dense(2)
    layer.build((None, 2))
    with pytest.raises(ValueError, match="already built"):
        layer.more = layer.add_weight(shape=(1,))
    with internals.unlocked(layer):
        layer.more = layer.add_weight(shape=(1,))
    with pytest.raises(ValueError, match="already built"):
        layer.another = layer.add_weight(shape=(1,))


def test_untrack():
    layer = layers.Dense(2)
    layer.build((None, 2))
    with internals.unlocked(layer):
        internals.untrack(layer, layer.bias)
    assert [v.name for v in layer.weights] == ["kernel"]


def test_take_call_signature():
    class Plain(keras.Layer):
        def call(self, *args, **kwargs):
            return args[0]

    layer = Plain()
    internals.take_call_signature(layer, layers.LSTM(2))
    assert layer._call_signature == layers.LSTM(2)._call_signature
    assert layer._call_has_training_arg


def test_take_path():
    model = dense_model()
    layer = layers.Dense(2, name="b")
    layer.build((None, 2))
    internals.take_path(layer, model.layers[0])
    assert layer.path == model.layers[0].path == "m/a"


def test_KERNEL():  # noqa: N802
    layer = layers.Dense(2)
    layer.build((None, 2))
    assert getattr(layer, internals.KERNEL) is layer.kernel


def test_EMBEDDINGS():  # noqa: N802
    layer = layers.Embedding(3, 2)
    layer.build()
    assert getattr(layer, internals.EMBEDDINGS) is layer.embeddings


def attention(**settings):
    layer = layers.MultiHeadAttention(2, 4, **settings)
    layer.build((None, 5, 3), (None, 5, 3))
    return layer


def test_projection():
    layer = attention()
    for role in ("query", "key", "value"):
        assert getattr(layer, internals.projection(role)).kernel.shape == (3, 2, 4)
    assert getattr(layer, internals.projection("output")) is internals.output_projection(layer)


def test_output_projection():
    assert internals.output_projection(attention()).kernel.shape == (2, 4, 3)


def test_attention_setting():
    found = [getattr(attention(value_dim=5), internals.attention_setting(name))
             for name in ("num_heads", "key_dim", "value_dim")]  # fmt: skip
    assert found == [2, 4, 5]


def test_attention_is_gated():
    assert not internals.attention_is_gated(attention())
    assert internals.attention_is_gated(attention(use_gate=True))


def test_attention_output_shape():
    assert internals.attention_output_shape(attention()) is None
    assert tuple(internals.attention_output_shape(attention(output_shape=(7,)))) == (7,)


def test_statistics_axes():
    layer = layers.Normalization(axis=(1, -1))
    layer.build((None, 4, 3))
    assert list(internals.statistics_axes(layer)) == [1, 2]


def test_states_batch_size():
    layer = layers.LSTM(2, stateful=True)
    layer(keras.Input(batch_shape=(5, 3, 2)))
    assert internals.states_batch_size(layer) == 5


def test_create_states():
    layer = layers.GRU(2, stateful=True)
    layer.build((4, 3, 2))
    internals.create_states(layer, 4)
    assert layer.states[0].shape == (4, 2) and internals.states_batch_size(layer) == 4
