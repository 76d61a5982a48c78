"""Candidates of the structure that was learnt from the features."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

import adaptive_nets as an
from adaptive_nets.adanet.candidates.generator import propose_builders
from adaptive_nets.data.specs import FeatureSpec
from adaptive_nets.serialization import describe_object, restore_object

X, Y = load_digits(return_X_y=True)
FAST = {"max_layers": 1, "max_units": 48, "steps": 600}


def search(generator, folder=None, **settings):
    settings = {"max_iterations": 2, "steps_per_iteration": 200, "force_grow": True, **settings}
    head = an.heads.MultiClass(10)
    return an.AdaNet(head, generator, model_dir=folder, seed=0, jit_compile=False, **settings)


@pytest.mark.parametrize("init", ["energy", "random"])
def test_a_search_learns_the_structure_once_and_proposes_neighbours(init, tmp_path):
    generator = an.generators.Energy(init=init, **FAST)
    found = search(generator, tmp_path / "search")
    found.fit(X[:1200], Y[:1200], verbose=0)
    (width,) = generator.report.widths
    names = {report.name for report in found.state.reports}
    expected = {width, max(1, round(width / 2)), 2 * width}
    assert names == {*(f"energy_{w}" for w in expected), f"energy_{width}_{width}"}
    assert found.evaluate(X[1200:], Y[1200:])["accuracy"] > 0.85
    # Loaded elsewhere it predicts at once, and goes on without learning the structure again.
    loaded = an.AdaNet.load(tmp_path / "search", max_iterations=3, jit_compile=False)
    np.testing.assert_allclose(
        loaded.predict(X[:9], "logits"), found.predict(X[:9], "logits"), atol=1e-6
    )
    files = sorted((tmp_path / "search" / "generator").iterdir())
    loaded.fit(X[:1200], Y[:1200], verbose=0)
    assert sorted((tmp_path / "search" / "generator").iterdir()) == files
    assert loaded.generator.report == generator.report


def test_learnt_weights_are_where_candidates_start(built):
    rows = (X / 16).astype("float32")
    generator = an.generators.Energy(init="energy", **FAST)
    generator.prepare(rows)
    (builder,) = propose_builders(generator, None, 1, [])
    member = built(builder, FeatureSpec((64,), "float32"), 10)
    kernel, bias = generator._net.layers_[0]
    expected = np.maximum(rows[:5] @ kernel.T + bias, 0)
    np.testing.assert_allclose(member.model(rows[:5])["last_layer"], expected, atol=1e-5)


def test_majority_and_bagging_go_with_it():
    generator = an.generators.Bagging(an.generators.Energy(majority=2, **FAST), 0.8)
    found = search(generator, max_iterations=1)
    found.fit(X[:600], Y[:600], verbose=0)
    assert found.evaluate(X[600:], Y[600:])["accuracy"] > 0.5


def test_settings_make_an_equal_generator_and_wrong_ones_are_refused():
    generator = an.generators.Energy(init="energy", learning_rate=0.01, **FAST)
    restored = restore_object(describe_object(generator), "generator")
    assert describe_object(restored) == describe_object(generator)
    with pytest.raises(ValueError, match="must learn from the features first"):
        generator.generate(None, 1, [])
    for settings, words in (
        ({"init": "zeros"}, "init must be one of 'energy', 'random'"),
        ({"rows": 3}, "rows must be an integer >= 10"),
        ({"max_units": 0}, "max_units must be an integer >= 1"),
        ({"majority": 0}, "factor must be an integer >= 1"),
    ):
        with pytest.raises(ValueError, match=words):
            an.generators.Energy(**settings)
