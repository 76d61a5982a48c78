"""EinsumDense, products and attention arguments where the sources must be told apart."""

import keras
import numpy as np
import pytest

from adaptive_nets import growth
from adaptive_nets.growth.rules.kernels.einsum import axes_by_label, parts

pytestmark = pytest.mark.backend_agnostic
layers = keras.layers
X = np.random.default_rng(0).normal(size=(3, 6, 5)).astype("float32")


def einsum(equation, shape, bias=None, name="e"):
    return layers.EinsumDense(equation, shape, "tanh", bias_axes=bias, name=name)


# Each label of a kernel alone: read, made, both, with positions, behind an ellipsis.
CASES = {
    "by position": lambda x: einsum("bti,tio->bto", (6, 4), "to")(layers.Dense(3)(x)),
    "by position, on inputs": lambda x: einsum("bti,tio->bto", (6, 4), "to")(x),
    "to a position": lambda x: einsum("bti,ti->bt", (6,), "t")(layers.Dense(3)(x)),
    "to a position, on inputs": lambda x: einsum("bti,ti->bt", (6,), "t")(x),
    "gain": lambda x: einsum("bti,i->bti", (6, 3), "i")(layers.Dense(3)(x)),
    "gain, on inputs": lambda x: einsum("bti,i->bti", (6, 5))(x),
    "gain behind an ellipsis": lambda x: einsum("...i,i->...i", (5,), "i")(x),
    "heads": lambda x: einsum("bthk,hko->bto", (6, 4), "o", "made")(
        einsum("...i,ihk->...hk", (2, 3), "hk")(x)
    ),
    "own kernel a head": lambda x: einsum("btho,hoz->btz", (6, 4), "z", "joined")(
        einsum("bthk,hko->btho", (6, 2, 4), "ho", "made")(einsum("bti,ihk->bthk", (6, 2, 3))(x))
    ),
}


def model(case, seed, gc):
    inputs = keras.Input((6, 5))
    hidden = case(inputs)
    return gc.randomise(keras.Model(inputs, layers.Dense(2, name="head")(hidden)), seed)


def mean(gc, *models):
    return [sum(gc.outputs(each, X)[0] for each in models) / len(models)]


@pytest.mark.parametrize("case", CASES)
def test_function_is_preserved(gc, case):
    one, other = model(CASES[case], 1, gc), model(CASES[case], 2, gc)
    for method in ("zero", "replicate"):
        grown = growth.widen(one, 2.0, method, seed=0)
        assert gc.gap(gc.outputs(grown, X), gc.outputs(one, X)) <= 1e-6
    fused = growth.fuse([one, other], seed=0)
    assert gc.gap(gc.outputs(fused, X), mean(gc, one, other)) <= 1e-6
    # Both sources are there: the hidden features are twice as many.
    assert fused.get_layer("head").kernel.shape[0] == 2 * one.get_layer("head").kernel.shape[0]


def test_kernels_of_outputs_are_summed_where_they_read_what_all_share(gc):
    """A skip from the inputs to the outputs: one row of the head in every source."""
    one, other = (
        model(lambda x: layers.Concatenate()([layers.Dense(4, "relu")(x), x]), s, gc)
        for s in (1, 2)
    )
    fused = growth.fuse([one, other], seed=0)
    assert fused.get_layer("head").kernel.shape == (4 + 4 + 5, 2)
    assert gc.gap(gc.outputs(fused, X), mean(gc, one, other)) <= 1e-6


def test_a_sum_without_weights_is_fixed(gc):
    def case(x):
        return einsum("bthi,io->bto", (6, 4))(einsum("bti,ihk->bthk", (6, 2, 3), name="heads")(x))

    one = model(case, 1, gc)
    with pytest.raises(ValueError, match=r"Cannot grow 'heads' from 2 to 4.*over 'h' without"):
        growth.widen(one, {"heads": 4})
    grown = growth.widen(one, 2.0, seed=0)
    assert grown.get_layer("heads").kernel.shape == (5, 2, 6)
    assert gc.gap(gc.outputs(grown, X), gc.outputs(one, X)) <= 1e-6
    assert gc.fused_gap([one, model(case, 2, gc)], X) <= 1e-6


def test_two_growing_axes_are_not_made_one(gc):
    def case(x):
        return layers.Reshape((6, 6), name="flat")(einsum("bti,ihk->bthk", (6, 2, 3), "hk")(x))

    one = model(case, 1, gc)
    assert growth.plan_widen(one, 2.0).rows() == []
    assert gc.fused_gap([one, model(case, 2, gc)], X) <= 1e-6


def test_labels_around_an_ellipsis():
    from adaptive_nets.growth.core.segments import Features

    assert parts("a...i, ih -> a...h") == ("a.i", "ih", "a.h")
    x = Features(((None, 2, 3, 4),), ("batch", "one", "two", "last"))
    assert axes_by_label("a.i", x) == {"a": "batch", "i": "last"}
    assert axes_by_label(".ti", x) == {"t": "two", "i": "last"}


def test_grouped_queries_fuse_on_inputs_and_across(gc):
    """Keras wants queries and values of one size, so what is copied for one is for the other."""
    cases = [
        lambda x: layers.GroupQueryAttention(3, 4, 2)(x, x),
        lambda x: layers.GroupQueryAttention(3, 4, 2)(layers.Dense(5)(x), x),
        lambda x: layers.GroupQueryAttention(3, 4, 2)(layers.Dense(4)(x), layers.Dense(4)(x)),
    ]
    for case in cases:
        one, other = model(case, 1, gc), model(case, 2, gc)
        grown = growth.widen(one, 2.0, seed=0)
        assert gc.gap(gc.outputs(grown, X), gc.outputs(one, X)) <= 1e-6
        fused = growth.fuse([one, other], seed=0)
        assert gc.gap(gc.outputs(fused, X), mean(gc, one, other)) <= 1e-6


def test_calls_with_other_arguments_are_kept_once_a_source(gc):
    def case(causal):
        attention = layers.MultiHeadAttention(2, 3, name="attention")
        return lambda x: attention(x, x, use_causal_mask=causal)

    assert gc.fused_gap([model(case(True), 1, gc), model(case(False), 2, gc)], X) <= 1e-6


def test_attention_over_two_axes_and_products(gc):
    def grid(x):
        x = layers.Dense(4)(layers.Reshape((2, 3, 5))(x))
        return layers.Add()([x, layers.MultiHeadAttention(2, 3, name="attention")(x, x)])

    one, other = (model(grid, s, gc) for s in (1, 2))
    grown = growth.widen(one, 2.0, seed=0)
    assert grown.get_layer("attention").get_config()["num_heads"] == 4
    assert gc.gap(gc.outputs(grown, X), gc.outputs(one, X)) <= 1e-6
    assert gc.gap(gc.outputs(growth.fuse([one, other]), X), mean(gc, one, other)) <= 1e-6

    def product(x):
        return layers.Dot((2, 2), name="dot")([layers.Dense(4, name="left")(x), layers.Dense(4)(x)])

    one = model(product, 1, gc)
    with pytest.raises(ValueError, match="Cannot grow 'left' from 4 to 8.*'dot'"):
        growth.widen(one, {"left": 8})
    assert gc.fused_gap([one, model(product, 2, gc)], X) <= 1e-6


def test_one_scale_of_scores_in_all_sources(gc):
    def case(x):
        return layers.Attention(use_scale=True, name="scores")([x, layers.Dense(4)(x), x])

    one, other = (model(case, s, gc) for s in (1, 2))
    with pytest.raises(ValueError, match="'scores' has another 'scale' in each source"):
        growth.fuse([one, other])
    other.get_layer("scores").scale.assign(one.get_layer("scores").scale)
    assert gc.gap(gc.outputs(growth.fuse([one, other]), X), mean(gc, one, other)) <= 1e-6
