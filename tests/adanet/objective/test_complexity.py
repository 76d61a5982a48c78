"""Complexity measures: lemma 2 against its scale and against simulation, .SD against NumPy."""

import json
import math
import types

import keras
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from adaptive_nets.adanet.objective.complexity import (
    Complexity,
    DataSummary,
    FunctionComplexity,
    OutputDeviation,
    Rademacher,
    SqrtDepth,
    make_complexity,
    rademacher_bound,
)

pytestmark = pytest.mark.backend_agnostic

RNG = np.random.default_rng(0)
NORMS = [1.0, 1.5, 2.0, 3.0, math.inf]
PAPER = DataSummary(rows=9600, features=154, largest=1.0)
SUBNETWORK = types.SimpleNamespace(depth=9)


# Lemma 2 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "widths, expected, digits",
    [((), 0.429, 3), ((100,), 8.6, 1), ((150,), 10.5, 1), ((250,), 13.6, 1)],
)
def test_the_scale_of_the_papers_experiments(widths, expected, digits):
    assert round(rademacher_bound(widths, PAPER), digits) == expected


@pytest.mark.parametrize(
    "p, power", [(1.0, 1.0), (1.5, 6 ** (1 / 3)), (2.0, 6**0.5), (3.0, 6 ** (2 / 3)), (math.inf, 6)]
)
def test_lemma_2_by_hand(p, power):
    # r_inf = 3, Λ = (2·0.5)(2·2) = 4, N = 2·3, log(2·2)/(2·8)
    expected = 3.0 * 4.0 * power * math.sqrt(1.3862943611198906 / 16)
    sample = DataSummary(rows=8, features=2, largest=3.0)
    found = rademacher_bound((3,), sample, p, norm_bound=[0.5, 2.0])
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert rademacher_bound((3,), sample, p, norm_bound=[0.5, 2.0, 7.0]) == found


def test_one_norm_bound_stands_for_every_layer():
    for depth in (1, 2, 3):
        widths = (5, 7)[: depth - 1]
        one = rademacher_bound(widths, PAPER, norm_bound=1.2)
        assert one == rademacher_bound(widths, PAPER, norm_bound=[1.2] * depth)
        ratio = one / rademacher_bound(widths, PAPER, norm_bound=1.0)
        np.testing.assert_allclose(ratio, 1.2**depth, rtol=1e-12)


def _signs(draws, rows, seed):
    return np.random.default_rng(seed).choice([-1.0, 1.0], size=(draws, rows))


def _data():
    real = load_breast_cancer().data
    real = (real - real.min(0)) / (real.max(0) - real.min(0))
    return {
        "signs": RNG.choice([-1.0, 1.0], size=(60, 8)),
        "normal": RNG.normal(size=(80, 12)),
        "breast_cancer": real,
    }


DATA = _data()


def _sample(x):
    return DataSummary(rows=len(x), features=x.shape[1], largest=np.abs(x).max())


def _dual(p):
    return 1.0 if math.isinf(p) else math.inf if p == 1 else p / (p - 1)


@pytest.mark.parametrize("p", NORMS)
def test_the_supremum_over_the_first_layer_is_a_dual_norm(p):
    """What the next test simulates: sup over ||u||_p <= Λ of σ'Xu is Λ ||X'σ||_q."""
    e, q, bound = _signs(1, 60, 1)[0] @ DATA["signs"], _dual(p), 1.3
    if p == 1:
        u = np.where(np.arange(8) == np.abs(e).argmax(), bound * np.sign(e), 0.0)
    else:
        u = np.abs(e) ** (q - 1) * np.sign(e)
        u *= bound / np.linalg.norm(u, p)
    best = bound * np.linalg.norm(e, q)
    np.testing.assert_allclose([np.linalg.norm(u, p), u @ e], [bound, best], rtol=1e-12)
    others = RNG.normal(size=(1000, 8))
    others *= bound / np.linalg.norm(others, p, axis=1, keepdims=True)
    assert (others @ e <= best).all()


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("p", NORMS)
def test_lemma_2_is_above_the_first_layers_rademacher_complexity(name, p):
    x, bound = DATA[name], 1.3
    sums = _signs(4000, len(x), 2) @ x
    suprema = bound / len(x) * np.linalg.norm(sums, _dual(p), axis=1)
    lemma = rademacher_bound((), _sample(x), p, bound)
    assert suprema.mean() + 4 * suprema.std() / math.sqrt(4000) < lemma
    if name == "signs":
        # Every entry is as large as r_inf here, so the lemma loses little but constants.
        assert lemma < 3 * suprema.mean()


def test_lemma_2_is_above_what_random_search_finds_in_the_second_layer():
    """For random first layers the best second layer is known, so this is a lower estimate."""
    x, units = DATA["signs"], 5
    first = RNG.normal(size=(500, units, x.shape[1]))
    first /= np.linalg.norm(first, axis=-1, keepdims=True)
    hidden = np.maximum(np.einsum("nf,auf->anu", x, first), 0.0)
    sums = np.einsum("dn,anu->dau", _signs(100, len(x), 3), hidden)
    suprema = np.linalg.norm(sums, axis=-1).max(axis=1) / len(x)
    assert 0.1 < suprema.mean() < rademacher_bound((units,), _sample(x), 2.0, 1.0)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"p": 0.5}, "p=0.5"),
        ({"p": math.nan}, "p=nan"),
        ({"p": "2"}, "p='2'"),
        ({"norm_bound": 0.0}, "norm_bound=0.0"),
        ({"norm_bound": -1}, "norm_bound=-1"),
        ({"norm_bound": math.inf}, "norm_bound=inf"),
        ({"norm_bound": math.nan}, "norm_bound=nan"),
        ({"norm_bound": [1.0, 0.0]}, r"norm_bound\[1\]=0.0"),
        ({"norm_bound": []}, r"norm_bound=\[\]"),
        ({"norm_bound": "one"}, "norm_bound='one'"),
    ],
)
def test_norms_out_of_range_are_refused_by_name(arguments, words):
    with pytest.raises(ValueError, match=f"Received: {words}"):
        Rademacher(**arguments)
    with pytest.raises(ValueError, match=f"Received: {words}"):
        rademacher_bound((4,), PAPER, **arguments)


def test_widths_and_samples_out_of_range_are_refused_by_name():
    with pytest.raises(ValueError, match="each of 3 layers.*norm_bound=.1.0, 1.0"):
        rademacher_bound((4, 4), PAPER, norm_bound=[1.0, 1.0])
    with pytest.raises(ValueError, match=r"widths=\(4, 0\)"):
        rademacher_bound((4, 0), PAPER)
    for name, value in (("rows", 0), ("features", 0), ("largest", math.inf), ("largest", -1.0)):
        with pytest.raises(ValueError, match=f"{name}={value}"):
            DataSummary(**{"rows": 1, "features": 1, "largest": 1.0, name: value})


# Rules -------------------------------------------------------------------------------------------


def test_rademacher_measures_the_widths_it_is_given():
    rule = Rademacher(p=1.5, norm_bound=1.1)
    found = rule.before(SUBNETWORK, (20, 30), PAPER)
    assert found == rademacher_bound((20, 30), PAPER, 1.5, 1.1)
    assert not rule.needs_outputs
    with pytest.raises(ValueError, match=r"widths of the hidden layers.*Subnetwork\(hidden="):
        rule.before(SUBNETWORK, None, PAPER)


def test_square_root_of_the_depth():
    assert SqrtDepth().before(SUBNETWORK, None, PAPER) == 3.0


def test_standard_deviation_against_numpy():
    outputs = (RNG.normal(size=(300, 7)) * np.arange(1, 8)).astype("float32") + 1e4
    expected = math.sqrt(outputs.astype("float64").var(axis=0).mean())
    rule = OutputDeviation()
    np.testing.assert_allclose(rule.measured(outputs, None), expected, rtol=1e-10)
    np.testing.assert_allclose(rule.measured(outputs, None, block=7), expected, rtol=1e-10)
    weights = RNG.integers(0, 4, 300)
    repeated = np.repeat(outputs, weights, axis=0).astype("float64")
    expected = math.sqrt(repeated.var(axis=0).mean())
    for scale in (1.0, 1 / weights.mean()):
        found = rule.measured(outputs, weights * scale, block=64)
        np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert rule.needs_outputs and rule.before(SUBNETWORK, None, PAPER) == 0.0
    assert rule.measured(np.ones((5, 2), "float32")) == 0.0


def test_a_function_of_the_users():
    rule = make_complexity(lambda subnetwork: np.float32(subnetwork.depth))
    value = rule.before(SUBNETWORK, None, PAPER)
    assert value == 9.0 and type(value) is float
    with pytest.raises(ValueError, match="'half' must return a number.*None"):
        make_complexity(half).before(types.SimpleNamespace(depth=0), None, PAPER)


@keras.saving.register_keras_serializable(package="adaptive_nets_tests")
def half(subnetwork):
    return subnetwork.depth / 2 if subnetwork.depth else None


def test_names_and_objects():
    for name, kind in (("sqrt_depth", SqrtDepth), ("rademacher", Rademacher)):
        assert type(make_complexity(name)) is kind
    assert type(make_complexity("std")) is OutputDeviation
    rule = Rademacher(3)
    assert make_complexity(rule) is rule
    for bad in ("cube", None, 3, Rademacher):
        with pytest.raises(ValueError, match="'sqrt_depth', 'rademacher', 'std', an adanet.Compl"):
            make_complexity(bad)


def test_rules_come_back_from_their_configuration():
    rules = [SqrtDepth(), OutputDeviation(), Rademacher(math.inf, [1, 2.5]), Rademacher()]
    for rule in rules:
        text = json.dumps(keras.saving.serialize_keras_object(rule))
        again = keras.saving.deserialize_keras_object(json.loads(text))
        assert type(again) is type(rule) and vars(again) == vars(rule)
    again = FunctionComplexity.from_config(FunctionComplexity(half).get_config())
    assert again.function is half
    with pytest.raises(ValueError, match="not registered"):
        FunctionComplexity.from_config(FunctionComplexity(math.sqrt).get_config())


def test_a_rule_that_needs_outputs_must_measure_them():
    class Silent(Complexity):
        needs_outputs = True

        def before(self, subnetwork, widths, sample):
            return 0.0

    with pytest.raises(NotImplementedError, match="Silent"):
        Silent().measured(np.ones((2, 2)))
