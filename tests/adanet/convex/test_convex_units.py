"""The closed forms of AdaNet.CVX against enumeration, differences and scipy."""

import numpy as np
import pytest
from scipy import integrate, optimize

from adaptive_nets.adanet.convex.units import ACTIVATIONS, SURROGATES, best_direction, best_weight

NORMS = (1.0, 1.25, 1.5, 2.0)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("norm_bound", [0.3, 1.0, 2.5])
def test_direction_attains_the_dual_norm_on_the_boundary(p, norm_bound):
    epsilon = np.random.default_rng(0).normal(size=12)
    q = np.inf if p == 1 else p / (p - 1)
    u, value = best_direction(epsilon, p, norm_bound)
    best = norm_bound * np.linalg.norm(epsilon, q)
    np.testing.assert_allclose(u @ epsilon, best, rtol=0, atol=1e-9)
    np.testing.assert_allclose(value, best, rtol=0, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(u, p), norm_bound, rtol=0, atol=1e-9)


@pytest.mark.parametrize("p", NORMS)
def test_direction_beats_ten_thousand_others_of_its_norm(p):
    rng = np.random.default_rng(1)
    epsilon = rng.normal(size=5)
    u, value = best_direction(epsilon, p, 1.0)
    # Half are drawn around u, where they come close.
    others = rng.normal(size=(10_000, 5))
    others[::2] = u + 0.05 * others[::2]
    others /= np.linalg.norm(others, p, axis=1, keepdims=True)
    edges = others @ epsilon
    assert edges.max() < value
    assert edges.max() > 0.95 * value


def test_direction_does_not_depend_on_the_scale_of_epsilon():
    epsilon = np.array([3.0, -4.0, 0.0])
    for scale in (1e-250, 1.0, 1e250):
        u, value = best_direction(scale * epsilon, 1.01, 1.0)
        np.testing.assert_allclose(u, best_direction(epsilon, 1.01, 1.0)[0], rtol=1e-12)
        assert value == pytest.approx(scale * u @ epsilon, rel=1e-12)


def test_direction_of_norm_one_takes_the_first_of_equals():
    u, value = best_direction(np.array([1.0, -2.0, 2.0]), 1.0, 3.0)
    np.testing.assert_array_equal(u, [0.0, -3.0, 0.0])
    assert value == 6.0


def test_direction_of_zero_is_zero():
    u, value = best_direction(np.zeros(3), 2.0, 1.0)
    np.testing.assert_array_equal(u, np.zeros(3))
    assert value == 0.0


@pytest.mark.parametrize(
    ("name", "of_one"), [("logistic", np.log(1 + np.e)), ("exponential", np.e)]
)
def test_derivatives_of_surrogates(name, of_one):
    phi, z, e = SURROGATES[name], np.linspace(-8, 8, 41), 1e-5
    assert phi.value(np.array(1.0)) == pytest.approx(of_one, rel=1e-15)
    slope = (phi.value(z + e) - phi.value(z - e)) / (2 * e)
    curvature = (phi.slope(z + e) - phi.slope(z - e)) / (2 * e)
    np.testing.assert_allclose(phi.slope(z), slope, rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(phi.curvature(z), curvature, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("probability", [0.02, 0.3, 0.5, 0.9])
def test_log_odds_undo_the_minimiser_of_the_expected_loss(name, probability):
    phi = SURROGATES[name]

    def expected(f):
        return probability * phi.value(1 - f) + (1 - probability) * phi.value(1 + f)

    f = optimize.minimize_scalar(expected, bracket=(-1, 1), tol=1e-12).x
    log_odds = np.log(probability / (1 - probability))
    assert phi.log_odds(f) == pytest.approx(log_odds, abs=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_lipschitz_and_zero_at_zero(name):
    h = np.linspace(-4, 4, 801)
    values = ACTIVATIONS[name](h)
    assert values[400] == 0.0
    assert np.abs(np.diff(values)).max() <= (h[1] - h[0]) * (1 + 1e-9)


def line(name, seed=2, rows=80):
    rng = np.random.default_rng(seed)
    z, signed = rng.normal(1, 2, size=rows), rng.normal(0.3, 1, size=rows)
    shares = rng.random(rows)
    return SURROGATES[name], z, signed, shares / shares.sum()


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.1])
@pytest.mark.parametrize("weight", [0.0, -3.0, 0.2, 40.0])
@pytest.mark.parametrize("seed", range(3))
def test_best_weight_agrees_with_scipy(name, gamma, weight, seed):
    phi, z, signed, shares = line(name, seed)
    z = z - weight * signed  # the unit stands at its weight

    def value(v):
        return shares @ phi.value(z - (v - weight) * signed) + gamma * abs(v)

    best = best_weight(phi, z, signed, shares, weight, gamma)
    # Golden sections see the objective only, so each side of the kink is searched.
    found = min(
        (
            optimize.minimize_scalar(value, bounds=side, method="bounded", options={"xatol": 1e-10})
            for side in ((-20, 0), (0, 20))
        ),
        key=lambda result: result.fun,
    )
    assert value(best) <= found.fun * (1 + 1e-13)
    assert best == pytest.approx(found.x, abs=1e-6)


@pytest.mark.parametrize("name", SURROGATES)
def test_the_kink_is_exact(name):
    phi, z, signed, shares = line(name)
    slope = abs((shares * signed) @ phi.slope(z))
    assert best_weight(phi, z, signed, shares, 0.0, slope * (1 + 1e-12)) == 0.0
    inside = best_weight(phi, z, signed, shares, 0.0, slope * (1 - 1e-6))
    assert 0.0 < abs(inside) < 1e-4
    # From elsewhere the weight returns to exactly 0.
    assert best_weight(phi, z - 2.0 * signed, signed, shares, 2.0, 1.001 * slope) == 0.0


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_a_separating_unit_without_penalty_ends_where_the_loss_vanishes(name, scale):
    rng = np.random.default_rng(3)
    signed = scale * rng.uniform(1, 2, size=20)
    best = best_weight(SURROGATES[name], np.ones(20), signed, np.full(20, 0.05), 0.0, 0.0)
    assert np.isfinite(best)
    assert np.sum(0.05 * SURROGATES[name].value(1 - best * signed)) < 1e-11


@pytest.mark.parametrize("name", SURROGATES)
def test_best_weight_is_stationary(name):
    phi, z, signed, shares = line(name)
    best = best_weight(phi, z, signed, shares, 0.0, 0.0)
    slope = (shares * signed) @ phi.slope(z - best * signed)
    assert abs(slope) < 1e-12
    # The integral of the slope is the fall of the loss.
    fall = integrate.quad(lambda v: (shares * signed) @ phi.slope(z - v * signed), 0, best)[0]
    assert fall == pytest.approx(shares @ (phi.value(z) - phi.value(z - best * signed)), abs=1e-10)
    assert fall > 0
