"""keras-hub's T5, GPT-2 and BERT: grown and fused backbones are backbones."""

import functools
import importlib

import keras
import numpy as np
import pytest

keras_hub = pytest.importorskip("keras_hub", reason="keras-hub (extra hub) is not installed")

from adaptive_nets import growth  # noqa: E402 (its rules for keras-hub need it)

pytestmark = pytest.mark.backend_agnostic
MODELS = keras_hub.models
TOKENS, LENGTH = 11, 5
IMAGES = np.random.default_rng(0).normal(size=(3, 4, 4, 3)).astype("float32")


def randomise(model, seed):
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "float" in str(weight.dtype):
            weight.assign(np.asarray(weight) + rng.normal(size=weight.shape) * 0.3)
    return model


# Growth leaves what it grows from as it is.
@functools.cache
def t5(seed=0, hidden=8, heads=2, intermediate=12, key=3, **settings):
    model = MODELS.T5Backbone(TOKENS, 2, heads, hidden, intermediate, key_value_dim=key, **settings)
    return randomise(model, seed)


@functools.cache
def gpt2(seed=0, hidden=8, heads=2, intermediate=12):
    model = MODELS.GPT2Backbone(TOKENS, 2, heads, hidden, intermediate, max_sequence_length=LENGTH)
    return randomise(model, seed)


@functools.cache
def bert(seed=0, hidden=8, heads=2, intermediate=12):
    model = MODELS.BertBackbone(TOKENS, 2, heads, hidden, intermediate, max_sequence_length=LENGTH)
    return randomise(model, seed)


BACKBONES = {
    "t5": t5,
    "t5_not_gated": lambda seed=0: t5(seed, use_gated_activation=False),
    "gpt2": gpt2,
    "bert": bert,
}


@pytest.fixture(scope="module", params=list(BACKBONES))
def backbone(request):
    return BACKBONES[request.param]()


def sample(model):
    """Tokens, and masks that hide the last positions of the first row."""
    rng = np.random.default_rng(1)
    mask = np.ones((2, LENGTH), "int32")
    mask[0, 3:] = 0
    return {
        tensor.name: mask
        if "mask" in tensor.name
        else rng.integers(0, 2 if "segment" in tensor.name else TOKENS, (2, LENGTH))
        for tensor in model.inputs
    }


def outputs(model):
    found = keras.tree.flatten(model(sample(model)))
    return [keras.ops.convert_to_numpy(tensor) for tensor in found]


def check_equal(expected, got):
    assert len(expected) == len(got)
    for one, other in zip(expected, got, strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-5 * np.abs(one).max())


@pytest.mark.parametrize("method", ["zero", "replicate"])
def test_widen_keeps_function_and_class(backbone, method):
    grown = growth.widen(backbone, 2.0, method=method, seed=0)
    assert type(grown) is type(backbone)
    assert grown.intermediate_dim == 2 * backbone.intermediate_dim
    assert grown.hidden_dim == backbone.hidden_dim
    # Heads of T5 have a size of their own; the others' is features / heads.
    factor = 2 if isinstance(backbone, MODELS.T5Backbone) else 1
    assert grown.num_heads == factor * backbone.num_heads
    check_equal(outputs(backbone), outputs(grown))


def test_self_fusion_without_noise_is_exact(backbone):
    plan = growth.plan_self_fuse(backbone, cross="zero")
    assert plan.exact
    grown, _ = growth.apply(plan)
    assert type(grown) is type(backbone)
    for size in ("hidden_dim", "num_heads", "intermediate_dim"):
        assert getattr(grown, size) == 2 * getattr(backbone, size)
    check_equal([np.concatenate([x, x], -1) for x in outputs(backbone)], outputs(grown))


def test_cross_noise_is_reported(backbone):
    _, report = growth.apply(growth.plan_self_fuse(backbone, cross=0.1, seed=0))
    assert not report.exact
    assert report.gap > 1e-3


def test_deepen_keeps_function_and_class(backbone):
    grown = growth.deepen(backbone, after=2, seed=0)
    assert type(grown) is type(backbone)
    assert grown.num_layers == backbone.num_layers + 2
    check_equal(outputs(backbone), outputs(grown))
    new = grown.layers[[x.name for x in grown.layers].index(
        "transformer_decoder_layer_3" if "t5" in backbone.name else "transformer_layer_3"
    )]  # fmt: skip
    drawn = [w for w in new.weights if "kernel" in w.path and np.asarray(w).any()]
    assert drawn, "only outputs are zero, so that the rest can learn"


@pytest.mark.parametrize("make", [t5, gpt2, bert])
def test_joint_norms_of_two_models_are_refused_or_reported(make):
    sources = [make(1), make(2, hidden=16, heads=4, intermediate=20)]
    with pytest.raises(ValueError, match="normalises"):
        growth.fuse(sources, output="concatenate")
    plan = growth.plan_fuse(sources, output="concatenate", preserve="approximate")
    grown, report = growth.apply(plan)
    assert type(grown) is type(sources[0])
    assert (grown.hidden_dim, grown.num_heads, grown.intermediate_dim) == (24, 6, 32)
    assert report.gap > 1e-3
    widths = [t.shape[-1] for t in keras.tree.flatten(grown.outputs)]
    assert set(widths) == {24}


def test_saved_fusion_loads(tmp_path):
    grown = growth.self_fuse(t5(), cross="zero")
    assert grown.key_value_dim == 3
    grown.save(tmp_path / "grown.keras")
    loaded = keras.saving.load_model(tmp_path / "grown.keras")
    assert type(loaded) is MODELS.T5Backbone
    check_equal(outputs(grown), outputs(loaded))


def classifier(backbone):
    """A model around a backbone, so that its features are not an output."""
    inputs = {tensor.name: keras.Input(tensor.shape[1:], dtype="int32", name=tensor.name)
              for tensor in backbone.inputs}  # fmt: skip
    hidden = keras.tree.flatten(backbone(inputs))[0]
    model = keras.Model(inputs, keras.layers.Dense(3, name="classes")(hidden))
    return randomise(model, 5)


def test_features_inside_a_model_grow_silently_behind_root_mean_squares():
    model = classifier(t5.__wrapped__(layer_norm_epsilon=0.1))
    grown = growth.widen(model, 1.5, seed=0)
    inner = next(layer for layer in grown.layers if type(layer) is MODELS.T5Backbone)
    assert (inner.hidden_dim, inner.num_heads, inner.intermediate_dim) == (12, 3, 18)
    assert inner.layer_norm_epsilon == pytest.approx(0.1 * 8 / 12)
    check_equal(outputs(model), outputs(grown))


@pytest.mark.parametrize("make", [gpt2, bert])
def test_features_and_heads_of_a_model_s_backbone_are_copied_together(make):
    model = classifier(make.__wrapped__())
    grown = growth.widen(model, 2.0, method="replicate", seed=0)
    inner = next(layer for layer in grown.layers if isinstance(layer, MODELS.Backbone))
    assert (inner.hidden_dim, inner.num_heads, inner.intermediate_dim) == (16, 4, 24)
    check_equal(outputs(model), outputs(grown))


def test_layers_in_a_plain_model():
    inputs = keras.Input((LENGTH,), dtype="int32", name="token_ids")
    x = keras_hub.layers.TokenAndPositionEmbedding(TOKENS, LENGTH, 8)(inputs)
    x = keras_hub.layers.TransformerEncoder(12, 2)(x)
    x = keras_hub.layers.TransformerDecoder(12, 2, normalize_first=True)(x, x)
    model = randomise(keras.Model(inputs, keras.layers.Dense(3)(x)), 3)
    grown = growth.widen(model, 2.0, method="replicate", seed=0)
    assert grown.count_params() > 3 * model.count_params()
    check_equal(outputs(model), outputs(grown))
    expected = outputs(model)
    check_equal(expected, outputs(growth.self_fuse(model, cross="zero")))


def test_what_the_classes_cannot_say_is_refused():
    with pytest.raises(ValueError, match="key_value_dim"):
        growth.fuse([t5(), t5(key=2)], output="concatenate", preserve="approximate")
    with pytest.raises(ValueError, match="heads of 4 features"):
        growth.widen(gpt2(), {"transformer_layer_0:heads": 4})
    with pytest.raises(ValueError, match="'activation'"):
        growth.fuse([t5(), t5(activation="gelu")], output="concatenate", preserve="approximate")
    with pytest.raises(ValueError, match="numbers its blocks"):
        growth.deepen(gpt2(), after="transformer_layer_0")


def test_blocks_are_kept_once_a_source_where_each_has_its_norms():
    sources = [bert(1), bert(2, hidden=16, heads=4, intermediate=20)]
    plan = growth.plan_fuse([classifier(each) for each in sources], norm="grouped")
    assert plan.exact
    kept = "transformer_layer_0' (TransformerEncoder) is kept once per source"
    assert any(kept in note for note in plan.notes)
    fused, _ = growth.apply(plan, verify=True)
    found = [outputs(each)[0] for each in plan.models]
    check_equal([(found[0] + found[1]) / 2], outputs(fused))


@pytest.mark.exhaustive
def test_features_that_are_outputs_and_read_are_mixed_behind_the_graph():
    plan = growth.plan_fuse([bert(1), bert(2)], norm="grouped")
    fused, _ = growth.apply(plan, verify=False)
    assert type(fused) is not type(bert(1))
    pairs = zip(outputs(bert(1)), outputs(bert(2)), strict=True)
    check_equal([(a + b) / 2 for a, b in pairs], outputs(fused))


def between(middle, seed, gc):
    inputs = keras.Input((4, 4, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", use_bias=False, name="h")(inputs)
    x = keras.layers.Conv2D(2, 1)(middle()(x))
    return gc.randomise(keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x)), seed)


def affine():
    module = importlib.import_module("keras_hub.src.models.hgnetv2.hgnetv2_layers")
    return module.HGNetV2LearnableAffineBlock(name="middle")


def norm():
    module = importlib.import_module("keras_hub.src.models.mobilenetv5.mobilenetv5_layers")
    return module.RmsNorm2d(4, eps=0.1, data_format="channels_last", name="middle")


@pytest.mark.parametrize("middle", [affine, norm])
def test_layers_between_convolutions(gc, middle):
    source = between(middle, 1, gc)
    for method in ("zero", "replicate"):
        wider = growth.widen(source, 2.0, method=method, seed=0)
        assert wider.get_layer("h").filters == 8
        assert gc.gap(gc.outputs(wider, IMAGES), gc.outputs(source, IMAGES)) <= 1e-5
    assert gc.fused_gap([source, between(middle, 2, gc)], IMAGES, norm="grouped") <= 1e-5


def test_a_class_that_names_its_layers_after_itself(gc):
    encoder = gc.randomise(
        keras_hub.models.CLIPVisionEncoder(
            patch_size=2, hidden_dim=4, num_layers=1, num_heads=2, intermediate_dim=6,
            image_shape=(4, 4, 3),
        )
    )  # fmt: skip
    grown = growth.widen(encoder, 2.0, seed=0)
    assert type(grown) is type(encoder) and grown.intermediate_dim == 12
    assert gc.gap(gc.outputs(grown, IMAGES), gc.outputs(encoder, IMAGES)) <= 1e-5


def test_sizes_that_a_constructor_does_not_say_stay(gc):
    """Whisper's convolutions are as wide as its blocks."""
    model = gc.randomise(
        keras_hub.models.WhisperBackbone(
            vocabulary_size=7, num_layers=1, num_heads=2, hidden_dim=4, intermediate_dim=6,
            num_mels=3, max_encoder_sequence_length=4, max_decoder_sequence_length=4,
        )
    )  # fmt: skip
    plan = growth.plan_widen(model, 2.0, seed=0)
    grown, _ = growth.apply(plan, verify=False)
    assert set(plan.table["axis"]) == {"intermediate_dim"}
    assert (grown.hidden_dim, grown.intermediate_dim) == (4, 12)


@pytest.mark.parametrize("tied", [True, pytest.param(False, marks=pytest.mark.exhaustive)])
def test_logits_that_are_divided_by_the_width(tied):
    task = MODELS.T5Seq2SeqLM(t5.__wrapped__(0, tie_embedding_weights=tied))
    grown = growth.widen(task, 2.0, seed=0)
    assert type(grown) is type(task)
    assert grown.backbone.hidden_dim == (8 if tied else 16)
    check_equal(outputs(task), outputs(grown))
