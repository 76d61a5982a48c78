"""Recurrent layers: gates grow alike, states are tied, masks pass, all verbs are exact."""

import keras
import numpy as np
import pytest

from adaptive_nets import growth
from adaptive_nets.growth.core.compare import random_inputs

pytestmark = pytest.mark.backend_agnostic
layers = keras.layers


def tagger(width=4, **settings):
    """Tokens with padding, a bidirectional LSTM, and a label a token."""
    tokens = keras.Input((5,), dtype="int32")
    x = layers.Embedding(7, width, mask_zero=True)(tokens)
    cell = layers.LSTM(width, return_sequences=True, name="lstm", **settings)
    x = layers.Bidirectional(cell, name="both")(x)
    x = layers.GRU(width + 1, name="gru")(x)
    return keras.Model(tokens, layers.Dense(3, name="end")(x))


def tokens(rows=6):
    x = np.random.default_rng(2).integers(1, 7, (rows, 5))
    x[:, 3:] = 0
    x[0, 1:] = 0
    return x


@pytest.mark.parametrize(("method", "factor"), [("zero", 2.0), ("replicate", 2.0), ("zero", 1.5)])
def test_a_bidirectional_lstm_widens(gc, method, factor):
    model, x = gc.randomise(tagger()), tokens()
    grown = growth.widen(model, factor, method, seed=0)
    assert grown.get_layer("both").forward_layer.units == 4 * factor
    assert grown.get_layer("both").backward_layer.units == 4 * factor
    assert gc.gap(gc.outputs(grown, x), gc.outputs(model, x)) <= 1e-5


def test_bidirectional_lstms_fuse(gc):
    one, two, x = gc.randomise(tagger()), gc.randomise(tagger(6), 1), tokens()
    mean = (gc.outputs(one, x)[0] + gc.outputs(two, x)[0]) / 2
    fused = growth.fuse([one, two], seed=0)
    assert gc.gap(gc.outputs(fused, x), [mean]) <= 1e-5
    itself = growth.self_fuse(one, cross="zero", seed=0)
    assert gc.gap(gc.outputs(itself, x), gc.outputs(one, x)) <= 1e-5
    assert itself.get_layer("both").forward_layer.units == 8


def test_masks_are_kept(gc):
    """What stands at padded positions is not seen, before and after growth."""
    model = gc.randomise(tagger())
    embedding = model.layers[1]
    for made in (model, growth.widen(model, 2.0, seed=0), growth.self_fuse(model, seed=0)):
        x = tokens()
        before = gc.outputs(made, x)
        matrix = next(layer for layer in made.layers if type(layer) is type(embedding))
        values = np.array(matrix.embeddings)
        values[0] += 3.0
        matrix._embeddings.assign(values)
        assert gc.gap(gc.outputs(made, x), before) == 0.0


def test_every_gate_gets_its_blocks(gc):
    inputs = keras.Input((3, 2))
    hidden = layers.LSTM(2, name="lstm")(inputs)
    model = gc.randomise(keras.Model(inputs, layers.Dense(1)(hidden)))
    grown = growth.widen(model, {"lstm": 3}, seed=0)
    old, new = (np.array(m.get_layer("lstm").cell.recurrent_kernel) for m in (model, grown))
    new = new.reshape(3, 4, 3)
    np.testing.assert_array_equal(new[:2, :, :2], old.reshape(2, 4, 2))
    # Old units do not read the new one; it reads all of them, at every gate.
    assert not new[2, :, :2].any()
    assert (np.abs(new[:, :, 2]).max(axis=0) > 0).all()
    bias = np.array(grown.get_layer("lstm").cell.bias).reshape(4, 3)
    np.testing.assert_array_equal(bias[:, :2].ravel(), np.array(model.get_layer("lstm").cell.bias))
    # A new forget gate begins open, as Keras makes it.
    np.testing.assert_array_equal(bias[:, 2], [0, 1, 0, 0])


def states(width=4, reset_after=True):
    """An encoder's states begin a decoder; features of another input begin a third layer."""
    series, start = keras.Input((4, 3)), keras.Input((2,))
    y, *ends = layers.LSTM(width, return_sequences=True, return_state=True)(series)
    z = layers.LSTM(width, go_backwards=True)(y, initial_state=ends)
    begin = layers.Dense(width, name="begin")(start)
    gru = layers.GRU(width, reset_after=reset_after, return_state=True, return_sequences=True)
    u, state = gru(y, initial_state=begin)
    w = layers.Bidirectional(layers.GRU(width), name="both")(u, initial_state=[begin, state])
    outputs = [layers.Dense(2)(x) for x in (z, w, state)]
    return keras.Model([series, start], outputs)


@pytest.mark.parametrize("reset_after", [True, False])
def test_states_are_tied(gc, reset_after):
    model = gc.randomise(states(reset_after=reset_after))
    other = gc.randomise(states(5, reset_after=reset_after), 1)
    x = random_inputs(model)
    expected = gc.outputs(model, x)
    for method in ("zero", "replicate"):
        grown = growth.widen(model, {"begin": 7}, method, seed=0)
        assert grown.get_layer("both").forward_layer.units == 7
        assert gc.gap(gc.outputs(grown, x), expected) <= 1e-5
    mean = [(a + b) / 2 for a, b in zip(expected, gc.outputs(other, x), strict=True)]
    assert gc.gap(gc.outputs(growth.fuse([model, other]), x), mean) <= 1e-5


def test_a_state_from_an_input_cannot_grow_but_fuses(gc):
    def make():
        series, start = keras.Input((4, 3)), keras.Input((2,))
        x = layers.GRU(2, name="gru")(series, initial_state=start)
        return keras.Model([series, start], layers.Dense(2)(x))

    one, two = gc.randomise(make()), gc.randomise(make(), 1)
    x = random_inputs(one)
    with pytest.raises(ValueError, match="Cannot grow 'gru' from 2 to 3: 'gru': its features meet"):
        growth.widen(one, {"gru": 3})
    mean = (gc.outputs(one, x)[0] + gc.outputs(two, x)[0]) / 2
    assert gc.gap(gc.outputs(growth.fuse([one, two]), x), [mean]) <= 1e-5


def test_stacked_cells_grow_one_by_one(gc):
    inputs = keras.Input((3, 2))
    cells = [layers.LSTMCell(3), layers.GRUCell(2), layers.SimpleRNNCell(4)]
    model = keras.Model(inputs, layers.Dense(2)(layers.RNN(cells, name="stack")(inputs)))
    x = random_inputs(gc.randomise(model))
    grown = growth.widen(model, {"stack:units_1": 5}, seed=0)
    assert [cell.units for cell in grown.get_layer("stack").cell.cells] == [3, 5, 4]
    assert gc.gap(gc.outputs(grown, x), gc.outputs(model, x)) <= 1e-5


def test_stateful_layers_grow_between_sequences_only(gc):
    inputs = keras.Input((3, 2), batch_size=4)
    x = layers.LSTM(3, stateful=True, name="lstm")(inputs)
    model = gc.randomise(keras.Model(inputs, layers.Dense(2)(x)))
    x = random_inputs(model, rows=4)
    grown = growth.widen(model, 2.0, seed=0)
    for _ in range(2):  # the second call goes on from the first one's states
        assert gc.gap(gc.outputs(grown, x), gc.outputs(model, x)) <= 1e-5
    with pytest.raises(ValueError, match="'lstm': it is stateful and in the middle of a sequence"):
        growth.widen(model, 2.0)


def test_unknown_cells_are_carried_and_unlike_sources_refused(gc):
    @keras.saving.register_keras_serializable(package="test_recurrent_rules")
    class Mine(layers.LSTMCell):
        pass

    inputs = keras.Input((3, 2))
    model = keras.Model(inputs, layers.Dense(2)(layers.RNN(Mine(3), name="rnn")(inputs)))
    assert "'rnn' (RNN) is carried as it is: there is no growth rule for its cell" in str(
        growth.plan_widen(model, 2.0)
    )
    one, two = tagger(), tagger(activation="relu")
    with pytest.raises(ValueError, match="Cannot fuse at 'both/forward_lstm'.* differ in activat"):
        growth.fuse([one, two])
