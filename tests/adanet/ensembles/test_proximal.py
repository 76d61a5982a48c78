"""Mixture weights: the solver against other solvers of the same convex problem."""

import tracemalloc

import numpy as np
import pytest
from mixture_equations import EQUATIONS, reads_last_layer, transposed
from mixture_equations import shape as shape_of
from scipy import optimize, special
from sklearn.linear_model import Lasso

from adaptive_nets import _pieces as pieces
from adaptive_nets import heads
from adaptive_nets.adanet.ensembles.ensemble import Mixture
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.ensembles.mixture_ensembler import MixtureEnsembler
from adaptive_nets.adanet.ensembles.mixtures.kinds import MIXTURE_KINDS
from adaptive_nets.adanet.ensembles.mixtures.penalty import Penalty
from adaptive_nets.adanet.ensembles.mixtures.proximal import MixtureSolver

RNG = np.random.default_rng(0)
ROWS, MEMBERS = 160, 4
HEADS = {
    "squared": heads.Regression(2),
    "logistic": heads.BinaryClass(["no", "yes"]),
    "softmax": heads.MultiClass(3),
}
SOLVERS = {}


def solver(loss, kind):
    """One solver a loss and kind, so that each is traced once for all tests."""
    if (loss, kind) not in SOLVERS:
        SOLVERS[loss, kind] = MixtureSolver(
            HEADS[loss].loss, kind, tolerance=1e-9, max_iterations=5000
        )
    return SOLVERS[loss, kind]


def problem(loss, kind, extras=False):
    rng = np.random.default_rng(7)
    units = HEADS[loss].units
    h = rng.normal(size=(ROWS, MEMBERS, units)).astype("float32")
    signal = h[:, 0] - 0.5 * h[:, 1] + rng.normal(size=(ROWS, units))
    if loss == "squared":
        y = (signal + 0.4).astype("float32")
    elif loss == "logistic":
        y = (signal > 0.2).astype("float32")
    else:
        y = signal.argmax(axis=1).astype("int32")
    if reads_last_layer(kind):
        h = h.reshape(ROWS, -1)
    shape = shape_of(kind, units, MEMBERS, MEMBERS * units)
    weights = rng.uniform(0, 2, ROWS)
    return {
        "h": h,
        "y": y,
        "start": np.ones(shape),
        "gamma": rng.uniform(0.01, 0.1, (shape[0], *[1] * (len(shape) - 1))),
        "base": rng.normal(size=(ROWS, units)) if extras else None,
        "weights": weights / weights.mean() if extras else None,
        "bias": np.zeros(units) if extras else None,
    }


def smooth(loss, kind, p, w, b):
    """The data term and its gradients in w and b, in NumPy."""
    h, y = p["h"].astype("float64"), p["y"]
    v = np.ones(ROWS) if p["weights"] is None else p["weights"]
    f = np.einsum(EQUATIONS[kind], h, w) + b + (0.0 if p["base"] is None else p["base"])
    if loss == "squared":
        value, slope = ((f - y) ** 2).mean(axis=1), 2 * (f - y) / f.shape[1]
    elif loss == "logistic":
        value, slope = (np.logaddexp(0, f) - y * f)[:, 0], special.expit(f) - y
    else:
        value = special.logsumexp(f, axis=1) - f[np.arange(ROWS), y]
        slope = special.softmax(f, axis=1) - np.eye(3)[y]
    slope = slope * v[:, None] / ROWS
    return (v * value).mean(), np.einsum(transposed(kind), h, slope), slope.sum(axis=0)


def objective(loss, kind, p, w, b):
    return smooth(loss, kind, p, w, b)[0] + (p["gamma"] * np.abs(w)).sum()


def reference(loss, kind, p):
    """The minimum by L-BFGS-B over w = positive - negative, both bounded below by 0."""
    shape, size, units = p["start"].shape, p["start"].size, HEADS[loss].units
    gamma = np.broadcast_to(p["gamma"], shape).ravel()
    free = p["bias"] is not None

    def value_and_gradient(z):
        w, b = (z[:size] - z[size : 2 * size]).reshape(shape), z[2 * size :]
        value, gw, gb = smooth(loss, kind, p, w, b)
        gw = gw.ravel()
        gradient = np.concatenate([gw + gamma, gamma - gw, gb * free])
        return value + gamma @ (z[:size] + z[size : 2 * size]), gradient

    found = optimize.minimize(
        value_and_gradient, np.zeros(2 * size + units), jac=True, method="L-BFGS-B",
        bounds=[(0, None)] * (2 * size) + [(None, None)] * units,
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 20000, "maxfun": 100000},
    )  # fmt: skip
    return found.fun


@pytest.mark.parametrize("kind", EQUATIONS)
@pytest.mark.parametrize("loss", HEADS)
@pytest.mark.parametrize("extras", [False, True], ids=["plain", "base_weights_bias"])
def test_the_minimum_is_the_one_that_l_bfgs_b_finds(loss, kind, extras):
    p = problem(loss, kind, extras)
    solution = solver(loss, kind).solve(**p)
    by_hand = objective(loss, kind, p, solution.weights, solution.bias)
    assert solution.objective == pytest.approx(by_hand, abs=1e-10)
    assert by_hand == pytest.approx(reference(loss, kind, p), abs=1e-8)
    assert solution.residual <= 1e-6 and 0 < solution.iterations < 5000
    if not extras:
        assert not solution.bias.any()


@pytest.mark.parametrize("start", [-3.0, 0.0, 3.0])
def test_a_single_weight_is_solved_to_the_end_from_either_side(start):
    p = problem("logistic", "scalar")
    p |= {"h": p["h"][:, :1], "start": np.array([start]), "gamma": p["gamma"][:1]}
    w = solver("logistic", "scalar").solve(**p).weights
    _, slope, _ = smooth("logistic", "scalar", p, w, 0.0)
    assert slope + p["gamma"] * np.sign(w) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kind", EQUATIONS)
def test_the_solution_meets_the_optimality_conditions(kind):
    p = problem("softmax", kind, extras=True)
    p["gamma"] = 1.5 * p["gamma"]
    solution = solver("softmax", kind).solve(**p)
    w, gamma = solution.weights, np.broadcast_to(p["gamma"], p["start"].shape)
    _, gw, gb = smooth("softmax", kind, p, w, solution.bias)
    assert (w == 0).any() and (w != 0).any()
    np.testing.assert_allclose(gw[w != 0], -(gamma * np.sign(w))[w != 0], atol=1e-6)
    assert (np.abs(gw) <= gamma + 1e-6)[w == 0].all()
    np.testing.assert_allclose(gb, 0, atol=1e-6)


def test_squared_loss_gives_the_lasso():
    x = RNG.normal(size=(ROWS, 12)).astype("float32")
    y = (x[:, :1] - 2 * x[:, 3:4] + RNG.normal(size=(ROWS, 1)) + 0.7).astype("float32")
    lasso = Lasso(alpha=0.1, tol=1e-12, max_iter=100000).fit(x.astype("float64"), y)
    solution = solver("squared", "matrix").solve(
        x, y, start=np.zeros((12, 1)), gamma=0.2, bias=np.zeros(1)
    )
    np.testing.assert_allclose(solution.weights[:, 0], lasso.coef_, atol=1e-6)
    np.testing.assert_allclose(solution.bias, lasso.intercept_, atol=1e-6)
    assert ((solution.weights[:, 0] == 0) == (lasso.coef_ == 0)).all()
    assert (lasso.coef_ == 0).any()


def test_the_objective_never_rises_over_the_iterations():
    # An ill-conditioned problem, on which FISTA without the monotone rule oscillates.
    rng = np.random.default_rng(7)
    x = rng.normal(size=(ROWS, 8)) * [10, 1, 0.5, 3, 1, 1, 2, 0.7]
    y = x / [10, 1, 0.5, 3, 1, 1, 2, 0.7] @ rng.normal(size=(8, 2))
    p = {"h": x.astype("float32"), "y": y.astype("float32"), "gamma": np.full((8, 1), 1e-4)}
    p |= {"start": np.ones((8, 2)), "base": None, "weights": None, "bias": None}
    values = [objective("squared", "matrix", p, p["start"], np.zeros(2))]
    for k in (*range(1, 20), *range(20, 81, 5)):
        found = solver("squared", "matrix").solve(**p, max_iterations=k)
        assert found.iterations == k
        values.append(objective("squared", "matrix", p, found.weights, found.bias))
    assert (np.diff(values) <= 1e-12).all()
    assert values[-1] < 0.01 * values[0]


@pytest.mark.parametrize("kind", EQUATIONS)
def test_a_penalty_above_every_gradient_gives_exact_zeros(kind):
    p = problem("softmax", kind, extras=False)
    _, gradient, _ = smooth("softmax", kind, p, np.zeros_like(p["start"]), np.zeros(3))
    largest = np.abs(gradient).max()
    p["gamma"] = 1.01 * largest
    zero = solver("softmax", kind).solve(**p)
    assert not zero.weights.any()
    p["gamma"] = 0.9 * largest
    assert solver("softmax", kind).solve(**p).weights.any()


def test_one_trace_serves_all_shapes_and_options():
    made = MixtureSolver(heads.MultiClass(3).loss, "vector")
    for rows, members in [(50, 1), (20, 3), (7, 2)]:
        for extras in (False, True):
            units = 3
            made.solve(
                RNG.normal(size=(rows, members, units)).astype("float32"),
                RNG.integers(0, 3, rows).astype("int32"),
                start=np.ones((members, units)),
                gamma=0.01,
                base=RNG.normal(size=(rows, units)) if extras else None,
                weights=np.ones(rows) if extras else None,
                bias=np.zeros(units) if extras else None,
            )
    assert made.traces == 1


def test_separable_data_ends_at_the_limit_of_iterations():
    x = np.linspace(-1, 1, 40).reshape(-1, 1, 1).astype("float32")
    y = (x[:, 0] > 0).astype("float32")
    found = solver("logistic", "scalar").solve(
        x, y, start=np.ones(1), gamma=0.0, max_iterations=200
    )
    assert found.iterations <= 200
    assert np.isfinite(found.weights).all() and np.isfinite(found.objective)
    assert found.objective < 0.02


def test_a_warm_start_needs_fewer_steps():
    p = problem("softmax", "scalar", extras=True)
    first = solver("softmax", "scalar").solve(**p)
    again = solver("softmax", "scalar").solve(**{**p, "start": first.weights, "bias": first.bias})
    assert 2 * again.iterations < first.iterations
    np.testing.assert_allclose(again.weights, first.weights, atol=1e-6)


@pytest.mark.parametrize("kind", EQUATIONS)
@pytest.mark.parametrize("loss", HEADS)
@pytest.mark.parametrize("limit", [None, 5000], ids=["few passes", "proximal gradient"])
def test_rows_in_pieces_have_the_minimum_of_all_rows(loss, kind, limit, monkeypatch):
    p = problem(loss, kind, extras=True)
    whole = solver(loss, kind).solve(**p, max_iterations=5000)
    monkeypatch.setattr(pieces, "PIECE_NUMBERS", 400)
    found = solver(loss, kind).solve(**p, max_iterations=limit)
    np.testing.assert_allclose(found.objective, whole.objective, rtol=1e-11)
    # Each ends where its own gradient mapping is below the tolerance.
    near = 1e-7 if limit else 1e-6
    np.testing.assert_allclose(found.weights, whole.weights, rtol=1e-6, atol=near)
    np.testing.assert_allclose(found.bias, whole.bias, rtol=1e-6, atol=near)


@pytest.mark.parametrize("loss", HEADS)
def test_few_weights_on_many_rows_take_fewer_passes_to_the_same_minimum(loss, monkeypatch):
    p = problem(loss, "scalar", extras=True)
    plain = solver(loss, "scalar").solve(**p)
    many = solver(loss, "scalar").solve(**p, max_iterations=5000)
    # Rows that are one piece are passed over as often as it takes.
    assert plain.iterations == min(many.iterations, 500)
    monkeypatch.setattr(pieces, "PIECE_NUMBERS", 400)
    few = solver(loss, "scalar").solve(**p)
    assert few.iterations < many.iterations
    np.testing.assert_allclose(few.objective, many.objective, rtol=1e-11)
    np.testing.assert_allclose(few.weights, many.weights, atol=1e-6)
    _, slope, _ = smooth(loss, "scalar", p, few.weights, few.bias)
    kept = few.weights != 0
    np.testing.assert_allclose((slope + p["gamma"] * np.sign(few.weights))[kept], 0, atol=2e-9)
    assert kept.any() and (np.abs(slope)[~kept] <= p["gamma"][~kept]).all()


def test_a_separable_problem_without_penalty_ends():
    x = np.linspace(-1, 1, 40).reshape(-1, 1, 1).astype("float32")
    y = (x[:, 0] > 0).astype("float32")
    found = solver("logistic", "scalar").solve(x, y, start=np.ones(1), gamma=0.0)
    assert np.isfinite(found.weights).all() and found.objective < 1e-6
    assert found.iterations < 5000


def test_a_problem_is_solved_in_less_memory_than_its_logits(monkeypatch):
    rng = np.random.default_rng(0)
    rows, units = 3000, 400
    y = rng.integers(0, units, rows).astype("int32")
    outputs = [{"logits": rng.normal(size=(rows, units)).astype("float32")} for _ in range(2)]
    for each in outputs:
        each["logits"][np.arange(rows), y] += 3
    monkeypatch.setattr(pieces, "PIECE_NUMBERS", 1 << 15)
    ensembler = MixtureEnsembler("scalar", Penalty(1e-3, 0.0), refit="new")
    members = [Member(f"1_{k}", 1, None, 1, 1.0) for k in range(2)]
    loss, start = heads.MultiClass(units).loss, Mixture((np.float64(1.0),))
    tracemalloc.start()
    mixture = ensembler.fit(outputs, y, None, members=members, start=start, loss=loss)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert mixture.weights[0] == 1.0 and mixture.weights[1] > 0.5
    # Before, the outputs were stacked and held in float64: three times their size.
    assert peak < 0.5 * sum(each["logits"].nbytes for each in outputs)


def test_combine_sums_the_weighed_members():
    h = RNG.normal(size=(5, 2, 3))
    scalar, vector = RNG.normal(size=2), RNG.normal(size=(2, 3))
    matrix = RNG.normal(size=(6, 3))
    np.testing.assert_allclose(
        MIXTURE_KINDS["scalar"].combine(h, scalar), scalar[0] * h[:, 0] + scalar[1] * h[:, 1]
    )
    np.testing.assert_allclose(
        MIXTURE_KINDS["vector"].combine(h, vector), vector[0] * h[:, 0] + vector[1] * h[:, 1]
    )
    np.testing.assert_allclose(
        MIXTURE_KINDS["matrix"].combine(h.reshape(5, 6), matrix), h.reshape(5, 6) @ matrix
    )
