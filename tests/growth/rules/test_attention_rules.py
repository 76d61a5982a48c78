"""Norms, attention and EinsumDense: what keeps the function, what is refused, and a small ViT."""

import keras
import numpy as np
import pytest

from adaptive_nets import growth

pytestmark = pytest.mark.backend_agnostic
layers = keras.layers
IMAGES = np.random.default_rng(0).normal(size=(3, 16, 16, 3))


def vit(width=8, heads=2, norm=layers.LayerNormalization, dtype="float32", name="vit"):
    """Patches, two pre-norm blocks, pooling, head."""
    make = {"dtype": dtype}
    inputs = keras.Input((16, 16, 3), dtype=dtype)
    x = layers.Conv2D(width, 4, 4, name="patch", **make)(inputs)
    x = layers.Reshape((16, width), name="flat", **make)(x)
    x = layers.Dense(width, name="project", **make)(x)
    for block in range(2):
        y = norm(name=f"before_attention_{block}", **make)(x)
        y = layers.MultiHeadAttention(heads, 4, name=f"attention_{block}", **make)(y, y)
        x = layers.Add(name=f"add_{block}", **make)([x, y])
        y = norm(name=f"before_mlp_{block}", **make)(x)
        y = layers.Dense(2 * width, "gelu", name=f"mlp_{block}", **make)(y)
        x = layers.Add(name=f"sum_{block}", **make)(
            [x, layers.Dense(width, name=f"back_{block}", **make)(y)]
        )
    x = layers.GlobalAveragePooling1D(**make)(norm(name="last", **make)(x))
    return keras.Model(inputs, layers.Dense(5, name="head", **make)(x), name=name)


@pytest.fixture(scope="module", params=["LayerNormalization", "RMSNormalization"])
def norm(request):
    return getattr(layers, request.param)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)])
@pytest.mark.parametrize(
    ("widths", "method"),
    [
        (2.0, "zero"),
        (2.0, "replicate"),
        # Keras rounds 1 / sqrt(key_dim) to float32 in every precision: 4 and 16 lose nothing.
        ({"attention_0": 5, "attention_1:key_dim": 16, "attention_1:value_dim": 7}, "zero"),
        ({"attention_0": 3}, "replicate"),
    ],
)
def test_wider_vit_computes_the_same(gc, norm, widths, method, dtype, tolerance):
    model = gc.randomise(vit(norm=norm, dtype=dtype))
    grown = growth.widen(model, widths, method, seed=0)
    x = IMAGES.astype(dtype)
    assert gc.gap(gc.outputs(grown, x), gc.outputs(model, x)) <= tolerance
    assert grown.count_params() > model.count_params()


def test_zero_widening_grows_heads_and_mlp_but_no_key(gc):
    grown = growth.widen(gc.randomise(vit()), 2.0, seed=0)
    attention = grown.get_layer("attention_0").get_config()
    assert (attention["num_heads"], attention["key_dim"], attention["value_dim"]) == (4, 4, 4)
    assert grown.get_layer("mlp_0").units == 16 * 2
    # The residual stream runs through layer norms.
    assert grown.get_layer("back_0").units == 8


def test_a_root_mean_square_norm_lets_zeros_in(gc):
    plan = growth.plan_widen(gc.randomise(vit(norm=layers.RMSNormalization)), 2.0, seed=0)
    grown, _ = growth.apply(plan)
    assert grown.get_layer("back_0").units == 16
    model = plan.trace.models[0]
    old, new = (m.get_layer("last") for m in (model, grown))
    np.testing.assert_allclose(
        np.array(new.scale)[:8], np.array(old.scale) * np.sqrt(0.5), rtol=1e-6
    )
    assert new.epsilon == pytest.approx(old.epsilon / 2)


def test_a_layer_norm_refuses_by_name_what_would_change_it(gc):
    model = vit()
    with pytest.raises(ValueError, match=r"Cannot grow 'back_0' from 8 to 16.*method='replicate'"):
        growth.widen(model, {"back_0": 16})
    with pytest.raises(ValueError, match="whole factor"):
        growth.widen(model, {"back_0": 12}, method="replicate")
    with pytest.raises(ValueError, match="copies would change it"):
        growth.widen(model, {"attention_0:key_dim": 8}, method="replicate")


def test_self_fusion_is_exact_and_fusion_is_with_grouped_norms(gc, norm):
    x = IMAGES.astype("float32")
    one, other = (gc.randomise(vit(norm=norm), seed) for seed in (1, 2))
    same = growth.self_fuse(one, cross="zero", preserve="exact", seed=0)
    assert gc.gap(gc.outputs(same, x), gc.outputs(one, x)) <= 1e-6
    mean = [(a + b) / 2 for a, b in zip(gc.outputs(one, x), gc.outputs(other, x), strict=True)]
    grouped = growth.fuse([one, other], norm="grouped", seed=0)
    assert gc.gap(gc.outputs(grouped, x), mean) <= 1e-6
    assert grouped.get_layer("attention_0").get_config()["num_heads"] == 4
    with pytest.raises(ValueError, match=r"'before_attention_0' normalises.*norm='grouped'"):
        growth.fuse([one, other])
    joint, report = growth.apply(growth.plan_fuse([one, other], preserve="approximate"), sample=x)
    assert report.gap == pytest.approx(gc.gap(gc.outputs(joint, x), mean), rel=1e-6)
    assert report.gap > 1e-3


def test_a_grouped_fusion_is_saved_and_trains_on(gc, tmp_path):
    x = IMAGES.astype("float32")
    fused = growth.fuse([gc.randomise(vit(), s) for s in (1, 2)], norm="grouped", seed=0)
    fused.save(tmp_path / "fused.keras")
    loaded = keras.saving.load_model(tmp_path / "fused.keras")
    assert gc.gap(gc.outputs(loaded, x), gc.outputs(fused, x)) == 0
    loaded.compile("sgd", "mse")
    assert np.isfinite(loaded.train_on_batch(x, np.zeros((3, 5), "float32")))


def test_heads_of_another_size_are_not_fused(gc):
    def model(key):
        inputs = keras.Input((6, 4))
        x = layers.MultiHeadAttention(2, key, name="attention")(inputs, inputs)
        return keras.Model(inputs, layers.Dense(2)(x))

    with pytest.raises(ValueError, match=r"'attention': key_dim differs.*\(3, 4\)"):
        growth.fuse([model(3), model(4)])


def grouped_queries(heads=2, width=6, dtype="float32"):
    inputs = keras.Input((5, 4), dtype=dtype)
    x = layers.Dense(width, name="in", dtype=dtype)(inputs)
    y = layers.GroupQueryAttention(3, 2 * heads, heads, name="gqa", dtype=dtype)(x, x)
    return keras.Model(inputs, layers.Dense(2, dtype=dtype)(layers.Add(dtype=dtype)([x, y])))


def cross_attention(heads=2, width=6, dtype="float32"):
    """Another value than query, masks by causality, scores as a second output."""
    inputs = keras.Input((5, 4), dtype=dtype)
    x = layers.Dense(width, "tanh", name="in", dtype=dtype)(inputs)
    attention = layers.MultiHeadAttention(heads, 3, value_dim=2, name="mha", dtype=dtype)
    y = attention(x, inputs, use_causal_mask=True)
    return keras.Model(inputs, layers.Dense(2, dtype=dtype)(layers.Add(dtype=dtype)([x, y])))


def einsum(width=4, heads=2, dtype="float32"):
    make = {"dtype": dtype}
    inputs = keras.Input((5, 4), dtype=dtype)
    x = layers.EinsumDense("bti,io->bto", (5, width), "tanh", bias_axes="o", name="a", **make)(
        inputs
    )
    x = layers.EinsumDense("...i,ihk->...hk", (heads, 3), bias_axes="hk", name="b", **make)(x)
    x = layers.EinsumDense("bthk,hkz->btz", (None, width), bias_axes="z", name="c", **make)(x)
    return keras.Model(inputs, layers.EinsumDense("btz,zo->bto", (None, 2), **make)(x))


def group_norm(width=4, heads=2, dtype="float32"):
    inputs = keras.Input((5, 4), dtype=dtype)
    x = layers.Dense(2 * heads, "tanh", name="in", dtype=dtype)(inputs)
    x = layers.GroupNormalization(heads, name="norm", dtype=dtype)(x)
    return keras.Model(inputs, layers.Dense(2, dtype=dtype)(x))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)])
@pytest.mark.parametrize("method", ["zero", "replicate"])
@pytest.mark.parametrize("make", [grouped_queries, cross_attention, einsum, group_norm])
def test_function_is_preserved(gc, make, method, dtype, tolerance):
    x = np.random.default_rng(1).normal(size=(3, 5, 4)).astype(dtype)
    model = gc.randomise(make(dtype=dtype))
    grown = growth.widen(model, 2.0, method, seed=0)
    assert grown.count_params() > model.count_params()
    assert gc.gap(gc.outputs(grown, x), gc.outputs(model, x)) <= tolerance
    other = gc.randomise(make(heads=3, dtype=dtype), 5)
    fused = growth.fuse([model, other], seed=0)
    mean = [(gc.outputs(model, x)[0] + gc.outputs(other, x)[0]) / 2]
    assert gc.gap(gc.outputs(fused, x), mean) <= tolerance


def test_groups_grow_whole():
    model = group_norm(heads=3)
    with pytest.raises(ValueError, match="whole blocks of 2"):
        growth.widen(model, {"in": 7})
    grown = growth.widen(model, {"in": 10}, seed=0)
    assert grown.get_layer("norm").groups == 5


def test_scores_over_growing_features_fix_them(gc):
    inputs = keras.Input((5, 4))
    x = layers.Dense(6, name="query")(inputs)
    v = layers.Dense(6, name="value")(inputs)
    model = gc.randomise(keras.Model(inputs, layers.Dense(2)(layers.Attention()([x, v, x]))))
    grown = growth.widen(model, 2.0, seed=0)
    assert (grown.get_layer("query").units, grown.get_layer("value").units) == (6, 12)
    sample = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    assert gc.gap(gc.outputs(grown, sample), gc.outputs(model, sample)) <= 1e-6
    other = gc.randomise(keras.models.clone_model(model), 5)
    assert gc.fused_gap([model, other], sample) <= 1e-6
