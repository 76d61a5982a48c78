"""Embeddings, also tied to the logits: what is written and read with one matrix stays exact."""

import keras
import numpy as np
import pytest

from adaptive_nets import growth

pytestmark = pytest.mark.backend_agnostic
layers = keras.layers


def language_model(width=4, vocabulary=7, head=None, **settings):
    """Embeds tokens, adds one block, and reads with the same layer in reverse."""
    tokens = keras.Input((5,), dtype="int32")
    embedding = layers.ReversibleEmbedding(vocabulary, width, name="table", **settings)
    x = embedding(tokens)
    x = layers.Add()([x, layers.Dense(width)(layers.Dense(2 * width, "relu", name="mlp")(x))])
    return keras.Model(tokens, (head or (lambda y: y))(embedding(x, reverse=True)))


def tokens(rows=6):
    return np.random.default_rng(2).integers(0, 7, (rows, 5))


@pytest.mark.parametrize("settings", [{}, {"tie_weights": False}, {"logit_soft_cap": 2.0}])
@pytest.mark.parametrize("method", ["zero", "replicate"])
def test_reversible_embeddings_widen(gc, method, settings):
    model, x = gc.randomise(language_model(**settings)), tokens()
    grown = growth.widen(model, 2.0, method, seed=0)
    assert grown.get_layer("table").output_dim == 8
    assert grown.get_layer("table").tie_weights == settings.get("tie_weights", True)
    assert gc.gap(gc.outputs(grown, x), gc.outputs(model, x)) <= 1e-5
    again = growth.widen(grown, 2.0, method, seed=1)
    assert gc.gap(gc.outputs(again, x), gc.outputs(model, x)) <= 1e-5


def test_new_columns_of_a_tied_matrix_are_zero(gc):
    grown = growth.widen(gc.randomise(language_model()), {"table": 6}, seed=0)
    assert not np.array(grown.get_layer("table").embeddings)[:, 4:].any()
    untied = growth.widen(gc.randomise(language_model(tie_weights=False)), {"table": 6}, seed=0)
    assert np.array(untied.get_layer("table").embeddings)[:, 4:].any()
    assert not np.array(untied.get_layer("table").reverse_embeddings)[4:].any()


@pytest.mark.parametrize("settings", [{}, {"tie_weights": False}])
@pytest.mark.parametrize(("output", "share"), [("mean", 0.5), ("sum", 1.0)])
def test_reversible_embeddings_fuse(gc, output, share, settings):
    one = gc.randomise(language_model(**settings))
    two, x = gc.randomise(language_model(6, **settings), 1), tokens()
    expected = share * (gc.outputs(one, x)[0] + gc.outputs(two, x)[0])
    fused = growth.fuse([one, two], output=output)
    assert gc.gap(gc.outputs(fused, x), [expected]) <= 1e-5
    itself = growth.self_fuse(one, cross="zero", preserve="exact")
    assert gc.gap(gc.outputs(itself, x), gc.outputs(one, x)) <= 1e-5
    # The sum over copies is scaled by a stock layer, so the model loads anywhere.
    kinds = {type(layer) for layer in fused.layers}
    assert (layers.Rescaling in kinds) == (share != 1.0 and not settings)


def test_what_cannot_be_exact_is_refused(gc):
    model = gc.randomise(language_model())
    with pytest.raises(ValueError, match="'table' reads with the matrix that it embeds with"):
        growth.widen(model, {"table": 6}, "replicate")
    capped = [gc.randomise(language_model(logit_soft_cap=2.0), seed) for seed in (0, 1)]
    with pytest.raises(ValueError, match="'table' is mixed before soft cap"):
        growth.fuse(capped)
    with pytest.raises(ValueError, match=r"vocabularies of \[7, 9\] tokens"):
        growth.fuse([model, language_model(vocabulary=9)])


def test_an_embedding_whose_logits_are_read_is_kept_once_a_source(gc):
    read = [language_model(head=layers.Dense(2, name="head")) for _ in range(2)]
    sources = [gc.randomise(each, seed) for seed, each in enumerate(read)]
    assert any(
        "'table'" in note and "kept once" in note for note in growth.plan_fuse(sources).notes
    )
    assert gc.fused_gap(sources, tokens()) <= 1e-5


def test_masks_reach_through_a_grown_embedding(gc):
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Embedding(7, 4, mask_zero=True, name="table")(inputs)
    x = layers.GlobalAveragePooling1D()(x)
    model = gc.randomise(keras.Model(inputs, layers.Dense(2)(x)))
    x = tokens()
    x[:, 2:] = 0
    for made in (growth.widen(model, {"table": 9}, seed=0), growth.self_fuse(model, cross="zero")):
        assert made.get_layer("table").mask_zero
        assert gc.gap(gc.outputs(made, x), gc.outputs(model, x)) <= 1e-5
        values = np.array(made.get_layer("table").embeddings)
        values[0] += 1.0
        before = gc.outputs(made, x)
        made.get_layer("table")._embeddings.assign(values)
        assert gc.gap(gc.outputs(made, x), before) == 0.0
