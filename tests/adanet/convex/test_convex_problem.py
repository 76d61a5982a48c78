"""Coordinate descent on a fixed support, against scipy's solution of the same problem."""

import numpy as np
import pytest
from scipy import optimize

from adaptive_nets.adanet.convex.units import SURROGATES
from adaptive_nets.adanet.convex.weight_problem import GrowingRows, WeightProblem

ROWS, UNITS = 150, 6


def data(seed=0):
    rng = np.random.default_rng(seed)
    h = rng.normal(size=(UNITS, ROWS)) + 0.5 * rng.normal(size=ROWS)
    signs = np.sign(h[0] - 0.7 * h[1] + 0.4 * h[2] + rng.normal(size=ROWS))
    shares = rng.uniform(0.5, 1.5, ROWS)
    return h, signs, shares / shares.sum()


def build(name, gammas, seed=0):
    h, signs, shares = data(seed)
    problem = WeightProblem(SURROGATES[name], signs, shares)
    for row, gamma in zip(h, np.broadcast_to(gammas, UNITS), strict=True):
        problem.add(row, gamma)
    return problem


def sweep(problem, times):
    path = []
    for _ in range(times):
        for unit in range(len(problem.weights)):
            problem.minimise(unit)
            path.append(problem.objective())
    return np.asarray(path)


def scipy_solution(name, gammas, seed=0):
    """The weights as differences of non-negative ones, by L-BFGS-B."""
    h, signs, shares = data(seed)
    gammas = np.broadcast_to(gammas, UNITS)
    signed = signs * h

    def value(split):
        z = 1 - (split[:UNITS] - split[UNITS:]) @ signed
        if name == "logistic":
            loss, slope = np.log1p(np.exp(z)), 1 / (1 + np.exp(-z))
        else:
            loss = slope = np.exp(z)
        gradient = -signed @ (shares * slope)
        f = shares @ loss + gammas @ (split[:UNITS] + split[UNITS:])
        return f, np.concatenate([gradient + gammas, -gradient + gammas])

    options = {"ftol": 1e-16, "gtol": 1e-11, "maxiter": 5000, "maxfun": 50_000}
    found = optimize.minimize(
        value,
        np.zeros(2 * UNITS),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * (2 * UNITS),
        options=options,
    )
    return found.x[:UNITS] - found.x[UNITS:], found.fun


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("gammas", [0.0, 0.02, np.linspace(0.0, 0.2, UNITS)], ids=str)
def test_weights_agree_with_scipy(name, gammas):
    problem = build(name, gammas)
    sweep(problem, 200)
    weights, value = scipy_solution(name, gammas)
    np.testing.assert_allclose(problem.weights, weights, rtol=0, atol=1e-6)
    assert problem.objective() == pytest.approx(value, abs=1e-12)
    assert problem.scores().max() < 1e-10


@pytest.mark.parametrize("name", SURROGATES)
def test_the_gap_to_the_optimum_falls_linearly_in_the_logarithm(name):
    gamma = 0.01
    _, optimum = scipy_solution(name, gamma)
    problem = build(name, gamma)
    gaps = sweep(problem, 60)[UNITS - 1 :: UNITS] - optimum
    # Below this the optimum itself is not known.
    gaps = gaps[gaps > 1e-12]
    assert len(gaps) >= 6
    steps, logs = np.arange(len(gaps)), np.log(gaps)
    slope, intercept = np.polyfit(steps, logs, 1)
    explained = 1 - np.var(logs - slope * steps - intercept) / np.var(logs)
    assert slope < -0.3
    assert explained > 0.98
    assert gaps[-1] < 1e-9


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("seed", range(3))
def test_the_objective_never_rises_and_is_what_it_says(name, seed):
    gammas = np.linspace(0.0, 0.1, UNITS)
    problem = build(name, gammas, seed)
    start = problem.objective()
    path = sweep(problem, 30)
    assert np.diff(np.concatenate([[start], path])).max() <= 1e-14
    h, signs, shares = data(seed)
    z = 1 - signs * (problem.weights @ h)
    loss = np.log1p(np.exp(z)) if name == "logistic" else np.exp(z)
    expected = shares @ loss + gammas @ np.abs(problem.weights)
    assert problem.objective() == pytest.approx(expected, rel=1e-13)


def test_a_larger_lambda_gives_a_smaller_sum_of_complexity_times_weight():
    complexity = np.linspace(0.5, 2.0, UNITS)
    sums = []
    for lam in (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1.0):
        problem = build("logistic", lam * complexity)
        sweep(problem, 100)
        sums.append(complexity @ np.abs(problem.weights))
    assert (np.diff(sums) < 0).all()
    assert sums[-1] == 0.0


@pytest.mark.parametrize("name", SURROGATES)
def test_scores_are_the_directional_derivatives(name):
    problem = build(name, 0.05)
    for unit in (0, 1, 3):
        problem.minimise(unit)
    problem.minimise(0)
    h, signs, shares = data()
    e, scores = 1e-6, problem.scores()
    for unit in range(UNITS):

        def value(change, unit=unit):
            weights = problem.weights.copy()
            weights[unit] += change
            z = 1 - signs * (weights @ h)
            return shares @ problem.surrogate.value(z) + 0.05 * np.abs(weights).sum()

        fastest = max(value(0.0) - value(e), value(0.0) - value(-e), 0.0) / e
        assert scores[unit] == pytest.approx(fastest, abs=1e-5)
    assert scores[0] < 1e-12
    assert scores.max() > 1e-3


def test_rows_grow():
    rows, expected = GrowingRows(3), np.random.default_rng(0).normal(size=(40, 3))
    for row in expected:
        rows.append(row)
    np.testing.assert_array_equal(rows.values, expected)
