"""Norms where features of several layers, or of all sources, meet; what is refused, by name."""

import keras
import numpy as np
import pytest

from adaptive_nets import growth

pytestmark = pytest.mark.backend_agnostic
layers = keras.layers
X = np.random.default_rng(0).normal(size=(3, 6, 5)).astype("float32")


def model(hidden, seed, gc):
    """A model around some layers, with no weight left as it was made."""
    inputs = keras.Input((6, 5))
    made = keras.Model(inputs, layers.Dense(2, name="head")(hidden(inputs)))
    return gc.randomise(made, seed)


def mean(gc, *models):
    return [sum(gc.outputs(each, X)[0] for each in models) / len(models)]


def joined(x, norm=layers.LayerNormalization):
    """Features of two layers side by side: when fused, sources do not stand in a row."""
    parts = [layers.Dense(4, "relu", name="left")(x), layers.Dense(3, "tanh", name="right")(x)]
    return norm(name="norm")(layers.Concatenate()(parts))


def twice(x):
    norm = layers.LayerNormalization(name="norm")
    x = layers.Dense(4, name="in")(x)
    y = layers.Dense(4, "tanh", name="between")(norm(x))
    return layers.Add()([x, norm(layers.Add()([x, y]))])


def without_weights(x):
    norm = layers.LayerNormalization(center=False, scale=False, name="norm")
    return norm(layers.Dense(4, name="in")(x))


def on_inputs(x):
    return layers.LayerNormalization(name="norm")(x)


def other_epsilon(x):
    return layers.LayerNormalization(epsilon=0.5, name="norm")(layers.Dense(4)(x))


@pytest.mark.parametrize("hidden", [joined, twice, without_weights, on_inputs, other_epsilon])
def test_grouped_norms_are_exact_saved_and_joint_ones_refused(gc, hidden, tmp_path):
    one, other = model(hidden, 1, gc), model(hidden, 2, gc)
    fused = growth.fuse([one, other], norm="grouped", seed=0)
    assert gc.gap(gc.outputs(fused, X), mean(gc, one, other)) <= 1e-6
    fused.save(tmp_path / "fused.keras")
    loaded = keras.saving.load_model(tmp_path / "fused.keras")
    assert gc.gap(gc.outputs(loaded, X), gc.outputs(fused, X)) == 0
    with pytest.raises(ValueError, match=r"'norm' normalises the features of all sources"):
        growth.fuse([one, other])
    same = growth.self_fuse(one, cross="zero", preserve="exact", seed=0)
    assert gc.gap(gc.outputs(same, X), gc.outputs(one, X)) <= 1e-6


def test_each_source_keeps_its_own_epsilon_where_norms_are_grouped(gc):
    def hidden(epsilon):
        return lambda x: layers.LayerNormalization(epsilon=epsilon)(layers.Dense(4)(x))

    one, other = model(hidden(1e-3), 1, gc), model(hidden(0.5), 2, gc)
    fused = growth.fuse([one, other], norm="grouped", seed=0)
    assert gc.gap(gc.outputs(fused, X), mean(gc, one, other)) <= 1e-6


@pytest.mark.parametrize("norm", [layers.LayerNormalization, layers.RMSNormalization])
def test_a_norm_over_features_and_inputs_is_kept_once_per_source(gc, norm):
    """The inputs would stand once beside the features of two sources: another mean."""

    def hidden(x):
        return norm(name="norm")(layers.Concatenate()([layers.Dense(4, "relu")(x), x]))

    one = model(hidden, 1, gc)
    grown = growth.self_fuse(one, cross="zero")
    assert gc.gap(gc.outputs(grown, X), gc.outputs(one, X)) <= 1e-6
    other = model(hidden, 2, gc)
    wanted = [(a + b) / 2 for a, b in zip(gc.outputs(one, X), gc.outputs(other, X), strict=True)]
    for norm_choice in ("joint", "grouped"):
        plan = growth.plan_fuse([one, other], norm=norm_choice)
        assert "'norm' (" in str(plan) and "is kept once per source" in str(plan)
        assert gc.gap(gc.outputs(growth.fuse([one, other], norm=norm_choice), X), wanted) <= 1e-6


def test_root_mean_squares_hold_only_with_zeros_or_equal_copies(gc):
    def hidden(activation):
        def made(x):
            y = layers.Dense(4, activation, name="in")(x)
            return layers.RMSNormalization(name="norm")(layers.Concatenate()([y, x]))

        return made

    quiet, loud = model(hidden("relu"), 1, gc), model(hidden("sigmoid"), 1, gc)
    grown = growth.widen(quiet, {"in": 7}, seed=0)
    assert grown.get_layer("in").units == 7
    assert gc.gap(gc.outputs(grown, X), gc.outputs(quiet, X)) <= 1e-6
    # A sigmoid of zero is not zero, and copies of a part weigh more than the rest.
    with pytest.raises(ValueError, match="'norm' normalises over all features"):
        growth.widen(loud, {"in": 7})
    with pytest.raises(ValueError, match="'norm' normalises over all of 9 features"):
        growth.widen(quiet, {"in": 8}, method="replicate")


def test_axes_other_than_the_last_are_refused(gc):
    def hidden(x):
        return layers.LayerNormalization(axis=[1, 2], name="norm")(layers.Dense(4, name="in")(x))

    one = model(hidden, 1, gc)
    with pytest.raises(ValueError, match=r"Cannot grow 'in' from 4 to 8.*axes \[1, 2\]"):
        growth.widen(one, {"in": 8}, method="replicate")
    assert gc.fused_gap([one, model(hidden, 2, gc)], X) <= 1e-6


def seam(x):
    """Groups of two over the seam of two layers with three channels each."""
    x = layers.GroupNormalization(3, name="norm")(layers.Dense(6, "tanh", name="in")(x))
    parts = [layers.Dense(3, name="left")(x), layers.Dense(3, name="right")(x)]
    return layers.Add()([x, layers.Concatenate()(parts)])


def whole(x):
    """Groups of two that end where a layer ends, normalised again."""
    x = layers.Concatenate()([layers.Dense(6, name="left")(x), layers.Dense(2, name="right")(x)])
    return layers.GroupNormalization(4, name="again")(layers.GroupNormalization(4)(x))


def instances(x):
    return layers.GroupNormalization(-1, name="norm")(layers.Dense(4, name="left")(x))


@pytest.mark.parametrize("method", ["zero", "replicate"])
@pytest.mark.parametrize("hidden", [whole, instances])
def test_groups_that_end_with_a_layer_grow_and_fuse(gc, hidden, method):
    one, other = model(hidden, 1, gc), model(hidden, 2, gc)
    grown = growth.widen(one, 2.0, method, seed=0)
    assert grown.get_layer("left").units == 2 * one.get_layer("left").units
    assert gc.gap(gc.outputs(grown, X), gc.outputs(one, X)) <= 1e-6
    fused = growth.fuse([one, other], seed=0)
    assert gc.gap(gc.outputs(fused, X), mean(gc, one, other)) <= 1e-6


def test_a_group_over_a_seam_does_not_grow_and_is_kept_once_per_source(gc):
    one = model(seam, 1, gc)
    assert growth.plan_widen(one, 2.0).rows() == []
    with pytest.raises(ValueError, match="blocks of 2 reach over its end"):
        growth.widen(one, {"left": 6})
    plan = growth.plan_fuse([one, model(seam, 2, gc)])
    assert "'norm' (GroupNormalization) is kept once per source" in str(plan)
    assert gc.fused_gap([one, model(seam, 2, gc)], X) <= 1e-6


def test_groups_of_other_sizes_are_approximate(gc):
    def hidden(groups):
        return lambda x: layers.GroupNormalization(groups, name="norm")(layers.Dense(12)(x))

    sources = [model(hidden(3), 1, gc), model(hidden(2), 2, gc)]
    with pytest.raises(ValueError, match=r"'norm' has groups of \[4, 6\] channels"):
        growth.fuse(sources)
    fused, report = growth.apply(growth.plan_fuse(sources, preserve="approximate"), X)
    assert fused.get_layer("norm").groups == 12
    assert report.gap == pytest.approx(gc.gap(gc.outputs(fused, X), mean(gc, *sources)), rel=1e-5)


def test_batch_norm_over_features_and_inputs(gc):
    """The inputs stand once in the fused layer, so they can have one gain only."""

    def hidden(x):
        x = layers.Concatenate()([layers.Dense(4, "relu")(x), x])
        return layers.BatchNormalization(name="norm")(x)

    one, other = model(hidden, 1, gc), model(hidden, 2, gc)
    same = growth.self_fuse(one, cross="zero", preserve="exact", seed=0)
    assert gc.gap(gc.outputs(same, X), gc.outputs(one, X)) <= 1e-6
    with pytest.raises(ValueError, match="'norm' has another .* in each source on shared features"):
        growth.fuse([one, other])


def test_normalization_of_inputs_is_kept(gc):
    def hidden(x):
        return layers.Dense(4, "relu", name="in")(layers.Normalization(name="norm")(x))

    one, other = model(hidden, 1, gc), model(hidden, 2, gc)
    for each in (one, other):
        each.get_layer("norm").adapt(3 * X + 1)
    grown = growth.widen(one, 2.0, seed=0)
    assert gc.gap(gc.outputs(grown, X), gc.outputs(one, X)) <= 1e-6
    assert gc.gap(gc.outputs(growth.fuse([one, other]), X), mean(gc, one, other)) <= 1e-6
    # Each source's inputs are standardised by what it has seen.
    other.get_layer("norm").adapt(X)
    assert gc.gap(gc.outputs(growth.fuse([one, other]), X), mean(gc, one, other)) <= 1e-6


def test_normalization_by_statistics_of_another_axis_stays(gc):
    def hidden(x):
        mean, variance = np.arange(6.0), np.arange(1.0, 7.0)
        norm = layers.Normalization(axis=1, mean=mean, variance=variance, name="norm")
        return layers.Dense(4, "relu")(norm(layers.Dense(3, "relu", name="in")(x)))

    one, other = model(hidden, 1, gc), model(hidden, 2, gc)
    for grown in (growth.widen(one, 2.0, seed=0), growth.self_fuse(one, cross="zero", seed=0)):
        assert gc.gap(gc.outputs(grown, X), gc.outputs(one, X)) <= 1e-6
    assert gc.gap(gc.outputs(growth.fuse([one, other]), X), mean(gc, one, other)) <= 1e-6


def test_lengths_are_fixed_and_spectral_norms_grow(gc):
    one = model(lambda x: layers.UnitNormalization(name="unit")(layers.Dense(4)(x)), 1, gc)
    assert growth.plan_widen(one, 2.0).rows() == []
    assert gc.fused_gap([one, one], X) <= 1e-6
    spectral = model(lambda x: layers.SpectralNormalization(layers.Dense(4), name="s")(x), 1, gc)
    grown = growth.widen(spectral, 2.0)
    assert gc.gap(gc.outputs(grown, X), gc.outputs(spectral, X)) <= 1e-6
    old, new = (each.get_layer("s").vector_u for each in (spectral, grown))
    assert new.shape == (1, 8) and np.array_equal(new[:, :4], old)
