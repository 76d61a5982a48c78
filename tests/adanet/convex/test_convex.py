"""ConvexAdaNet: its search against a slow reference and the paper's stopping rule."""

import itertools

import numpy as np
import pytest
from scipy import optimize

from adaptive_nets.adanet.convex.classifier import ConvexAdaNet

SETTINGS = [
    {},
    {"surrogate": "exponential", "adanet_lambda": 0.1},
    {"p": 1.0, "norm_bound": [2.0, 0.5], "corrective_passes": 1},
    {"p": 1.25, "activation": "tanh", "complexity": "rademacher", "adanet_lambda": 2e-3},
    {"p": 1.5, "max_depth": 3, "surrogate": "exponential", "adanet_beta": 0.01},
    {"complexity": float, "fit_intercept": False, "corrective_passes": 2, "activation": "linear"},
    {"adanet_lambda": 0.0, "max_depth": 3},
]


def overlapping(rows=120, features=4, seed=0):
    """Classes that no function of the features separates well: labels of noise and a product."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, features))
    score = x[:, 0] - 0.5 * x[:, 1] + x[:, 2] * x[:, 3] + 2 * rng.normal(size=rows)
    return x, (score > 0.3).astype(int)


def read_by_layers(model, x):
    """What each layer reads, from the public attributes: features, then φ of the layer below."""
    phi = {"relu": lambda h: np.maximum(h, 0), "tanh": np.tanh, "linear": lambda h: h}
    read, outputs = [x], []
    for kernel in model.kernels_:
        outputs.append(read[-1] @ kernel)
        read.append(phi[model.activation](outputs[-1]))
    return read, outputs


def residual(model, x, y):
    """`y Φ'(1 - y f(x))`."""
    signs = np.where(y == model.classes_[1], 1.0, -1.0)
    z = 1 - signs * model.decision_function(x)
    return signs * (np.exp(z) if model.surrogate == "exponential" else 1 / (1 + np.exp(-z)))


def value(model, x, y):
    """F, from the public attributes."""
    signs = np.where(y == model.classes_[1], 1.0, -1.0)
    z = 1 - signs * model.decision_function(x)
    loss = np.exp(z) if model.surrogate == "exponential" else np.log1p(np.exp(z))
    complexity = np.array([unit.complexity for unit in model.units_])
    gammas = model.adanet_lambda_ * complexity + model.adanet_beta
    return loss.mean() + gammas @ np.abs(model.coef_)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_objective_never_rises_and_is_that_of_the_network(settings):
    x, y = overlapping()
    model = ConvexAdaNet(max_iterations=40, **settings).fit(x, y)
    assert np.diff(model.objective_path_).max() <= 1e-14
    assert model.objective_path_[0] - model.objective_path_[-1] > 0.01
    assert model.objective_path_[-1] == pytest.approx(value(model, x, y), abs=1e-12)
    assert len(model.objective_path_) == model.n_iter_ + 1


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_units_are_on_their_norm_ball_and_read_the_layer_of_their_time(settings):
    x, y = overlapping()
    model = ConvexAdaNet(max_iterations=40, **settings).fit(x, y)
    bounds, added = np.broadcast_to(model.norm_bound, model.max_depth), [4, 0, 0, 0]
    for unit in model.units_:
        norm = np.linalg.norm(unit.direction, model.p)
        assert norm == pytest.approx(bounds[unit.depth - 1], abs=1e-9)
        assert len(unit.direction) == added[unit.depth - 1]
        added[unit.depth] += 1
    shapes = [(n, m) for n, m in itertools.pairwise(added) if m]
    assert [kernel.shape for kernel in model.kernels_] == shapes
    assert model.depth_ == len(shapes)


def test_the_path_is_that_of_a_slow_reference():
    """Every new unit and every old one is tried, and the line search is scipy's."""
    x, y = overlapping(rows=60)
    signs, lam, steps = 2.0 * y - 1, 0.02, 12
    model = ConvexAdaNet(
        adanet_lambda=lam, max_iterations=steps, fit_intercept=False, tolerance=0.0
    ).fit(x, y)
    h, weights, gammas, depths = np.zeros((60, 0)), np.zeros(0), np.zeros(0), []

    def objective(w):
        return np.log1p(np.exp(1 - signs * (h @ w))).mean() + gammas @ np.abs(w)

    path = [objective(weights)]
    for _ in range(steps):
        slope = signs / (1 + np.exp(signs * (h @ weights) - 1)) / 60
        options = []  # (rate of descent, is it old, index or (depth, outputs))
        below = np.maximum(h[:, [d == 1 for d in depths]], 0)
        for depth, read in ((1, x), (2, below)):
            epsilon = read.T @ slope
            if len(epsilon):
                unit = read @ (epsilon / np.linalg.norm(epsilon))
                gain = np.linalg.norm(epsilon) - lam * np.sqrt(depth)
                options.append((gain, 0, (depth, unit)))
        for j in range(len(weights)):
            gradient = -(h[:, j] @ slope)
            kink = np.sign(weights[j]) * gammas[j]
            rate = abs(gradient + kink) if weights[j] else abs(gradient) - gammas[j]
            options.append((rate, 1, j))
        _, old, chosen = max(options, key=lambda option: option[:2])
        if not old:
            depth, unit = chosen
            h, depths = np.column_stack([h, unit]), [*depths, depth]
            weights, gammas = np.append(weights, 0.0), np.append(gammas, lam * np.sqrt(depth))
            chosen = len(weights) - 1

        def along(v, others=weights, j=chosen):
            return objective(np.where(np.arange(len(others)) == j, v, others))

        found = [
            optimize.minimize_scalar(along, bounds=b, method="bounded", options={"xatol": 1e-11})
            for b in ((-10, 0), (0, 10))
        ]
        weights[chosen] = min(found, key=lambda r: r.fun).x
        path.append(objective(weights))
    assert [unit.depth for unit in model.units_] == depths
    assert set(depths) == {1, 2}
    assert len(depths) < steps, "an old unit was moved"
    np.testing.assert_allclose(model.objective_path_, path, rtol=0, atol=1e-9)
    np.testing.assert_allclose(model.coef_, weights, rtol=0, atol=1e-5)


def worst_excess(model, x, y):
    """By how much any unit, old or new, exceeds its Γ; 0 where the paper's search stops."""
    r, (read, outputs) = residual(model, x, y) / len(y), read_by_layers(model, x)
    q = np.inf if model.p == 1 else model.p / (model.p - 1)
    excess = [0.0]
    for depth in range(1, model.max_depth + 1):
        gamma = model.adanet_lambda_ * np.sqrt(depth)
        if depth <= len(read):
            excess.append(np.linalg.norm(read[depth - 1].T @ r, q) - gamma)
        if depth <= model.depth_:
            edges = outputs[depth - 1].T @ r
            weights = model.coef_[[unit.depth == depth for unit in model.units_]]
            unused = np.abs(edges) - gamma
            excess.extend(np.where(weights, np.abs(edges - gamma * np.sign(weights)), unused))
    return max(excess)


@pytest.mark.parametrize(
    ("surrogate", "p", "lam", "passes", "tolerance", "depth"),
    [
        ("logistic", 1.0, 0.03, 3, 1e-5, 1),
        ("logistic", 1.5, 0.03, 3, 5e-3, 1),
        ("logistic", 2.0, 0.1, 0, 1e-3, 2),
        ("exponential", 1.0, 0.1, 3, 1e-5, 1),
        ("exponential", 1.5, 0.1, 3, 5e-3, 1),
        ("exponential", 2.0, 0.1, 0, 1e-2, 2),
    ],
)
def test_it_stops_exactly_where_no_unit_is_worth_its_penalty(
    surrogate, p, lam, passes, tolerance, depth
):
    x, y = overlapping()
    given = {"adanet_lambda": lam, "corrective_passes": passes, "tolerance": tolerance}
    model = ConvexAdaNet(surrogate, p, **given, max_iterations=500).fit(x, y)
    assert 1 < model.n_iter_ < 500
    assert model.depth_ == depth
    assert abs(residual(model, x, y).mean()) < 1e-10, "the intercept is free"
    assert worst_excess(model, x, y) <= tolerance
    earlier = ConvexAdaNet(surrogate, p, **given, max_iterations=model.n_iter_ - 1).fit(x, y)
    assert worst_excess(earlier, x, y) > tolerance


@pytest.mark.parametrize("surrogate", ["logistic", "exponential"])
def test_without_penalty_it_never_stops_on_classes_that_overlap(surrogate):
    x, y = overlapping(rows=400)
    model = ConvexAdaNet(surrogate, adanet_lambda=0.0, max_iterations=300).fit(x, y)
    assert model.n_iter_ == 300
    assert (np.diff(model.objective_path_) < 0).all()


def test_a_large_penalty_leaves_the_intercept():
    x, y = overlapping()
    model = ConvexAdaNet(adanet_lambda=100.0).fit(x, y)
    assert (model.units_, model.n_iter_, model.depth_) == ((), 0, 0)
    probabilities = model.predict_proba(x)[:, 1]
    np.testing.assert_allclose(probabilities, y.mean(), rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        model.to_keras("float64").predict(x, verbose=0)[:, 0], model.intercept_, atol=1e-12
    )


def test_larger_lambda_makes_a_simpler_network():
    x, y = overlapping()
    sums = []
    for lam in (0.01, 0.03, 0.1, 0.3):
        model = ConvexAdaNet(adanet_lambda=lam, corrective_passes=3, max_iterations=60).fit(x, y)
        complexity = np.array([unit.complexity for unit in model.units_])
        sums.append(complexity @ np.abs(model.coef_) if model.units_ else 0.0)
    assert (np.diff(sums) < 0).all()


def test_rademacher_complexity_counts_the_units_of_the_time():
    x, y = overlapping()
    model = ConvexAdaNet(
        p=1.5, norm_bound=[1.0, 0.7], complexity="rademacher", adanet_lambda=1e-3
    ).fit(x, y)
    assert model.depth_ == 2
    rate = np.abs(x).max() * np.sqrt(np.log(2 * 4) / (2 * 120))
    below = 0
    for unit in model.units_:
        if unit.depth == 1:
            expected = 2 * 4 ** (1 / 3) * rate
            below += 1
        else:
            expected = 2 * 1.4 * (4 * below) ** (1 / 3) * rate
        assert unit.complexity == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("complexity", ["sqrt_depth", "rademacher"])
def test_weights_count_as_repeated_rows(complexity):
    x, y = overlapping()
    counts = np.random.default_rng(1).integers(0, 4, len(y))
    settings = {"complexity": complexity, "adanet_lambda": 2e-3, "max_iterations": 30}
    weighted = ConvexAdaNet(**settings).fit(x, y, sample_weight=counts)
    repeated = ConvexAdaNet(**settings).fit(np.repeat(x, counts, axis=0), np.repeat(y, counts))
    plain = ConvexAdaNet(**settings).fit(x, y)
    np.testing.assert_allclose(
        weighted.decision_function(x), repeated.decision_function(x), rtol=0, atol=1e-8
    )
    assert np.abs(weighted.decision_function(x) - plain.decision_function(x)).max() > 0.1


@pytest.mark.parametrize("surrogate", ["logistic", "exponential"])
def test_probabilities_are_calibrated_where_the_penalty_is_small(surrogate):
    """One feature of two values: the fitted probability is the share of the class."""
    x = np.repeat([-1.0, 1.0], [200, 300])[:, None]
    y = np.concatenate([np.arange(200) < 40, np.arange(300) < 210])
    model = ConvexAdaNet(surrogate, adanet_lambda=0.0, corrective_passes=50, max_depth=1)
    probabilities = model.fit(x, y).predict_proba([[-1.0], [1.0]])
    np.testing.assert_allclose(probabilities, [[0.8, 0.2], [0.3, 0.7]], atol=1e-4)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_keras_model_is_the_same_function(settings):
    x, y = overlapping()
    model = ConvexAdaNet(max_iterations=25, **settings).fit(x, y)
    f = model.decision_function(x)
    exact, single = model.to_keras("float64"), model.to_keras()
    np.testing.assert_allclose(np.asarray(exact(x))[:, 0], f, rtol=1e-10, atol=1e-10)
    logits = np.asarray(single(x.astype("float32")))
    assert logits.dtype == "float32"
    assert logits.shape == (120, 1)
    assert np.abs(logits[:, 0] - f).max() <= 1e-6 * np.abs(f).max()
    modules = {type(layer).__module__.split(".")[0] for layer in exact.layers}
    assert modules == {"keras"}
