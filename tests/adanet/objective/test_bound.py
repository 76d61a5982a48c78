"""Theorem 1: every term against a calculation by hand, and what the theorem does not cover."""

import dataclasses
import math

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

import adaptive_nets as an
from adaptive_nets.adanet.inspection.bound import generalization_bound
from adaptive_nets.adanet.objective.bound import GeneralizationBound, theorem_1
from adaptive_nets.adanet.objective.complexity import Rademacher

MARGINS = np.array([0.9, -0.2, 3.0, 1.2, 1.1999])
GIVEN = {
    "margins": MARGINS, "norms": [3.0, 1.0], "complexities": [0.02, 0.08], "depth": 3,
    "rows": 10_000, "delta": 0.1, "rho": 0.3,
}  # fmt: skip


def test_every_term_by_hand():
    bound = theorem_1(**GIVEN)
    # Normalised margins: 0.225, -0.05, 0.75, 0.3 and just below.
    assert bound.margin_loss == 0.8
    assert bound.norms == (0.75, 0.25)
    np.testing.assert_allclose(bound.layer_terms, [0.2, 4 / 0.3 * 0.02], rtol=1e-12)
    log_l = 1.0986122886681098
    np.testing.assert_allclose(bound.depth_term, 2 / 0.3 * (log_l / 1e4) ** 0.5, rtol=1e-12)
    # (4/0.09) log(0.09·1e4/1.0986) = (4/0.09)·6.7083 = 298.1
    confidence = (299 * log_l / 1e4 + math.log(20) / 2e4) ** 0.5
    np.testing.assert_allclose(bound.confidence_term, confidence, rtol=1e-12)
    total = 0.8 + 0.2 + 0.08 / 0.3 + bound.depth_term + confidence
    np.testing.assert_allclose(bound.value, total, rtol=1e-12)
    assert bound.void


def test_row_weights_weigh_the_margin_loss():
    bound = theorem_1(**GIVEN, weights=np.array([1, 1, 7, 0, 1]))
    assert bound.margin_loss == 0.3


def test_of_one_layer_the_bound_is_the_limit():
    one = theorem_1(**{**GIVEN, "norms": [2.0], "complexities": [0.1], "depth": 1})
    assert one.depth_term == 0.0
    np.testing.assert_allclose(one.confidence_term, (math.log(20) / 2e4) ** 0.5, rtol=1e-12)
    # As log l falls to 0 (it cannot, for whole l), so does what it adds to C.
    for log_l in (1e-6, 1e-9):
        count = math.ceil(4 / 0.09 * math.log(0.09 * 1e4 / log_l))
        added = (count * log_l / 1e4 + math.log(20) / 2e4) ** 0.5 - one.confidence_term
        assert 0 < added < 100 * log_l


@pytest.mark.parametrize("rows", [1, 12, 13])
def test_few_rows_make_it_void_and_finite(rows):
    # ρ² m <= log l up to m = 12.
    bound = theorem_1(**{**GIVEN, "rows": rows})
    count = {1: 1, 12: 1, 13: 3}[rows]
    expected = (count * math.log(3) / rows + math.log(20) / (2 * rows)) ** 0.5
    np.testing.assert_allclose(bound.confidence_term, expected, rtol=1e-12)
    assert (bound.depth_term >= 2) == (rows <= 12)
    assert bound.void and "Void" in str(bound)


def _values(name, values):
    return [theorem_1(**{**GIVEN, name: value}) for value in values]


def test_it_falls_with_rows_and_rises_with_certainty():
    for name, values in (("rows", [10**3, 10**4, 10**6]), ("delta", [1e-6, 0.01, 0.5])):
        found = [b.value for b in _values(name, values)]
        assert found[0] > found[1] > found[2], name
    deeper = [b.value for b in _values("depth", [2, 3, 10])]
    assert deeper[0] < deeper[1] < deeper[2]


def test_a_larger_margin_loses_more_rows_and_pays_less_for_complexity():
    found = _values("rho", [0.1, 0.5, 1.0])
    assert [b.margin_loss for b in found] == [0.2, 0.8, 1.0]
    for term in ("depth_term", "confidence_term"):
        values = [getattr(b, term) for b in found]
        assert values[0] > values[1] > values[2]
    np.testing.assert_allclose(found[2].layer_terms, np.divide(found[0].layer_terms, 10))


def test_the_scale_of_weights_and_outputs_does_not_matter():
    plain = theorem_1(**GIVEN)
    heavy = theorem_1(**{**GIVEN, "margins": 7 * MARGINS, "norms": [21.0, 7.0]})
    loud = theorem_1(
        **{**GIVEN, "margins": 8 * MARGINS, "complexities": [0.16, 0.64]}, largest_output=8.0
    )
    for other in (heavy, loud):
        np.testing.assert_allclose(other.layer_terms, plain.layer_terms, rtol=1e-12)
        assert other.margin_loss == plain.margin_loss
        np.testing.assert_allclose(other.value, plain.value, rtol=1e-12)


def test_large_samples_make_it_say_something():
    bound = theorem_1([0.9, 1.0], [1.0], [1e-4], depth=2, rows=10**7, rho=0.5, enforced=True)
    assert bound.margin_loss == 0.0 and 0 < bound.value < 0.1 and not bound.void
    assert "Void" not in str(bound) and "kept their norm bounds" in str(bound)
    assert "not enforced" in str(dataclasses.replace(bound, enforced=False))


def test_table_and_frame_show_every_term():
    bound = theorem_1(**GIVEN, largest_output=2.0)
    frame = bound.as_frame()
    assert frame.columns.tolist() == ["term", "value"] and len(frame) == 6
    np.testing.assert_allclose(frame.value[:-1].sum(), frame.value.iloc[-1], rtol=1e-12)
    text = str(bound)
    for term, value in zip(frame.term, frame.value, strict=True):
        assert f"{value:.4g}" in next(line for line in text.splitlines() if term in line)
    for words in ("m = 10000", "l = 3", "rho = 0.3", "delta = 0.1", "divided by 2,"):
        assert words in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    "change, words",
    [
        ({"delta": 0.0}, "delta=0.0"),
        ({"delta": 1.0}, "delta=1.0"),
        ({"delta": math.nan}, "delta=nan"),
        ({"rho": 0.0}, "rho=0.0"),
        ({"rho": -0.1}, "rho=-0.1"),
        ({"rho": 1.1}, "rho=1.1"),
        ({"rho": "0.1"}, "rho='0.1'"),
        ({"rows": 0}, "rows=0"),
        ({"depth": 1}, "2 norms, 2 complexities, depth=1"),
        ({"norms": [1.0]}, "1 norms, 2 complexities"),
        ({"norms": [1.0, -1.0]}, "norms="),
        ({"norms": [0.0, 0.0]}, "mixture weight must not be 0"),
        ({"complexities": [0.1, math.nan]}, "complexities="),
        ({"margins": [1.0, math.nan]}, "margins must be"),
        ({"margins": []}, "margins must be"),
        ({"largest_output": 0.0}, "largest_output=0.0"),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(change, words):
    with pytest.raises(ValueError, match=words):
        theorem_1(**{**GIVEN, **change})


# Of a search -------------------------------------------------------------------------------------


def _data():
    x, y = load_breast_cancer(return_X_y=True)
    x = ((x - x.min(0)) / (x.max(0) - x.min(0))).astype("float32")
    return x, np.array(["malignant", "benign"])[y]


X, Y = _data()


def _search(lc, **settings):
    given = {
        "head": an.heads.BinaryClass(), "complexity": lambda subnetwork: 0.01 * subnetwork.depth,
        "generator": an.generators.Dense(widths=4, depths=[1, 2]), "steps_per_iteration": 60,
    }  # fmt: skip
    search = lc.small(**{**given, **settings}).fit(X, Y, verbose=0)
    # The numbers are easy to follow; what they would be is the test of the rule itself.
    search.complexity = Rademacher()
    return search


@pytest.fixture(scope="module")
def scalar(lc):
    return _search(lc)


@pytest.mark.parametrize("kind", ["scalar", "matrix"])
def test_bound_of_a_search(lc, scalar, kind):
    search = scalar if kind == "scalar" else _search(lc, mixture_weights="matrix", max_iterations=1)
    weights = np.random.default_rng(0).uniform(size=len(X))
    bound = generalization_bound(search, 0.1, 0.2, X, Y, sample_weight=weights, enforced=True)
    assert isinstance(bound, GeneralizationBound) and bound.enforced
    ensemble = search.ensemble
    key, above = ("logits", 1) if kind == "scalar" else ("last_layer", 0)
    found = [np.abs(m.model.predict(X, verbose=0)[key]).max() for m in ensemble.members]
    largest = max(1.0, *found)
    np.testing.assert_allclose(bound.largest_output, largest, rtol=1e-5)
    norms = np.array([np.abs(w).sum() for w in ensemble.mixture.weights])
    layers = np.array([m.depth + above for m in ensemble.members])
    assert bound.depth == layers.max() and bound.rows == len(X)
    share = [norms[layers == k].sum() / norms.sum() for k in range(1, layers.max() + 1)]
    np.testing.assert_allclose(bound.norms, share, rtol=1e-12)
    r = [0.01 * (k - above) if s else 0.0 for k, s in enumerate(share, start=1)]
    np.testing.assert_allclose(bound.layer_terms, 20 * np.multiply(share, r) / largest, rtol=1e-5)
    # Classes are sorted: the second, "malignant", is the positive one.
    sign = np.where(Y == "malignant", 1.0, -1.0)
    margins = sign * search.predict(X, "logits")[:, 0] / norms.sum() / largest
    assert 0 < (margins <= 0).mean() < 0.3
    lost = np.average(margins <= 0.2, weights=weights)
    np.testing.assert_allclose(bound.margin_loss, lost, atol=1e-6)
    assert bound.margin_loss > np.average(margins <= 0, weights=weights)


def test_members_of_one_depth_are_one_layer(scalar):
    members = scalar.ensemble.members
    assert len(members) == 2
    before = [(m.depth, m.complexity) for m in members]
    try:
        for member, r in zip(members, (0.3, 0.2), strict=True):
            member.depth, member.complexity = 1, r
        bound = generalization_bound(scalar, x=X, y=Y)
    finally:
        for member, (depth, r) in zip(members, before, strict=True):
            member.depth, member.complexity = depth, r
    assert bound.norms == (0.0, 1.0)
    np.testing.assert_allclose(bound.complexities, [0, 0.3 / bound.largest_output], rtol=1e-6)


def test_what_the_theorem_does_not_cover_is_refused_by_name(lc, scalar):
    with pytest.raises(ValueError, match="Call fit first"):
        generalization_bound(lc.small(head=an.heads.BinaryClass()), x=X, y=Y)
    x, y = lc.blobs(classes=2)
    short = {"max_iterations": 1, "steps_per_iteration": 1}
    many = lc.small(**short).fit(x, y, verbose=0)
    with pytest.raises(ValueError, match=r"two classes.*'multi_class' \(MultiClass\)"):
        generalization_bound(many, x=x, y=y)
    shifted = lc.small(head=an.heads.BinaryClass(), mixture_bias=True, **short)
    shifted.fit(x, y, verbose=0)
    with pytest.raises(ValueError, match="complexity='rademacher'"):
        generalization_bound(shifted, x=x, y=y)
    shifted.complexity = Rademacher()
    with pytest.raises(ValueError, match="mixture_bias=False"):
        generalization_bound(shifted, x=x, y=y)
    with pytest.raises(ValueError, match="Pass x="):
        generalization_bound(scalar)
    with pytest.raises(ValueError, match="delta=1.5"):
        generalization_bound(scalar, delta=1.5, x=X, y=Y)
    with pytest.raises(ValueError, match="rho=0"):
        generalization_bound(scalar, rho=0, x=X, y=Y)
    with pytest.raises(ValueError, match="expects features"):
        generalization_bound(scalar, x=X[:, :3], y=Y)
