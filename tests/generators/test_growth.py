"""Growth: what it proposes, and that a grown candidate begins where its members ended."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import adaptive_nets as an
from adaptive_nets.adanet import Ensemble, Mixture
from adaptive_nets.data.specs import FeatureSpec

REPORT = an.adanet.Report(1, "a", {}, {}, {"loss": 0.5}, True, "trained")
SPECS = {"vector": FeatureSpec((5,), "float32"), "image": FeatureSpec((6, 6), "float32")}
BASES = {
    "relu": (an.generators.Dense(6, 2), "vector"),
    "tanh": (an.generators.Dense(6, 1, "tanh"), "vector"),
    "norm": (an.generators.Dense(6, 2, norm="batch", dropout=0.3), "vector"),
    "conv": (an.generators.Conv(4, 1), "image"),
}


def with_random_weights(member, seed):
    rng = np.random.default_rng(seed)
    values = [np.abs(rng.normal(0.5, 0.3, w.shape)) for w in member.model.get_weights()]
    member.model.set_weights(values)
    return member


def ensemble_of(members):
    weights = (np.float64(1.0),) * len(members)
    return Ensemble("grow", members[-1].iteration, tuple(members), Mixture(weights), 0.0)


def report(member, loss):
    return an.adanet.Report(member.iteration, member.builder, {}, {}, {"loss": loss}, True, "")


@pytest.fixture
def grown_from(built):
    """Two trained members of a base, and the grown candidates by transform."""

    def make(name, **settings):
        base, spec = BASES[name]
        spec = SPECS[spec]
        (builder,) = base.generate(None, 1, [])
        members = [
            with_random_weights(built(builder, spec, iteration=i, seed=i), i) for i in (1, 2)
        ]
        ensemble = ensemble_of(members)
        generator = an.generators.Growth(base, **settings)
        builders = generator.generate(ensemble, 3, [report(m, i) for i, m in enumerate(members)])
        candidates = {b.transform: built(b, spec, 3, ensemble, 3) for b in builders}
        x = np.random.default_rng(0).normal(size=(7, *spec.shape)).astype("float32")
        return members, candidates, x

    return make


@pytest.mark.parametrize("name", BASES)
def test_a_candidate_begins_where_its_members_ended(name, grown_from):
    members, candidates, x = grown_from(name)
    assert set(candidates) == {"widen", "deepen", "fuse"}
    outputs = [np.asarray(member.model(x)["logits"]) for member in members]
    expected = {"widen": outputs[0], "deepen": outputs[0], "fuse": sum(outputs) / 2}
    for transform, candidate in candidates.items():
        found = np.asarray(candidate.model(x)["logits"])
        scale = np.abs(expected[transform]).max()
        assert scale > 0.1
        np.testing.assert_allclose(found, expected[transform], atol=1e-5 * scale, rtol=0)
        assert candidate.parameters > members[0].parameters
        assert candidate.depth == members[0].depth + (transform == "deepen")


@pytest.mark.parametrize("name", BASES)
def test_hidden_layers_and_the_last_one_are_the_grown_ones(name, grown_from, tmp_path):
    members, candidates, x = grown_from(name)
    old = members[0].model(x)
    for transform, candidate in candidates.items():
        new = candidate.model(x)
        deeper = transform == "deepen"
        assert len(candidate.hidden) == len(members[0].hidden) + deeper
        factor = 1 if deeper else 2
        assert new["last_layer"].shape[-1] == factor * old["last_layer"].shape[-1]
        if transform == "widen":
            for k in range(1, len(members[0].hidden) + 1):
                units = old[f"hidden_{k}"].shape[-1]
                kept = np.asarray(new[f"hidden_{k}"])[..., :units]
                np.testing.assert_allclose(kept, old[f"hidden_{k}"], rtol=1e-5, atol=1e-6)
        if name != "conv":
            np.testing.assert_array_equal(new["last_layer"], new[f"hidden_{candidate.depth}"])
        kernel = candidate.model.output["logits"]._keras_history.operation.kernel
        logits = np.asarray(new["last_layer"]) @ np.asarray(kernel)
        logits = logits - np.asarray(new["logits"])
        np.testing.assert_allclose(logits, logits[:1] + 0 * logits, atol=1e-4)
        candidate.model.save(tmp_path / "grown.keras")
        again = keras.saving.load_model(tmp_path / "grown.keras")(x)
        np.testing.assert_allclose(again["logits"], new["logits"], rtol=1e-6, atol=1e-6)


def test_the_members_are_not_changed(grown_from, built):
    base, _ = BASES["relu"]
    members, _, x = grown_from("relu")
    before = [member.model.get_weights() for member in members]
    generator = an.generators.Growth(base)
    for builder in generator.generate(ensemble_of(members), 3, []):
        built(builder, SPECS["vector"], 3, ensemble_of(members), 3)
    for member, weights in zip(members, before, strict=True):
        for one, other in zip(member.model.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_member_with_the_lowest_loss_grows(grown_from):
    base, _ = BASES["relu"]
    members, _, _ = grown_from("relu")
    for best in (0, 1):
        reports = [report(m, float(i != best)) for i, m in enumerate(members)]
        builders = an.generators.Growth(base).generate(ensemble_of(members), 3, reports)
        sources = {b.name: b.hyperparameters()["sources"] for b in builders}
        assert sources["widened"] == sources["deepened"] == [members[best].name]
        assert sources["fused"] == [members[best].name, members[1 - best].name]


def test_limits_and_choices(grown_from):
    base, _ = BASES["relu"]
    members, candidates, _ = grown_from("relu")
    names = {"widen": "widened", "deepen": "deepened", "fuse": "fused"}
    limit = candidates["deepen"].parameters
    generator = an.generators.Growth(base, max_parameters=limit, layers=1)
    assert [b.name for b in generator.generate(ensemble_of(members), 3, [])] == ["deepened"]
    for transform, name in names.items():
        one = an.generators.Growth(base, transform, fresh=True)
        found = [b.name for b in one.generate(ensemble_of(members), 3, [])]
        assert found == [name, "2_layer_dense"]
    nothing = an.generators.Growth(base, max_parameters=10)
    with pytest.warns(UserWarning, match=r"No member of the ensemble can grow in round 3: .*10"):
        found = nothing.generate(ensemble_of(members), 3, [])
    assert [b.name for b in found] == ["2_layer_dense"]


def test_members_that_read_others_grow_too():
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    base = an.generators.Dense(8, depths=2, connect="all")
    search = an.AdaNet(
        an.heads.MultiClass(10),
        an.generators.Growth(base, ["widen", "deepen"], fresh=True),
        max_iterations=3,
        steps_per_iteration=20,
        force_grow=True,
        seed=0,
        jit_compile=False,
    )
    search.fit(x[:400], y[:400], verbose=0)
    reports = [r for r in search.state.reports if r.iteration == 3]
    assert {r.name for r in reports} == {"widened", "deepened", "2_layer_dense"}
    logits = search.predict(x[:50], "logits")
    np.testing.assert_allclose(search.model(x[:50]), logits, atol=1e-5)
    grown = [member for member in search.ensemble.members if member.iteration > 1]
    assert len(grown) == 2


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"factor": 1}, "factor must be a finite number > 1. Received: factor=1"),
        ({"factor": True}, "Received: factor=True"),
        ({"transforms": []}, "transforms must be one or several of 'widen', 'deepen', 'fuse'"),
        ({"transforms": "shrink"}, "Received: transforms='shrink'"),
        ({"transforms": ["widen", "widen"]}, "each once"),
        ({"layers": 0}, "layers must be an integer >= 1. Received: layers=0"),
        ({"max_parameters": 1.5}, "max_parameters must be an integer >= 1"),
        ({"learning_rate": -1}, "learning_rate"),
    ],
)
def test_wrong_settings_are_refused(settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        an.generators.Growth(**settings)
    with pytest.raises(TypeError, match="must be an adanet.Generator. Received: 3"):
        an.generators.Growth(3)
