"""The served model: which members it holds, and under which names."""

import keras
import numpy as np
import pytest

from adaptive_nets.adanet.ensembles.assemble import assemble, assemble_members, assemble_single
from adaptive_nets.adanet.ensembles.ensemble import Ensemble, Mixture
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.ensembles.mixture_ensembler import MixtureEnsembler
from adaptive_nets.adanet.ensembles.uniform import UniformEnsembler
from adaptive_nets.data.specs import FeatureSpec

UNITS = 2
X = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
SPEC = FeatureSpec((3,), "float32")


def gamma(r):
    return 0.0


def member(name, width=2, parents=()):
    """A member; with a parent, one that reads its hidden layer."""
    inputs = keras.Input((3,), name="features")
    given, joined = inputs, inputs
    if parents:
        frozen = keras.Input((parents[0].model.output["hidden_1"].shape[-1],))
        key = f"{parents[0].name}.hidden_1"
        given, joined = (
            {"features": inputs, key: frozen},
            keras.layers.Concatenate()([inputs, frozen]),
        )
    hidden = keras.layers.Dense(width, activation="tanh")(joined)
    outputs = {"logits": keras.layers.Dense(UNITS)(hidden), "last_layer": hidden}
    model = keras.Model(given, {**outputs, "hidden_1": hidden}, name=f"subnetwork_{name}")
    return Member(name, 1, model, 1, 1.0, parents=parents)


def ensemble_of(members, weights, bias=None):
    weights = tuple(np.asarray(w, "float64") for w in weights)
    return Ensemble("grow", 1, tuple(members), Mixture(weights, bias), 0.0)


def held(model):
    return [layer.name for layer in model.layers if layer.name.startswith("subnetwork_")]


def expected_logits(ensemble, ensembler):
    found = keras.ops.convert_to_numpy
    outputs, known = [], {}
    for each in ensemble.members:
        made = each.model(each.feed(keras.ops.convert_to_tensor(X), known))
        known |= {f"{each.name}.{key}": value for key, value in made.items()}
        outputs.append({key: found(value) for key, value in made.items()})
    return ensembler.apply(ensemble.mixture, outputs)


A, B, C = member("1_a"), member("1_b", 4), member("1_c")
WEIGHTS = {
    "scalar": ([0.0, 1.5, 0.0], ["subnetwork_1_b"]),
    "vector": ([[0.0, 0.0], [0.0, 0.5], [1.0, -1.0]], ["subnetwork_1_b", "subnetwork_1_c"]),
    "matrix": ([np.ones((2, 2)), np.zeros((4, 2)), np.zeros((2, 2))], ["subnetwork_1_a"]),
}


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize("use_bias", [False, True])
def test_members_of_weight_0_are_left_out(kind, use_bias):
    weights, names = WEIGHTS[kind]
    ensembler = MixtureEnsembler(kind, gamma, use_bias)
    ensemble = ensemble_of([A, B, C], weights, np.array([0.25, -3.0]) if use_bias else None)
    model = assemble(ensemble, ensembler, SPEC)
    assert held(model) == names
    np.testing.assert_allclose(model(X), expected_logits(ensemble, ensembler), atol=1e-6)


def test_one_is_kept_where_all_weights_are_0():
    ensembler = MixtureEnsembler("scalar", gamma, True)
    ensemble = ensemble_of([B, A], [0.0, 0.0], np.array([1.0, 2.0]))
    model = assemble(ensemble, ensembler, SPEC)
    assert held(model) == ["subnetwork_1_a"], "the smallest"
    np.testing.assert_array_equal(model(X), np.tile([1.0, 2.0], (5, 1)))


def test_a_member_of_weight_0_stays_where_another_reads_it():
    reader = member("2_d", parents=(A,))
    ensembler = MixtureEnsembler("scalar", gamma)
    ensemble = ensemble_of([A, B, reader], [0.0, 0.0, 2.0])
    model = assemble(ensemble, ensembler, SPEC)
    assert held(model) == ["subnetwork_1_a", "subnetwork_2_d"]
    np.testing.assert_allclose(model(X), expected_logits(ensemble, ensembler), atol=1e-6)


class Softened(MixtureEnsembler):
    """Weights as logits of a softmax: 0 is a weight like any other."""


@pytest.mark.parametrize("ensembler", [UniformEnsembler(), Softened("scalar", gamma)])
def test_an_own_ensembler_is_given_all_members(ensembler):
    assert len(held(assemble(ensemble_of([A, B], [0.0, 1.0]), ensembler, SPEC))) == 2


def test_subnetworks_outputs_are_those_of_all_members():
    found = assemble_members(ensemble_of([A, B], [0.0, 1.0]), SPEC)(X)
    assert set(found) == {"subnetwork_logits/1_a", "subnetwork_logits/1_b"}


@pytest.mark.parametrize(
    "names", [["mixture", "preprocessing"], ["subnetwork_1_a", "concatenate"], ["reshape", "dense"]]
)
def test_features_may_have_the_names_of_layers(names, tmp_path):
    keras.utils.clear_session()
    spec = {name: FeatureSpec((1,), "float32") for name in names}
    inputs = {name: keras.Input((1,), name=name) for name in names}
    scaled = {name: keras.layers.Rescaling(2.0)(tensor) for name, tensor in inputs.items()}
    preprocessing = keras.Model(inputs, scaled, name="preprocessing")
    inner = {name: keras.Input((1,), name=name) for name in names}
    joined = keras.layers.Concatenate(name="join")(list(inner.values()))
    logits = keras.layers.Dense(UNITS, name="logits")(joined)
    model = keras.Model(inner, {"logits": logits, "last_layer": joined}, name="subnetwork_1_a")
    one = Member("1_a", 1, model, 0, 1.0)
    two = Member("1_b", 1, keras.models.clone_model(model), 0, 1.0)
    two.model.name = "subnetwork_1_b"
    ensemble = ensemble_of([one, two], [1.0, -0.5])
    ensembler = MixtureEnsembler("scalar", gamma)
    given = {name: X[:, [number]] for number, name in enumerate(names)}
    for made in (
        assemble(ensemble, ensembler, spec, preprocessing),
        assemble_single(one, spec, preprocessing),
    ):
        assert list(made.input) == names
        made.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(loaded(given), made(given))


def test_members_and_preprocessing_that_share_layers_are_served_apart(tmp_path):
    shared = keras.layers.Dense(3, name="shared", trainable=False)
    inputs = keras.Input((3,), name="features")
    preprocessing = keras.Model(inputs, shared(inputs), name="preprocessing")
    members = []
    for name in ("1_a", "1_b"):
        features = keras.Input((3,), name="features")
        last = shared(keras.layers.Activation("tanh")(features))
        outputs = {"logits": keras.layers.Dense(UNITS)(last), "last_layer": last}
        model = keras.Model(features, outputs, name=f"subnetwork_{name}")
        members.append(Member(name, 1, model, 0, 1.0))
    ensemble = ensemble_of(members, [1.0, 2.0])
    ensembler = MixtureEnsembler("scalar", gamma)
    made = assemble(ensemble, ensembler, SPEC, preprocessing)
    alike = Ensemble("grow", 1, tuple(members), ensemble.mixture, 0.0)
    x = shared(X)
    outputs = [{k: np.asarray(v) for k, v in m.model(x).items()} for m in alike.members]
    np.testing.assert_allclose(made(X), ensembler.apply(ensemble.mixture, outputs), atol=1e-5)
    made.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(X), made(X), rtol=1e-6)
    assert members[0].model.get_layer("shared") is shared, "members are left as they are"
