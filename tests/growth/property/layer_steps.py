"""Steps that are layers."""

import keras
import numpy as np
from random_graphs import TOKENS, kinds_of

from adaptive_nets import layers as majorities

layers, ops = keras.layers, keras.ops
ACTIVATIONS = ("relu", "tanh", "sigmoid", None, "gelu", "softmax", "elu", "softplus", "selu")
PADDING = ("same", "valid")


def chosen(options, b):
    return options[b % len(options)]


def act(b):
    return chosen(ACTIVATIONS, b)


def dense(m, x, b):
    return m.made(layers.Dense(m.width(b), act(b), use_bias=b % 4 != 2))(x)


kinds_of(
    dense,
    dense,
    lambda m, x, b: m.made(layers.Dense(m.width(b), act(b)))(inputs=x),
    lambda m, x, b: layers.Dense(x.shape[-1], "relu")(x) + x,
    lambda m, x, b: layers.Add()([layers.Dense(x.shape[-1])(layers.LayerNormalization()(x)), x]),
    lambda m, x, b: layers.EinsumDense(
        "...d,dk->...k", (None,) * (len(x.shape) - 2) + (m.width(b),), bias_axes="k"
    )(x),
    lambda m, x, b: layers.EinsumDense("ab,bcd->acd", (2, m.width(b)), bias_axes="d")(x),
    lambda m, x, b: layers.EinsumDense("abc,cde->abde", (None, 2, m.width(b)))(x),
    lambda m, x, b: layers.EinsumDense("abcd,cde->abe", (None, m.width(b)), act(b))(x),
    lambda m, x, b: majorities.MajorityDense(m.width(b), act(b), factor=2)(x),
    lambda m, x, b: layers.SpectralNormalization(layers.Dense(m.width(b)))(x),
    name="dense",
)
kinds_of(
    lambda m, x, b: m.made(layers.Conv1D(m.width(b), 2, padding=chosen(PADDING, b)))(x),
    lambda m, x, b: layers.Conv1D(m.width(b), 2, padding="causal", activation=act(b))(inputs=x),
    lambda m, x, b: layers.Conv1D(2 * m.width(b), 2, padding="same", groups=2)(x),
    lambda m, x, b: layers.Conv1D(m.width(b), 2, padding="same", dilation_rate=2)(x),
    lambda m, x, b: layers.SeparableConv1D(m.width(b), 2, padding="same", activation=act(b))(x),
    lambda m, x, b: layers.DepthwiseConv1D(2, padding="same", depth_multiplier=1 + b % 2)(x),
    lambda m, x, b: layers.Conv1DTranspose(m.width(b), 2, strides=1 + b % 2, padding="same")(x),
    ranks=(3,),
    name="convolution",
)
kinds_of(
    lambda m, x, b: m.made(layers.Conv2D(m.width(b), 2, padding=chosen(PADDING, b)))(x),
    lambda m, x, b: m.made(layers.Conv2D(m.width(b), 3, 1 + b % 2, "same", activation=act(b)))(x),
    lambda m, x, b: layers.Conv2D(2 * m.width(b), 2, padding="same", groups=2)(inputs=x),
    lambda m, x, b: layers.SeparableConv2D(m.width(b), 2, padding="same", activation=act(b))(x),
    lambda m, x, b: layers.DepthwiseConv2D(2, padding="same", depth_multiplier=1 + b % 2)(x),
    lambda m, x, b: layers.Conv2DTranspose(m.width(b), 2, 1 + b % 2, padding="same")(x),
    lambda m, x, b: layers.ConvLSTM1D(m.width(b), 2, padding="same", return_sequences=b % 2 > 0)(x),
    lambda m, x, b: ops.squeeze(layers.Conv3D(m.width(b), 1)(x[:, None]), 1),
    lambda m, x, b: layers.ConvLSTM2D(m.width(b), 2, padding="same")(x[:, None]),
    lambda m, x, b: layers.Add()(
        [x, layers.Conv2D(x.shape[-1], 3, padding="same")(layers.ReLU()(x))]
    ),
    ranks=(4,),
    name="images",
)
kinds_of(
    lambda m, x, b: layers.GlobalAveragePooling1D(keepdims=b % 2 > 0)(x),
    lambda m, x, b: layers.GlobalMaxPooling1D()(x),
    lambda m, x, b: layers.AveragePooling1D(2, 1, "same")(x),
    lambda m, x, b: layers.MaxPooling1D(2)(x),
    lambda m, x, b: layers.AdaptiveAveragePooling1D(2)(x),
    lambda m, x, b: layers.AdaptiveMaxPooling1D(2)(x),
    lambda m, x, b: layers.UpSampling1D(2)(x),
    lambda m, x, b: layers.ZeroPadding1D(1)(x),
    lambda m, x, b: layers.Cropping1D(1)(x),
    lambda m, x, b: layers.Permute((2, 1))(x),
    lambda m, x, b: layers.Flatten()(x),
    lambda m, x, b: layers.Reshape((-1,))(x),
    lambda m, x, b: layers.Reshape((x.shape[2], x.shape[1]))(x),
    lambda m, x, b: layers.Reshape((x.shape[1], 2, x.shape[2] // 2))(x),
    lambda m, x, b: layers.Reshape((x.shape[1] * 2, x.shape[2] // 2))(x),
    ranks=(3,),
    name="positions",
)
kinds_of(
    lambda m, x, b: layers.GlobalAveragePooling2D(keepdims=b % 2 > 0)(x),
    lambda m, x, b: layers.GlobalMaxPooling2D()(x),
    lambda m, x, b: layers.AveragePooling2D(2, 1, "same")(x),
    lambda m, x, b: layers.MaxPooling2D(2)(x),
    lambda m, x, b: layers.AdaptiveAveragePooling2D(2)(x),
    lambda m, x, b: layers.AdaptiveMaxPooling2D(2)(x),
    lambda m, x, b: layers.SpatialDropout2D(0.2)(x),
    lambda m, x, b: layers.UpSampling2D(2)(x),
    lambda m, x, b: layers.ZeroPadding2D(1)(x),
    lambda m, x, b: layers.Cropping2D(1)(x),
    lambda m, x, b: layers.Permute(chosen(((3, 1, 2), (2, 1, 3)), b))(x),
    lambda m, x, b: layers.Flatten()(x),
    lambda m, x, b: layers.Reshape((x.shape[1] * x.shape[2], x.shape[3]))(x),
    lambda m, x, b: layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x),
    lambda m, x, b: layers.Resizing(3, 5)(x),
    lambda m, x, b: layers.CenterCrop(2, 2)(x),
    lambda m, x, b: ops.squeeze(layers.MaxPooling3D((1, 2, 2))(x[:, None]), 1),
    lambda m, x, b: layers.GlobalAveragePooling3D()(x[:, None]),
    ranks=(4,),
    name="image positions",
)
kinds_of(
    lambda m, x, b: layers.RepeatVector(3)(x),
    lambda m, x, b: layers.Reshape((1, x.shape[1]))(x),
    lambda m, x, b: layers.Reshape((2, x.shape[1] // 2))(x),
    lambda m, x, b: layers.Reshape((2, 2, m.width(b)))(layers.Dense(4 * m.width(b), act(b))(x)),
    lambda m, x, b: layers.Reshape((3, m.width(b)))(layers.Dense(3 * m.width(b))(x)),
    lambda m, x, b: x[:, None],
    ranks=(2,),
    name="shaped",
)
kinds_of(
    lambda m, x, b: layers.LayerNormalization()(inputs=x),
    lambda m, x, b: layers.LayerNormalization(axis=list(range(1, len(x.shape))), scale=b % 2 > 0)(
        x
    ),
    lambda m, x, b: layers.LayerNormalization(axis=1, center=b % 2 > 0)(x),
    lambda m, x, b: m.made(layers.BatchNormalization(scale=b % 3 > 0, center=b % 2 > 0))(x),
    lambda m, x, b: layers.BatchNormalization(axis=1)(x),
    lambda m, x, b: layers.RMSNormalization()(x),
    lambda m, x, b: layers.GroupNormalization(chosen((1, 2, -1), b))(x),
    lambda m, x, b: layers.UnitNormalization(axis=chosen((-1, 1), b))(x),
    lambda m, x, b: layers.Normalization(mean=[0.5] * x.shape[-1], variance=[2.0] * x.shape[-1])(x),
    lambda m, x, b: layers.Normalization()(x),
    name="norm",
)
kinds_of(
    lambda m, x, b: layers.PReLU(shared_axes=list(range(1, len(x.shape) - 1)) or None)(x),
    lambda m, x, b: layers.PReLU(shared_axes=[len(x.shape) - 1])(x),
    lambda m, x, b: layers.Softmax(axis=chosen((-1, 1), b))(x),
    lambda m, x, b: layers.ReLU(*chosen(((6.0,), (None, 0.1), (None, 0.1, 1.0), (2.0, 0, 0.5)), b))(
        x
    ),
    lambda m, x, b: layers.LeakyReLU(0.3)(x),
    lambda m, x, b: layers.ELU()(x),
    lambda m, x, b: layers.Activation(act(b))(x),
    lambda m, x, b: layers.Activation("log_softmax")(x),
    lambda m, x, b: layers.Rescaling(2.0, chosen((0.0, 1.0), b))(x),
    lambda m, x, b: layers.Rescaling(np.linspace(1, 2, x.shape[-1]).tolist())(x),
    lambda m, x, b: layers.Rescaling(2.0, [0.5] * x.shape[-1])(x),
    lambda m, x, b: layers.Masking()(x),
    lambda m, x, b: layers.Identity()(x),
    lambda m, x, b: layers.Dropout(0.3)(x),
    lambda m, x, b: layers.GaussianNoise(0.3)(x),
    lambda m, x, b: layers.AlphaDropout(0.3)(x),
    lambda m, x, b: layers.GaussianDropout(0.3)(x),
    lambda m, x, b: layers.ActivityRegularization(0.1)(x),
    lambda m, x, b: layers.SpatialDropout1D(0.2)(x),
    lambda m, x, b: keras.activations.relu(x, negative_slope=0.1),
    name="function layers",
)


def recurrent(kind, **settings):
    def step(m, x, b):
        own = {"reset_after": b % 2 > 0} if kind is layers.GRU else {}
        layer = kind(m.width(b), return_sequences=b % 3 > 0, **own, **settings)
        return layer(sequences=x) if b % 2 else layer(x)

    return step


def states(m, x, b):
    h, *last = layers.LSTM(m.width(b), return_sequences=True, return_state=True)(x)
    return layers.LSTM(m.width(b), return_sequences=b % 2 > 0)(h, initial_state=last)


kinds_of(
    *map(recurrent, (layers.LSTM, layers.GRU, layers.SimpleRNN)),
    recurrent(layers.LSTM, go_backwards=True),
    recurrent(layers.GRU, activation="relu"),
    states,
    lambda m, x, b: layers.Bidirectional(
        layers.GRU(m.width(b), return_sequences=b % 2 > 0),
        merge_mode=chosen(("concat", "sum", "mul", "ave", None), b),
    )(x),
    lambda m, x, b: layers.RNN([layers.GRUCell(m.width(b)), layers.LSTMCell(m.width(b + 1))])(x),
    lambda m, x, b: layers.RNN(layers.SimpleRNNCell(m.width(b)), return_sequences=True)(x),
    lambda m, x, b: layers.GRU(m.width(b), return_state=True)(x),
    lambda m, x, b: layers.GRU(m.width(b))(x, initial_state=layers.Dense(m.width(b))(x[:, 0])),
    lambda m, x, b: layers.TimeDistributed(layers.Dense(m.width(b), act(b)))(x),
    lambda m, x, b: layers.TimeDistributed(
        keras.Sequential([layers.Dense(m.width(b), "relu"), layers.Dense(m.width(b + 1))])
    )(x),
    ranks=(3,),
    name="recurrent",
)
kinds_of(
    lambda m, x, b: layers.MultiHeadAttention(2, 3)(x, m.like(x, b)),
    lambda m, x, b: layers.MultiHeadAttention(2, 3, value_dim=4)(
        query=x, value=m.other(x, b), use_causal_mask=b % 2 > 0
    ),
    lambda m, x, b: layers.MultiHeadAttention(1, 4, output_shape=m.width(b))(x, x),
    lambda m, x, b: layers.MultiHeadAttention(2, 2)(x, x, return_attention_scores=True),
    lambda m, x, b: layers.Add()([x, layers.MultiHeadAttention(2, 3, use_bias=False)(x, x, x)]),
    lambda m, x, b: layers.GroupQueryAttention(3, 4, 2)(x, m.like(x, b)),
    lambda m, x, b: layers.Attention(use_scale=b % 2 > 0)([x, m.like(x, b)]),
    lambda m, x, b: layers.Attention(score_mode="concat")([x, m.like(x, b)]),
    lambda m, x, b: layers.Attention()(inputs=[x, m.like(x, b), m.other(x, b)]),
    lambda m, x, b: layers.AdditiveAttention(use_scale=b % 2 > 0)([x, m.like(x, b)]),
    lambda m, x, b: layers.MultiHeadAttention(2, 3)(
        x, x, attention_mask=ops.ones((x.shape[1], x.shape[1]), "bool")
    ),
    ranks=(3,),
    name="attention",
)


def tied(m, x, b):
    layer = layers.ReversibleEmbedding(TOKENS, m.width(b))
    return layer(layer(m.ints(x, b)), reverse=True)


kinds_of(
    lambda m, x, b: layers.Embedding(TOKENS, m.width(b))(m.ints(x, b)),
    lambda m, x, b: layers.Embedding(TOKENS, m.width(b), mask_zero=True)(m.ints(x, b)),
    lambda m, x, b: layers.GRU(m.width(b), return_sequences=b % 3 > 0)(
        layers.Embedding(TOKENS, 4, mask_zero=True)(m.ints(x, b))
    ),
    lambda m, x, b: layers.CategoryEncoding(TOKENS, "one_hot")(m.ints(x, b)),
    lambda m, x, b: layers.CategoryEncoding(TOKENS, "count")(m.ints(x, b)),
    lambda m, x, b: ops.one_hot(m.ints(x, b), TOKENS),
    lambda m, x, b: ops.take(ops.arange(6.0), m.ints(x, b)),
    lambda m, x, b: layers.Embedding(4, m.width(b))(layers.Hashing(4)(m.tokens[0])),
    lambda m, x, b: layers.Embedding(4, 3)(layers.Discretization([-0.5, 0.0, 0.5])(m.pool[0])),
    tied,
    name="tokens",
)
MERGES = (layers.Add, layers.Multiply, layers.Concatenate, layers.Maximum, layers.Average)
MERGES += (layers.Subtract, layers.Minimum)


def merge(kind):
    def step(m, x, b):
        pair = [x, m.like(x, b)]
        return kind()(inputs=pair) if b % 2 else kind()(pair)

    return step


kinds_of(
    *map(merge, MERGES),
    lambda m, x, b: layers.Concatenate()([x, m.other(x, b), x]),
    lambda m, x, b: layers.Concatenate(axis=1)([x, m.like(x, b)]),
    lambda m, x, b: layers.Add()([x, m.like(x, b), x]),
    lambda m, x, b: layers.Multiply()([x, layers.Dense(1, "sigmoid")(x)]),
    lambda m, x, b: layers.Multiply()([x, layers.Dense(x.shape[-1], "sigmoid")(m.other(x, b))]),
    lambda m, x, b: layers.Dot((len(x.shape) - 1,) * 2)([x, m.like(x, b)]),
    lambda m, x, b: layers.Dot(1, normalize=b % 2 > 0)([x, m.other(x, b)]),
    name="merge",
)


def reused(m, x, b):
    fits = [y for y in m.layers if y.built and y.input.shape[1:] == x.shape[1:]]
    return chosen(fits, b)(x) if fits else None


def nested(m, x, b):
    inner = keras.Input(x.shape[1:])
    hidden = layers.Dense(m.width(b), act(b))(inner)
    return m.made(keras.Model(inner, layers.Dense(m.width(b // 2), name="end")(hidden)))(x)


def nested_pair(m, x, b):
    y = m.other(x, b)
    one, two = keras.Input(x.shape[1:]), keras.Input(y.shape[1:])
    h = layers.Dense(m.width(b), "relu")(layers.Concatenate()([one, two]))
    inner = keras.Model({"x": one, "y": two}, [h, layers.Dense(x.shape[-1])(h) + one])
    return inner({"x": x, "y": y})


def nested_twice(m, x, b):
    innermost = keras.Sequential([keras.Input(x.shape[1:]), layers.Dense(m.width(b), act(b))])
    inner = keras.Input(x.shape[1:])
    inner = keras.Model(inner, layers.LayerNormalization()(innermost(inner) * 0.5))
    return ops.concatenate([inner(x), inner(m.like(x, b + 1))], axis=-1)


kinds_of(
    reused,
    nested,
    nested_pair,
    nested_twice,
    lambda m, x, b: keras.Sequential([layers.Dense(m.width(b), act(b)), layers.Dense(3)])(x),
    lambda m, x, b: m.made(keras.Sequential([layers.Dense(x.shape[-1], "relu")]))(x) + x,
    reused,
    name="shared and nested",
)


@keras.saving.register_keras_serializable(package="test_property")
class Sums(layers.Layer):
    """A layer without weights that has no growth rule."""

    def call(self, x):
        return ops.cumsum(x, axis=-1)


@keras.saving.register_keras_serializable(package="test_property")
class Masked(layers.Layer):
    """A layer that computes with the mask of its input, and has no growth rule."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x, mask=None):
        return x if mask is None else x * ops.cast(mask, x.dtype)[..., None]


@keras.saving.register_keras_serializable(package="test_property")
class SumAndMean(layers.Layer):
    """A layer of two inputs and two outputs that has no growth rule."""

    def call(self, x, other=None):
        return {"sum": ops.sort(x + other, axis=-1), "mean": ops.mean(x * other, -1, keepdims=True)}


@keras.saving.register_keras_serializable(package="test_property")
class Mixes(layers.Layer):
    """A layer with weights and a layer inside it that has no growth rule."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = layers.LayerNormalization()

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], shape[-1]), name="kernel")
        self.norm.build(shape)
        self.built = True

    def call(self, x):
        return self.norm(ops.matmul(x, self.kernel))


@keras.saving.register_keras_serializable(package="test_property")
def odd(x):
    return ops.sort(x, axis=-1) * 0.5


kinds_of(
    lambda m, x, b: Sums()(x),
    lambda m, x, b: Mixes()(x),
    lambda m, x, b: Masked()(x),
    lambda m, x, b: layers.Lambda(odd)(x),
    lambda m, x, b: layers.Lambda(ops.cumsum, arguments={"axis": -1})(x),
    lambda m, x, b: SumAndMean()(x, other=m.like(x, b)),
    name="carried",
)
