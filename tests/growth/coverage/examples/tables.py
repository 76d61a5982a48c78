"""Networks for tables."""

import keras
import numpy as np
from _example_layers import Cross, GatedResidual
from keras import layers, ops


def wide_and_deep():
    """A linear part beside a deep one."""
    x = keras.Input((6,))
    deep = layers.Dense(8, "relu")(x)
    deep = layers.Dropout(0.2)(layers.Dense(8, "relu")(deep))
    return keras.Model(x, layers.Dense(2)(layers.concatenate([x, deep])))


def columns_of_text_and_numbers():
    """Vocabularies, bins and a normalisation inside the model."""
    inputs = {
        "city": keras.Input((1,), dtype="string", name="city"),
        "rooms": keras.Input((1,), dtype="int64", name="rooms"),
        "price": keras.Input((1,), name="price"),
    }
    city = layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot")(inputs["city"])
    rooms = layers.IntegerLookup(vocabulary=[1, 2, 3])(inputs["rooms"])
    rooms = layers.Flatten()(layers.Embedding(12, 3)(rooms))
    scaled = layers.Normalization(mean=0.5, variance=4.0)(inputs["price"])
    binned = layers.Discretization(bin_boundaries=[-0.5, 0.5])(inputs["price"])
    binned = layers.CategoryEncoding(3, output_mode="one_hot")(binned)
    x = layers.concatenate([city, rooms, scaled, binned])
    x = layers.Dense(8, "relu")(x)
    return keras.Model(inputs, layers.Dense(1)(layers.Dense(8, "relu")(x)))


def feature_space():
    """What `keras.utils.FeatureSpace` makes of a dict of columns."""
    import tensorflow as tf

    space = keras.utils.FeatureSpace(
        features={
            "age": keras.utils.FeatureSpace.float_normalized(),
            "job": keras.utils.FeatureSpace.string_categorical(num_oov_indices=1),
        },
        output_mode="concat",
    )
    rows = {"age": [[20.0], [30.0], [50.0]], "job": [["a"], ["b"], ["c"]]}
    space.adapt(tf.data.Dataset.from_tensor_slices(rows))
    encoded = space.get_encoded_features()
    x = layers.Dense(8, "relu")(encoded)
    return keras.Model(space.get_inputs(), layers.Dense(1)(layers.Dense(8, "relu")(x)))


def column_transformer():
    """Embedded categories through attention, beside normalised numbers."""
    codes = keras.Input((3,), dtype="int32", name="codes")
    numbers = keras.Input((4,), name="numbers")
    columns = [layers.Embedding(12, 8)(codes[:, i]) for i in range(3)]
    x = ops.stack(columns, axis=1)
    x = x + layers.Embedding(3, 8)(ops.cumsum(ops.ones_like(codes), axis=-1) - 1)
    for _ in range(2):
        x = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, x)]))
        inner = layers.Dense(8)(layers.Dense(16, "gelu")(x))
        x = layers.LayerNormalization()(layers.Add()([x, inner]))
    x = layers.concatenate([layers.Flatten()(x), layers.LayerNormalization()(numbers)])
    x = layers.Dense(12, "selu")(layers.BatchNormalization()(x))
    return keras.Model([codes, numbers], layers.Dense(2)(layers.Dense(6, "selu")(x)))


def gated_residual():
    """Own gated residual blocks, one in another."""
    x = keras.Input((6,))
    y = GatedResidual(8)(layers.Dense(8)(x))
    return keras.Model(x, layers.Dense(2)(GatedResidual(8)(y)))


def variable_selection():
    """Softmax weights over the columns, each encoded on its own."""
    x = keras.Input((3,))
    encoded = [GatedResidual(6)(x[:, i : i + 1]) for i in range(3)]
    shares = layers.Dense(3, activation="softmax")(GatedResidual(6)(layers.concatenate(encoded)))
    chosen = ops.sum(ops.stack(encoded, axis=1) * ops.expand_dims(shares, -1), axis=1)
    return keras.Model(x, layers.Dense(1)(layers.Dense(8, "relu")(chosen)))


def interacting_attention():
    """AutoInt: attention between the columns with a residual of its own projection."""
    codes = keras.Input((4,), dtype="int32")
    x = layers.Embedding(12, 6)(codes)
    for _ in range(2):
        attended = layers.MultiHeadAttention(2, 3)(x, x)
        x = layers.ReLU()(layers.add([attended, layers.Dense(6, use_bias=False)(x)]))
    return keras.Model(codes, layers.Dense(1)(layers.Dense(8, "relu")(layers.Flatten()(x))))


def deep_and_cross():
    """DCN: crosses of an own class beside a deep part."""
    x = keras.Input((6,))
    crossed = Cross()([x, Cross()([x, x])])
    deep = layers.Dense(8, "relu")(layers.Dense(8, "relu")(x))
    return keras.Model(x, layers.Dense(1)(layers.concatenate([crossed, deep])))


def factorization_machine():
    """Squares of sums minus sums of squares."""
    codes = keras.Input((4,), dtype="int32")
    x = layers.Embedding(12, 5)(codes)
    pairs = 0.5 * (ops.square(ops.sum(x, axis=1)) - ops.sum(ops.square(x), axis=1))
    deep = layers.Dense(8, "relu")(layers.Flatten()(x))
    out = layers.Dense(1)(deep) + ops.sum(pairs, axis=-1, keepdims=True)
    return keras.Model(codes, out + layers.Dense(1)(ops.mean(x, axis=1)))


def clipped_constants():
    """Vectors, bounds and powers that stand in the graph as numbers."""
    x = keras.Input((5,))
    h = (x - np.linspace(-1, 1, 5).astype("float32")) / np.full(5, 2, "float32")
    h = layers.Dense(8, "relu")(ops.clip(h, -3.0, 3.0))
    h = ops.maximum(h, 0.1) + ops.power(ops.abs(h), 1.5) * 0.1
    h = layers.Dense(8, "tanh")(h)
    return keras.Model(x, layers.Dense(2)(ops.where(h > 0, h, 0.2 * h)))


MODELS = {
    each.__name__: each
    for each in (
        *(wide_and_deep, columns_of_text_and_numbers, feature_space, column_transformer),
        *(gated_residual, variable_selection, interacting_attention, deep_and_cross),
        *(factorization_machine, clipped_constants),
    )
}
