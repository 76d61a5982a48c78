"""Networks for series, sound and graphs."""

import keras
from _example_layers import GraphConvolution
from keras import layers, ops


def convolutional_series():
    """Convolutions with norms over time."""
    x = keras.Input((12, 1))
    h = x
    for _ in range(3):
        h = layers.Conv1D(6, 3, padding="same")(h)
        h = layers.ReLU()(layers.BatchNormalization()(h))
    return keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling1D()(h)))


def stacked_recurrent():
    """LSTM, then GRU, and nothing else but the answer."""
    x = keras.Input((10, 3))
    h = layers.GRU(5)(layers.LSTM(6, return_sequences=True)(x))
    return keras.Model(x, layers.Dense(1)(h))


def stateful_recurrent():
    """States that last from one batch to the next."""
    x = keras.Input(batch_shape=(4, 5, 2))
    h = layers.LSTM(6, stateful=True, return_sequences=True)(x)
    return keras.Model(x, layers.Dense(2)(layers.LSTM(6, stateful=True)(h)))


def next_frames():
    """Convolutional LSTMs over frames."""
    x = keras.Input((3, 6, 6, 1))
    h = layers.ConvLSTM2D(4, 3, padding="same", return_sequences=True, activation="relu")(x)
    h = layers.BatchNormalization()(h)
    h = layers.ConvLSTM2D(4, 1, padding="same", return_sequences=True, activation="relu")(h)
    return keras.Model(x, layers.Conv3D(1, 3, activation="sigmoid", padding="same")(h))


def series_transformer():
    """Attention over time and pointwise convolutions."""
    x = keras.Input((8, 2))
    h = x
    for _ in range(2):
        h = layers.MultiHeadAttention(2, 4, dropout=0.1)(h, h) + h
        skip = layers.LayerNormalization(epsilon=1e-6)(h)
        h = layers.Dropout(0.1)(layers.Conv1D(4, 1, activation="relu")(skip))
        h = layers.Conv1D(2, 1)(h) + skip
    h = layers.GlobalAveragePooling1D(data_format="channels_last")(h)
    return keras.Model(x, layers.Dense(2)(layers.Dense(8, "relu")(h)))


def causal_waves():
    """WaveNet: dilated causal convolutions with gates and sums of all skips."""
    x = keras.Input((16, 1))
    h, skips = layers.Conv1D(6, 2, padding="causal")(x), []
    for dilation in (1, 2, 4):
        kind = {"padding": "causal", "dilation_rate": dilation}
        gate = layers.Conv1D(6, 2, activation="sigmoid", **kind)(h)
        z = layers.multiply([layers.Conv1D(6, 2, activation="tanh", **kind)(h), gate])
        z = layers.Conv1D(6, 1)(z)
        skips.append(z)
        h = layers.add([h, z])
    h = layers.Activation("relu")(layers.add(skips))
    return keras.Model(x, layers.Conv1D(1, 1)(layers.Conv1D(6, 1, activation="relu")(h)))


def keyword_spotting():
    """Sound as frames and their spectra, then convolutions."""
    x = keras.Input((64,))
    frames = ops.reshape(x, (-1, 8, 8))
    real, imaginary = ops.rfft(frames)
    h = ops.log(ops.square(real) + ops.square(imaginary) + 1e-3)
    h = layers.Conv1D(6, 3, activation="relu", padding="same")(layers.LayerNormalization()(h))
    h = layers.Bidirectional(layers.GRU(5))(h)
    return keras.Model(x, layers.Dense(4)(layers.Dense(8, "relu")(h)))


def sound_residuals():
    """Residual blocks over a raw signal."""
    x = keras.Input((16, 1))
    h = x
    for filters in (4, 6):
        skip = layers.Conv1D(filters, 1, padding="same")(h)
        h = layers.Conv1D(filters, 3, padding="same", activation="relu")(h)
        h = layers.Add()([layers.Conv1D(filters, 3, padding="same")(h), skip])
        h = layers.MaxPool1D(2, 2)(layers.Activation("relu")(h))
    h = layers.Flatten()(layers.AveragePooling1D(2, 2)(h))
    return keras.Model(x, layers.Dense(3, activation="softmax")(layers.Dense(8, "relu")(h)))


def graph_network():
    """Own layers that mix the features of neighbours."""
    x, adjacency = keras.Input((5, 3), name="nodes"), keras.Input((5, 5), name="edges")
    h = GraphConvolution(6)([x, adjacency])
    h = GraphConvolution(6)([h, adjacency])
    h = layers.concatenate([h, layers.Dense(4, "relu")(x)])
    return keras.Model([x, adjacency], layers.Dense(2)(layers.GlobalAveragePooling1D()(h)))


def anomaly_detector():
    """A series made again by transposed convolutions."""
    x = keras.Input((12, 1))
    h = layers.Conv1D(6, 3, padding="same", strides=2, activation="relu")(x)
    h = layers.Conv1D(4, 3, padding="same", strides=2, activation="relu")(layers.Dropout(0.2)(h))
    h = layers.Conv1DTranspose(4, 3, padding="same", strides=2, activation="relu")(h)
    h = layers.Conv1DTranspose(6, 3, padding="same", strides=2, activation="relu")(h)
    return keras.Model(x, layers.Conv1DTranspose(1, 3, padding="same")(h))


MODELS = {
    each.__name__: each
    for each in (
        *(convolutional_series, stacked_recurrent, stateful_recurrent, next_frames),
        *(series_transformer, causal_waves, keyword_spotting, sound_residuals),
        *(graph_network, anomaly_detector),
    )
}
