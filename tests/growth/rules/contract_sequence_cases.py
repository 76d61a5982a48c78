"""Small models of sequences and words, with every class with a growth rule for them."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from contract_case import CASES, Case, begun, case, model

from adaptive_nets import layers as majorities

layers = keras.layers


def recurrent(make: Callable[[], Any]) -> Callable[[], keras.Model]:
    """A recurrent layer on features of a sequence."""

    def build() -> keras.Model:
        inputs, x = begun(3, 5)
        return model(inputs, make()(x))

    return build


CASES["simple_rnn"] = Case(recurrent(lambda: layers.SimpleRNN(3, go_backwards=True)))
CASES["gru"] = Case(recurrent(lambda: layers.GRU(3, return_sequences=True)))
CASES["cells"] = Case(recurrent(lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)])))
CASES["bidirectional"] = Case(recurrent(lambda: layers.Bidirectional(layers.LSTM(3))))
CASES["each_step"] = Case(recurrent(lambda: layers.TimeDistributed(layers.Dense(3, "relu"))))


@case(random=True)
def lstm_with_dropout():
    inputs, x = begun(3, 5)
    y, *states = layers.LSTM(3, return_sequences=True, return_state=True, dropout=0.2)(x)
    return model(inputs, layers.LSTM(3)(y, initial_state=states))


@case()
def masked():
    tokens, series = keras.Input((4,), dtype="int32"), keras.Input((4, 2))
    x = layers.Embedding(6, 4, mask_zero=True)(tokens)
    y = layers.GRU(3)(layers.Masking()(series))
    return model([tokens, series], layers.Add()([layers.LSTM(3)(x), y]))


def conv_lstm(dimensions: int, module: object = layers, prefix: str = "") -> keras.Model:
    inputs = keras.Input((2,) + (3,) * dimensions + (2,))
    x = getattr(module, f"{prefix}ConvLSTM{dimensions}D")(2, 2, padding="same")(inputs)
    return model(inputs, x)


for _dimensions in (1, 2, 3):
    CASES[f"conv_lstm_{_dimensions}d"] = Case(lambda n=_dimensions: conv_lstm(n))
    CASES[f"majority_conv_lstm_{_dimensions}d"] = Case(
        lambda n=_dimensions: conv_lstm(n, majorities, "Majority")
    )


@case()
def majority():
    inputs = keras.Input((3, 4))
    x = majorities.MajorityDense(4, "tanh", bias_factor=2)(inputs)
    x = majorities.MajorityEinsumDense("abc,cd->abd", (None, 5), bias_axes="d")(x)
    y = majorities.MajorityMultiHeadAttention(2, 3, factor=2)(x, x)
    y = majorities.MajorityLSTM(3, return_sequences=True)(layers.Add()([x, y]))
    y = layers.RNN([majorities.MajorityGRUCell(2), majorities.MajorityLSTMCell(3)])(y)
    return model(inputs, y)


@case()
def majority_words():
    tokens = keras.Input((4,), dtype="int32")
    x = majorities.MajorityEmbedding(6, 4, mask_zero=True)(tokens)
    return model(tokens, majorities.MajorityGRU(3)(x))


@case()
def reversible():
    tokens = keras.Input((4,), dtype="int32")
    embedding = layers.ReversibleEmbedding(6, 4)
    x = embedding(tokens)
    x = layers.Add()([x, layers.Dense(4)(layers.Dense(5, "relu")(x))])
    return keras.Model(tokens, embedding(x, reverse=True))


@case()
def prepared():
    numbers = keras.Input((3,))
    x = layers.Discretization([-0.5, 0.0, 0.5])(numbers)
    return model(numbers, layers.Flatten()(layers.Embedding(4, 3)(x)))


def words():
    values = np.array([["a"], ["b"], ["c"], ["a"]])
    return [values, np.array([[1], [2], [3], [9]])]


@case(strings=True, inputs=words)
def looked_up():
    text, number = keras.Input((1,), dtype="string"), keras.Input((1,), dtype="int64")
    found = [
        layers.StringLookup(vocabulary=["a", "b"])(text),
        layers.IntegerLookup(vocabulary=[1, 2])(number),
        layers.TextVectorization(vocabulary=["a", "b"], output_sequence_length=1)(text),
        layers.Hashing(4)(text),
    ]
    x = layers.Concatenate()([layers.Flatten()(layers.Embedding(5, 3)(each)) for each in found])
    crossed = layers.HashedCrossing(4, output_mode="one_hot")((text, number))
    counted = layers.CategoryEncoding(10, "multi_hot")(number)
    y = layers.Dense(4, "relu")(layers.Concatenate()([crossed, counted]))
    return model([text, number], layers.Concatenate()([x, y]))


@case()
def over_positions():
    inputs, x = begun(3, 5)
    x = layers.UnitNormalization(axis=1)(x)
    return model(inputs, layers.Dot(axes=1)([inputs, x]))


@case()
def attentions():
    inputs, x = begun(3, 5)
    found = [
        layers.MultiHeadAttention(2, 2)(x, x),
        layers.GroupQueryAttention(2, 4, 2)(x, x),
    ]
    return model(inputs, layers.Add()(found))


@case()
def plain_attentions():
    inputs, x = begun(3, 5)
    found = [kind()([inputs, x, inputs]) for kind in (layers.Attention, layers.AdditiveAttention)]
    return model(inputs, layers.Add()(found))


@case()
def einsums():
    inputs, x = begun(3, 5)
    y = layers.EinsumDense("abc,cd->abd", (None, 6), bias_axes="d", activation="relu")(x)
    return model(inputs, y)
