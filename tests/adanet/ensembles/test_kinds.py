"""What every kind of mixture weights keeps: arrays, layers, solver and fusion say the same."""

import keras
import numpy as np
import pytest
from mixture_equations import EQUATIONS

from adaptive_nets.adanet.ensembles.ensemble import Mixture
from adaptive_nets.adanet.ensembles.factory import CHOICES
from adaptive_nets.adanet.ensembles.mixture_ensembler import MixtureEnsembler
from adaptive_nets.adanet.ensembles.mixtures.kinds import MIXTURE_KINDS, Scalar, register
from adaptive_nets.cli.flags import MIXTURE_WEIGHTS

ROWS, UNITS = 7, 3


@pytest.fixture(params=MIXTURE_KINDS)
def kind(request):
    return MIXTURE_KINDS[request.param]


@pytest.fixture
def outputs():
    rng = np.random.default_rng(0)
    return [
        {
            "logits": rng.normal(size=(ROWS, UNITS)).astype("float32"),
            "last_layer": rng.normal(size=(ROWS, width)).astype("float32"),
        }
        for width in (4, 2)
    ]


def weights_of(kind, outputs):
    rng = np.random.default_rng(1)
    return [np.asarray(rng.normal(size=np.shape(kind.initial(o)))) for o in outputs]


def test_the_kinds_have_their_names_and_the_command_knows_them():
    assert list(MIXTURE_KINDS) == list(EQUATIONS)
    assert all(kind.name == name for name, kind in MIXTURE_KINDS.items())
    assert (*MIXTURE_KINDS, "uniform", "probability") == MIXTURE_WEIGHTS == CHOICES


def test_what_is_stacked_is_split_again(kind, outputs):
    weights = weights_of(kind, outputs)
    for again, weight in zip(kind.split(kind.stack(weights), weights), weights, strict=True):
        np.testing.assert_array_equal(again, weight)


def test_terms_kernels_the_solver_and_the_layer_give_one_sum(kind, outputs):
    weights = weights_of(kind, outputs)
    terms = [kind.term(w, o) for w, o in zip(weights, outputs, strict=True)]
    assert all(t.dtype == np.float64 and t.shape == (ROWS, UNITS) for t in terms)
    for w, o, term in zip(weights, outputs, terms, strict=True):
        np.testing.assert_allclose(o[kind.key] @ kind.kernel(w, UNITS), term, atol=1e-12)
    joined, stacked = kind.join(outputs), kind.stack(weights)
    assert kind.units(joined, stacked) == UNITS
    total = kind.combine(joined.astype("float64"), stacked)
    np.testing.assert_allclose(total, sum(terms), atol=1e-12)
    inputs = [{k: keras.Input(v.shape[1:]) for k, v in o.items()} for o in outputs]
    layer, tensor = kind.layer(inputs, use_bias=False)
    model = keras.Model(inputs, layer(tensor))
    layer.set_weights([stacked.astype("float32")])
    np.testing.assert_allclose(model(outputs), sum(terms), atol=1e-5)


def test_a_new_member_begins_with_its_logits_or_where_features_are_weighed_at_zero(kind, outputs):
    term = kind.term(kind.initial(outputs[0]), outputs[0])
    expected = 0 * outputs[0]["logits"] if kind.reads_last_layer else outputs[0]["logits"]
    np.testing.assert_allclose(term, expected, atol=1e-12)


def test_a_kind_that_is_registered_can_be_chosen(outputs, monkeypatch):
    monkeypatch.setattr(
        "adaptive_nets.adanet.ensembles.mixtures.kinds.MIXTURE_KINDS", kinds := dict(MIXTURE_KINDS)
    )

    @register
    class Doubled(Scalar):
        """Weights that count twice."""

        name = "doubled"

        def term(self, weight, output):
            return 2 * super().term(weight, output)

    assert list(kinds)[-1] == "doubled"
    monkeypatch.setitem(MIXTURE_KINDS, "doubled", kinds["doubled"])
    mixture = Mixture((np.float64(1.0), np.float64(0.5)))
    found = MixtureEnsembler("doubled", float).apply(mixture, outputs)
    expected = 2 * outputs[0]["logits"] + outputs[1]["logits"]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(ValueError, match=", ".join(map(repr, [*EQUATIONS, "doubled"]))):
        MixtureEnsembler("tripled", float)
