"""`generators.Tabular`: what it proposes, and searches with it."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.data.specs import FeatureSpec
from adaptive_nets.generators.tabular.builder import TabularBuilder
from adaptive_nets.generators.tabular.recipe import EMBEDDINGS, KINDS, Recipe
from adaptive_nets.generators.tabular.statistics import learn_statistics
from adaptive_nets.serialization import describe_object, restore_object

RNG = np.random.default_rng(0)
ROWS = 320
X = RNG.normal(size=(ROWS, 3)).astype("float32")
FEATURES = {
    "numbers": X,
    "missing": (RNG.random((ROWS, 1)) < 0.1).astype("float32"),
    "categories": np.stack(
        [RNG.integers(2, 5, ROWS), RNG.integers(3, 40, ROWS)], axis=1
    ).astype("int32"),
    "codes": RNG.integers(3, 9, (ROWS, 1)).astype("int32"),
    "tokens": RNG.integers(0, 50, (ROWS, 1, 6)).astype("int32"),
}  # fmt: skip
SPEC = {name: FeatureSpec(each.shape[1:], str(each.dtype)) for name, each in FEATURES.items()}
Y = np.where(FEATURES["categories"][:, 0] == 2, X[:, 0] > 0, X[:, 0] < 0).astype(int)
KNOWN = learn_statistics(FEATURES)
SOME = {name: each for name, each in FEATURES.items() if name != "codes"}


def prepared(features=FEATURES, **settings):
    generator = an.generators.Tabular(members=2, width=16, **settings)
    generator.prepare(features)
    return generator


def report(iteration, recipe, loss, **metrics):
    metrics = {"loss": loss, "objective": loss, **metrics}
    return an.adanet.Report(
        iteration, recipe.name, recipe.described(), {}, metrics, True, "trained"
    )


def recipes(generator, previous, iteration, reports):
    return [builder.recipe for builder in generator.generate(previous, iteration, reports)]


def test_the_first_round_tries_kinds_with_and_without_codes():
    found = recipes(prepared(kinds=["mlp", "tabm"]), None, 1, [])
    kinds = [(recipe.kind, recipe.codes) for recipe in found]
    assert kinds == [("mlp", False), ("mlp", True), ("tabm", False)]
    found = recipes(prepared(X), None, 1, [])
    assert [(recipe.kind, recipe.widths, recipe.dropout) for recipe in found] == [
        ("tabm", (16, 16), 0.0),
        ("realmlp", (16, 16, 16), 0.15),
    ]


def test_a_wide_model_learns_what_is_a_sum():
    """A class that a value, a token and a piece of a number each speak for."""
    numbers = np.abs(FEATURES["numbers"][:, :1])
    features = {**SOME, "numbers": numbers}
    score = 2.0 * (features["categories"][:, 0] == 2) + 2.0 * (features["tokens"] == 7).any((1, 2))
    y = (score + numbers[:, 0] > 1.5).astype(int)
    search = an.AdaNet(
        an.heads.BinaryClass(), an.generators.Tabular(["mlp", "wide"], width=1, dropout=0.9),
        max_iterations=1, steps_per_iteration=400, ensemble_strategies="solo",
        training="independent", seed=0,
    )  # fmt: skip
    search.fit(features, y, verbose=0)
    board = search.leaderboard()
    assert board.iloc[0]["candidate"] == "solo_wide_pieces"
    assert board.iloc[0]["accuracy"] > 0.95


def test_later_rounds_try_what_is_new_near_the_best(ensemble):
    generator, rounds = prepared(), []
    first = recipes(generator, None, 1, [])
    reports = [report(1, recipe, 1.0 - 0.1 * k) for k, recipe in enumerate(first)]
    tried = {recipe.name for recipe in first}
    for iteration in range(2, 14):
        found = recipes(generator, ensemble(1), iteration, reports)
        assert found and found == recipes(prepared(), ensemble(1), iteration, reports)
        # Never the same network with another seed.
        assert tried.isdisjoint(recipe.name for recipe in found)
        tried |= {recipe.name for recipe in found}
        rounds.append(found)
        reports += [report(iteration, recipe, 2.0 + iteration) for recipe in found]
    assert (rounds[0][0].kind, rounds[0][0].codes) == ("wide", False)
    assert recipes(prepared(kinds="wide"), ensemble(1), 2, reports)
    assert {recipe.kind for found in rounds for recipe in found} == {"realmlp", "wide", "tabm"}


def test_held_out_losses_come_before_objectives(ensemble):
    first = recipes(prepared(), None, 1, [])
    reports = [report(1, first[0], 0.1, held_out_loss=0.9)]
    reports += [report(1, first[1], 0.5, held_out_loss=0.2)]
    found = recipes(prepared(), ensemble(1), 2, reports)
    # The second, which is the better one by what it was not trained on, reads codes.
    assert (first[0].codes, first[1].codes) == (False, True)
    assert (found[0].kind, found[0].codes) == ("realmlp", True)


def test_it_must_learn_first_and_its_configuration_is_its_own():
    with pytest.raises(ValueError, match="must learn from the features first"):
        an.generators.Tabular().generate(None, 1, [])
    with pytest.raises(ValueError, match="majority is for kinds with dense layers"):
        an.generators.Tabular(kinds=["realmlp"], majority=2)
    generator = prepared(kinds=["mlp"], majority=3, dropout=0.1)
    state = json.loads(json.dumps(describe_object(generator)))
    assert describe_object(restore_object(state, "generator")) == state


@pytest.mark.parametrize(
    ("kind", "embedding"),
    [*((kind, "pieces") for kind in KINDS), *(("tabm", other) for other in EMBEDDINGS[1:])],
)
def test_every_network_builds_trains_and_reloads(kind, embedding, built, tmp_path):
    recipe = Recipe(kind, embedding, codes=True, widths=(8, 6), members=2, dropout=0.1)
    builder = TabularBuilder(recipe, KNOWN)
    one, other = built(builder, SPEC), built(builder, SPEC)
    for a, b in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    before = one.model(FEATURES)["logits"].numpy()
    assert before.shape == (ROWS, 3) and np.isfinite(before).all()
    optimizer, variables = builder.optimizer(), one.model.trainable_variables
    with tf.GradientTape() as tape:
        outputs = one.model(FEATURES, training=True)
        loss = tf.reduce_mean((outputs.get("heads", outputs["logits"]) - 1.0) ** 2)
    gradients = tape.gradient(loss, variables)
    assert all(gradient is not None for gradient in gradients)
    optimizer.apply_gradients(zip(gradients, variables, strict=True))
    after = one.model(FEATURES)["logits"].numpy()
    assert np.abs(after - before).max() > 0
    one.model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(reloaded(FEATURES)["logits"], after, atol=1e-6)


def test_biases_scales_and_embeddings_do_not_decay(built):
    builder = TabularBuilder(Recipe("tabm", codes=True, widths=(8,), scales="all"), KNOWN)
    variables = built(builder, SPEC).model.trainable_variables
    optimizer = builder.optimizer()
    optimizer.build(variables)
    decayed = [v.path for v in variables if optimizer._use_weight_decay(v)]
    assert [path.rpartition("/")[2] for path in decayed] == ["kernel", "kernel"]


def test_half_precision_tells_the_pieces_of_large_numbers_apart(built):
    x = 1e4 + X
    keras.config.set_dtype_policy("mixed_float16")
    try:
        builder = TabularBuilder(Recipe("tabm", widths=(8,), members=2), learn_statistics(x))
        model = built(builder, FeatureSpec((3,), "float32")).model
    finally:
        keras.config.set_dtype_policy("float32")
    (layer,) = [layer for layer in model.layers if type(layer).__name__ == "Pieces"]
    found = layer(x[:8])
    assert found.dtype == tf.float16 and len(np.unique(found[:, 0], axis=0)) == 8


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """A search of two rounds on all kinds of features but codes, which would need more networks."""
    generator = an.generators.Tabular("tabm", members=2, width=16)
    found = an.AdaNet(
        an.heads.BinaryClass(),
        generator,
        max_iterations=2,
        steps_per_iteration=60,
        adanet_lambda=0.0,
        force_grow=True,
        seed=0,
        model_dir=tmp_path_factory.mktemp("search"),
        jit_compile=False,
    )
    return found.fit(SOME, Y, verbose=0)


def test_a_search_beats_the_constant_and_is_stored(search, tmp_path):
    assert search.evaluate(SOME, Y)["log_loss"] < 0.5
    expected = search.predict(SOME, "logits")
    unseen = {**SOME, "categories": np.full((ROWS, 2), 500, "int32")}
    assert np.isfinite(search.predict(unseen, "logits")).all()
    loaded = an.AdaNet.load(search.settings.model_dir)
    np.testing.assert_array_equal(loaded.predict(SOME, "logits"), expected)
    search.export(tmp_path / "served")
    served = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_default"]
    given = {name: tf.constant(each) for name, each in SOME.items()}
    found = served(**given)
    assert any(np.allclose(each, expected, atol=1e-5) for each in found.values())


def test_majority_kernels_and_learnt_widths_on_one_array():
    y = X[:, 0] * 100 + 5000
    generator = an.generators.Tabular("mlp", width="energy", majority=2)
    search = an.AdaNet(
        an.heads.Regression(), generator, max_iterations=1, steps_per_iteration=200,
        adanet_lambda=0.0, seed=0, jit_compile=False,
    )  # fmt: skip
    search.fit(X, y, verbose=0)
    assert search.evaluate(X, y)["rmse"] < 0.5 * y.std()
    kinds = {type(layer).__name__ for layer in search.ensemble.members[0].model.layers}
    assert "PiecewiseLinear" in kinds and not any(kind.startswith("Majority") for kind in kinds)
