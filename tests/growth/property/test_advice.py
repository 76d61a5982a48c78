"""What a refusal says to do instead works, word by word."""

import re

import keras
import pytest
from random_graphs import values
from trying_graphs import computed_in

from adaptive_nets import growth

layers, ops = keras.layers, keras.ops
dense = layers.Dense


@pytest.fixture(autouse=True)
def double():
    """Rounding is not a difference in float64."""
    with computed_in("float64"):
        yield


def row(*steps, shape=(3, 5)):
    """A model of layers in a row."""
    x = inputs = keras.Input(shape)
    for step in steps:
        x = step(x)
    return keras.Model(inputs, x)


def advice(refused, *words):
    """What a call says when it is refused; it has to hold these words."""
    with pytest.raises(ValueError, match="Cannot|could mean|noise is") as error:
        refused()
    message = str(error.value)
    assert all(word in message for word in words), message
    return message


def is_same(gc, grown, model):
    x = values(model)
    return gc.gap(gc.outputs(grown, x), gc.outputs(model, x)) < 1e-10


def is_mean(gc, fused, sources):
    x = values(sources[0])
    one, other = (gc.outputs(model, x)[0] for model in sources)
    return gc.gap(gc.outputs(fused, x), [(one + other) / 2]) < 1e-10


def pair(gc, *makers):
    return [gc.randomise(make(), seed) for seed, make in enumerate(makers)]


@pytest.mark.parametrize("activation", ["relu", None])
def test_fuse_of_other_depths(gc, activation):
    sources = pair(
        gc,
        lambda: row(dense(6, activation), dense(6, activation), dense(2)),
        lambda: row(dense(6, activation, name="hidden"), dense(2)),
    )
    advice(lambda: growth.fuse(sources), "deepen(model, after=[their names], method='identity')")
    deeper = growth.deepen(sources[1], after=["hidden"], method="identity")
    assert is_mean(gc, growth.fuse([sources[0], deeper]), sources)


def test_fuse_of_one_model(gc):
    model = gc.randomise(row(dense(6, "relu"), dense(2)))
    advice(lambda: growth.fuse([model]), "call adaptive_nets.growth.self_fuse")
    assert growth.self_fuse(model)


def test_fuse_of_norms(gc):
    sources = pair(gc, *[lambda: row(dense(6), layers.LayerNormalization(), dense(2))] * 2)
    advice(lambda: growth.fuse(sources), "norm='grouped'", "preserve='approximate'")
    assert is_mean(gc, growth.fuse(sources, norm="grouped"), sources)
    assert growth.fuse(sources, preserve="approximate")


def test_fuse_of_layers_that_only_the_first_shares(gc):
    layer = layers.ReLU(0.6)
    sources = pair(
        gc,
        lambda: row(dense(5), layer, dense(5), layer, dense(2)),
        lambda: row(dense(5), layers.ReLU(0.6), dense(5), layers.ReLU(0.6), dense(2)),
    )
    advice(lambda: growth.fuse(sources), "not shared first")
    assert is_mean(gc, growth.fuse(sources[::-1]), sources)


def masked():
    tokens = keras.Input((4,), dtype="int32")
    inside = keras.Input((4, 4))
    inner = keras.Model(inside, layers.LSTM(3)(layers.LayerNormalization()(inside)))
    x = layers.Embedding(6, 4, mask_zero=True)(tokens)
    return keras.Model(tokens, dense(2)(inner(x)))


def test_fuse_of_masks_that_would_be_lost(gc):
    sources = pair(gc, masked, masked)
    advice(lambda: growth.fuse(sources, norm="grouped"), "mask would be lost", "norm='joint'")
    assert growth.fuse(sources, norm="joint", preserve="approximate")


def test_self_fuse(gc):
    model = gc.randomise(row(dense(6, "relu"), dense(2)))
    advice(
        lambda: growth.self_fuse(model, preserve="exact"),
        *("preserve='approximate'", "cross='zero'"),
    )
    assert growth.self_fuse(model, preserve="approximate")
    assert is_same(gc, growth.self_fuse(model, cross="zero", preserve="exact"), model)


@pytest.mark.parametrize("verb", [lambda m: growth.widen(m, 2.0), growth.self_fuse])
def test_adapters(gc, verb):
    inputs = keras.Input((5, 4))
    attention = layers.MultiHeadAttention(2, 3)
    model = keras.Model(inputs, layers.Dense(2)(attention(inputs, inputs)))
    attention.query_dense.enable_lora(2)
    gc.randomise(model)
    advice(lambda: verb(model), "growth.merge_lora(model)")
    assert verb(growth.merge_lora(model))


@pytest.mark.parametrize(
    ("steps", "first", "second"),
    [
        ([layers.LayerNormalization], {}, {"method": "replicate"}),
        ([lambda: lambda x: ops.sqrt(ops.abs(x))], {}, {"method": "replicate"}),
    ],
)
def test_widen_by_copies(gc, steps, first, second):
    model = gc.randomise(row(dense(6, name="a"), *(make() for make in steps), dense(2)))
    message = advice(lambda: growth.widen(model, {"a": 9}, **first), "method='replicate'")
    widths = {"a": 2.0} if "whole factor" in message else {"a": 9}
    assert is_same(gc, growth.widen(model, widths, **second), model)


def test_widen_in_parts(gc):
    x = keras.Input((3, 5))
    a, b, c = dense(4, name="a")(x), dense(3, name="b")(x), dense(7, name="c")(x)
    model = gc.randomise(keras.Model(x, dense(2)(layers.Concatenate()([a, b]) + c)))
    advice(lambda: growth.widen(model, {"c": 9}), "Pass a factor for the whole model")
    assert is_same(gc, growth.widen(model, 2.0), model)


def test_widen_what_grows_together(gc):
    x = keras.Input((3, 5))
    model = keras.Model(x, dense(2)(dense(4, name="a")(x) + dense(4, name="b")(x)))
    gc.randomise(model)
    advice(
        lambda: growth.widen(model, {"a": 9, "b": 8}),
        "Name one of them, or give both the same width",
    )
    assert is_same(gc, growth.widen(model, {"a": 9}), model)
    assert is_same(gc, growth.widen(model, {"a": 9, "b": 9}), model)


def test_widen_by_a_whole_number_and_by_noise(gc):
    model = gc.randomise(row(dense(6, "relu", name="a"), dense(2)))
    advice(lambda: growth.widen(model, 8), "Pass 8.0, or {layer name: 8}")
    assert growth.widen(model, 8.0)
    assert growth.widen(model, {"a": 8})
    advice(lambda: growth.widen(model, 2.0, noise=0.1), "Pass method='replicate'")
    assert growth.widen(model, 2.0, "replicate", noise=0.1)


def test_deepen_by_an_identity(gc):
    model = gc.randomise(row(dense(6, "tanh", name="a"), dense(2)))
    for after in (1, "a"):
        message = advice(lambda after=after: growth.deepen(model, after, "identity"))
        assert "Pass method='residual'" in message
        assert is_same(gc, growth.deepen(model, after, "residual"), model)


def test_deepen_names_a_place(gc):
    model = gc.randomise(row(layers.Flatten(), dense(2, name="end")))
    message = advice(lambda: growth.deepen(model, 1), "Name a layer with after=, such as")
    (name,) = re.findall("such as '([^']+)'", message)
    assert is_same(gc, growth.deepen(model, name), model)
    message = advice(lambda: growth.deepen(model, "end"), "an output layer of the model")
    (name,) = re.findall("Name '([^']+)' before it", message)
    assert is_same(gc, growth.deepen(model, name), model)


def test_deepen_of_one_layer_says_that_there_is_no_place():
    model = row(dense(2, name="end"))
    assert "Name" not in advice(lambda: growth.deepen(model, 1), "It has none")
    message = advice(lambda: growth.deepen(model, "end"), "Put one in front of it")
    assert "Name" not in message


def test_deepen_by_a_stack(gc):
    model = gc.randomise(row(dense(5, "relu", name="a"), dense(5, "relu"), dense(2)))
    advice(
        lambda: growth.deepen(model, "a", "stack"), "preserve='approximate'", "method='residual'"
    )
    assert growth.deepen(model, "a", "stack", "approximate")
    assert is_same(gc, growth.deepen(model, "a", "residual"), model)
