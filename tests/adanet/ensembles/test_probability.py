"""Means of predictions: the solver against enumeration and its certificate, and their life."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special

import adaptive_nets as an
from adaptive_nets.adanet import GreedyEnsembler, Penalty, ProbabilityEnsembler
from adaptive_nets.adanet.ensembles.ensemble import Mixture
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.ensembles.mixtures.simplex import SimplexSolver, _least_on_simplex

RNG = np.random.default_rng(0)
ROWS = 200
HEADS = {
    "classes": (an.heads.MultiClass(3), lambda z: z.argmax(axis=1).astype("int32")),
    "smooth": (an.heads.MultiClass(3, label_smoothing=0.1), lambda z: z.argmax(1).astype("int32")),
    "binary": (an.heads.BinaryClass(), lambda z: (z[:, :1] > 0).astype("float32")),
    "surrogate": (
        an.heads.BinaryClass(surrogate="exponential"),
        lambda z: (z[:, :1] > 0).astype("float32"),
    ),
    "labels": (an.heads.MultiLabel(3), lambda z: (z > 0).astype("float32")),
    "numbers": (an.heads.Regression(3), lambda z: z.astype("float32")),
    "several": (
        an.heads.Multi({"a": an.heads.BinaryClass(), "b": an.heads.Regression(2)}),
        lambda z: np.concatenate([z[:, :1] > 0, z[:, 1:]], axis=1).astype("float32"),
    ),
}
SOLVERS = {
    name: SimplexSolver(head.loss, head.mean_of, tolerance=1e-9)
    for name, (head, _) in HEADS.items()
}


def problem(name, members=3, rows=ROWS, seed=0):
    """Labels, and logits of members that see the truth through more and more noise."""
    rng = np.random.default_rng(seed)
    head, label = HEADS[name]
    truth = 2.0 * rng.normal(size=(rows, 3))
    y = label(truth + rng.normal(size=truth.shape))
    noise = rng.normal(size=(rows, members, 3)) * np.linspace(1, 2, members)[:, None]
    return head, y, (truth[:, None] + noise)[..., : head.units].astype("float32")


def mean_logits(head, h, w):
    def mean(values):
        return keras.ops.einsum("j,njc->nc", keras.ops.convert_to_tensor(w), values)

    return keras.ops.convert_to_numpy(head.mean_of(keras.ops.convert_to_tensor(h), mean))


def value(head, y, h, w, weights=None):
    each = keras.ops.convert_to_numpy(head.loss(y, mean_logits(head, h.astype("float64"), w)))
    return float(np.mean(each if weights is None else each * weights))


def equal(k):
    return np.full(k, 1 / k)


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("extras", [False, True], ids=["plain", "weighted and penalised"])
def test_no_point_of_a_grid_is_better(name, extras):
    head, y, h = problem(name)
    gamma = np.array([0.0, 0.02, 0.05]) * extras
    weights = RNG.uniform(0, 2, ROWS) if extras else None
    weights = weights / weights.mean() if extras else None
    tau, towards = (0.3, equal(3)) if extras else (0.0, equal(3))
    found = SOLVERS[name].solve(
        h, y, starts=[equal(3)], gamma=gamma, weights=weights,
        shrinkage=lambda first: (tau, towards),
    )  # fmt: skip

    def objective(w):
        return value(head, y, h, w, weights) + gamma @ w + tau / 2 * np.sum((w - towards) ** 2)

    assert found.residual <= 1e-9 and found.weights.sum() == pytest.approx(1, abs=1e-12)
    assert found.objective == pytest.approx(objective(found.weights), abs=1e-10)
    steps = np.arange(11) / 10
    grid = [np.array([a, b, 1 - a - b]) for a in steps for b in steps if a + b <= 1 + 1e-9]
    grid += list(found.weights + 1e-3 * (np.eye(3) - found.weights))
    assert found.objective <= min(objective(np.maximum(w, 0)) for w in grid) + 1e-10


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), members=st.integers(1, 9), rows=st.sampled_from([1, 2, 40, 300]))
def test_it_is_within_its_gap_of_expectation_maximisation(seed, members, rows):
    head, y, h = problem("classes", members, rows, seed)
    found = SOLVERS["classes"].solve(h, y, starts=[equal(members)], gamma=np.zeros(members))
    p = special.softmax(h.astype("float64"), axis=2)[np.arange(rows), :, y]
    w = equal(members)
    for _ in range(200):
        w = w * np.mean(p / (p @ w)[:, None], axis=0)
    em, alone = -np.mean(np.log(p @ w)), -np.mean(np.log(p), axis=0)
    assert found.objective <= min(em, alone.min(), -np.mean(np.log(p @ equal(members)))) + 1e-8
    # The first-order conditions, from the closed form of the gradient.
    slope = -np.mean(p / (p @ found.weights)[:, None], axis=0)
    assert (found.weights >= 0).all() and slope @ found.weights - slope.min() <= 1e-8


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 12))
def test_the_inner_problem_meets_its_conditions(seed, size):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size))
    h, q = root @ root.T + 0.1 * np.eye(size), 3 * rng.normal(size=size)
    z = _least_on_simplex(h, q, rng.dirichlet(np.ones(size)))
    slope = h @ z + q
    assert z.sum() == pytest.approx(1) and (z >= 0).all()
    assert slope @ z - slope.min() <= 1e-8 * max(1, np.abs(slope).max())


def test_useless_members_weigh_exactly_nothing():
    head, y, h = problem("classes", 6, 2000)
    h[:, 3:] = RNG.normal(size=(2000, 3, 3))
    found = SOLVERS["classes"].solve(h, y, starts=[equal(6)], gamma=np.zeros(6))
    assert (found.weights[3:] == 0).all() and (found.weights[:3] > 0).all()


def test_rows_in_pieces_give_the_same_weights(monkeypatch):
    from adaptive_nets import _pieces

    head, y, h = problem("classes", 4, 3000)
    whole = SOLVERS["classes"].solve(h, y, starts=[equal(4)], gamma=np.zeros(4))
    monkeypatch.setattr(_pieces, "PIECE_NUMBERS", 18 * 100)
    parts = SOLVERS["classes"].solve(h, y, starts=[equal(4)], gamma=np.zeros(4))
    np.testing.assert_allclose(parts.weights, whole.weights, atol=1e-5)


# The ensembler --------------------------------------------------------------------------------


def members(count):
    return tuple(Member(f"1_m{k}", 1, None, k + 1, float(k + 1)) for k in range(count))


def fitted(name, count=3, rows=ROWS, start=None, scale=None, **options):
    head, y, h = problem(name, count, rows)
    ensembler = ProbabilityEnsembler(**options).for_head(head)
    if scale is not None:
        ensembler = ensembler.relative_to(scale)
    outputs = [{"logits": h[:, j]} for j in range(count)]
    mixture = ensembler.fit(outputs, y, None, members=members(count), start=start, loss=head.loss)
    return ensembler, mixture, outputs, (head, y, h)


@pytest.mark.parametrize("name", HEADS)
def test_layers_compute_what_apply_computes_and_load_alone(name, tmp_path, python):
    ensembler, _, outputs, (head, _, h) = fitted(name)
    weights = np.array([0.5, 0.0, 0.5])
    mixture = Mixture(tuple(weights))
    applied = ensembler.apply(mixture, outputs)
    np.testing.assert_allclose(applied, mean_logits(head, h.astype("float64"), weights), atol=1e-9)
    inputs = [{"logits": keras.Input(o["logits"].shape[1:])} for o in outputs]
    model = keras.Model([i["logits"] for i in inputs], ensembler.build(mixture, inputs))
    found = model.predict(list(h.swapaxes(0, 1)), verbose=0)
    np.testing.assert_allclose(found, applied, rtol=1e-5, atol=2e-5)
    if name == "several":
        model.save(tmp_path / "m.keras")
        code = "import keras, sys; keras.saving.load_model(sys.argv[1])"
        python.run("-c", code, str(tmp_path / "m.keras"), package=False)


def test_few_rows_are_drawn_towards_equal_weights():
    def distance(**options):
        _, mixture, *_ = fitted("classes", **options)
        return np.abs(np.array(mixture.weights) - 1 / 3).max()

    free = distance(shrinkage=0.0)
    assert distance(shrinkage=1e6) < 1e-4 < distance(shrinkage=3.0) < distance() < free
    # With many rows it hardly counts.
    assert abs(distance(rows=20_000) - distance(rows=20_000, shrinkage=0.0)) < 5e-3


def test_regression_does_not_depend_on_the_unit_of_the_targets():
    head, y, h = problem("numbers")
    found = []
    for unit in (1.0, 1e-3):
        given = [{"logits": (unit * h[:, j])} for j in range(3)]
        labels = (unit * y).astype("float32")
        ensembler = ProbabilityEnsembler(Penalty(0.05)).for_head(head)
        ensembler = ensembler.relative_to(head.loss_scale(labels))
        mixture = ensembler.fit(given, labels, None, members=members(3), start=None, loss=head.loss)
        found.append((mixture.weights, mixture.penalty / unit**2))
    np.testing.assert_allclose(found[0][0], found[1][0], atol=1e-4)
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-4)


def test_refit_new_keeps_the_proportions_of_the_old():
    start = Mixture((np.float64(0.75), np.float64(0.25)))
    gamma = Penalty(0.01)
    _, mixture, _, (head, y, h) = fitted("classes", start=start, refit="new", gamma=gamma)
    w = np.array(mixture.weights)
    assert w[0] == pytest.approx(3 * w[1]) and 0 < w[2] < 1 and w.sum() == pytest.approx(1)
    assert mixture.penalty == pytest.approx(w @ [0.01, 0.02, 0.03])
    _, free, *_ = fitted("classes", start=start, gamma=gamma)
    assert value(head, y, h, np.array(free.weights)) <= value(head, y, h, w) + 0.02


def test_one_member_is_left_as_it_is():
    ensembler, mixture, outputs, (_, _, h) = fitted("classes", 1)
    assert mixture.weights == (1.0,)
    np.testing.assert_array_equal(ensembler.apply(mixture, outputs), h[:, 0])


def test_a_stream_is_weighed_chunk_by_chunk():
    head, y, h = problem("classes", 3, 12_000)
    ensembler = ProbabilityEnsembler(shrinkage=0.0).for_head(head)
    cut = [slice(k, k + 1000) for k in range(0, 12_000, 1000)]
    chunks = (([{"logits": h[s, j]} for j in range(3)], y[s], None) for s in cut)
    mixture = ensembler.fit_stream(chunks, members=members(3), start=None, loss=head.loss)
    w = np.array(mixture.weights)
    best = SOLVERS["classes"].solve(h, y, starts=[equal(3)], gamma=np.zeros(3))
    assert w.sum() == pytest.approx(1)
    assert value(head, y, h, w) <= best.objective + 2e-3


def test_greedy_selection_is_that_of_its_description():
    head, y, h = problem("classes", 4)
    ensembler = GreedyEnsembler(Penalty(0.01), steps=12).for_head(head)
    outputs = [{"logits": h[:, j]} for j in range(4)]
    mixture = ensembler.fit(outputs, y, None, members=members(4), start=None, loss=head.loss)
    p = special.softmax(h.astype("float64"), axis=2)[np.arange(ROWS), :, y]
    gamma, chosen, known = 0.01 * np.arange(1, 5), [], []
    for step in range(1, 13):
        counts = np.bincount(chosen, minlength=4) + np.eye(4)
        values = [-np.mean(np.log(p @ (c / step))) + gamma @ (c / step) for c in counts]
        chosen.append(int(np.argmin(values)))
        known.append((min(values), counts[chosen[-1]] / step))
    best, w = min(known, key=lambda each: each[0])
    np.testing.assert_allclose(mixture.weights, w, atol=1e-12)
    exact = SOLVERS["classes"].solve(h, y, starts=[equal(4)], gamma=gamma)
    assert exact.objective - 1e-8 <= best <= exact.objective + 0.02
    assert mixture.penalty == pytest.approx(gamma @ w)


# A search -------------------------------------------------------------------------------------

X = RNG.normal(size=(120, 4)).astype("float32")
Y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int) + (X[:, 3] > 0.5)


def search(folder=None, **more):
    given = {"max_iterations": 2, "steps_per_iteration": 30, "force_grow": True, **more}
    return an.AdaNet(
        an.heads.MultiClass(), an.generators.Dense(6, depths=[1]), training="independent",
        mixture_weights="probability", adanet_lambda=1e-3, seed=0, model_dir=folder, **given,
    )  # fmt: skip


def test_a_search_is_stored_goes_on_and_is_served(tmp_path):
    first = search(tmp_path / "a", max_iterations=1).fit(X, Y, batch_size=20, verbose=0)
    whole = search().fit(X, Y, batch_size=20, verbose=0)
    loaded = an.AdaNet.load(tmp_path / "a", max_iterations=2)
    np.testing.assert_array_equal(loaded.predict(X), first.predict(X))
    loaded.fit(X, Y, batch_size=20, verbose=0)
    np.testing.assert_array_equal(loaded.predict(X), whole.predict(X))
    frame = loaded.member_weights()
    assert frame["weight"].sum() == pytest.approx(1) and len(frame) == 2
    # What is reported is what the served model does.
    row = loaded.leaderboard().query("round == 2 and status == 'selected'").iloc[0]
    logits = np.asarray(loaded.model(X), "float64")
    loss = -special.log_softmax(logits, axis=1)[np.arange(len(Y)), Y].mean()
    assert row["loss"] == pytest.approx(loss, abs=1e-5)
    assert row["objective"] == pytest.approx(row["loss"] + row["penalty"], abs=1e-12)
    assert all(
        not type(layer).__module__.startswith("adaptive_nets") for layer in loaded.model.layers
    )
    with pytest.raises(ValueError, match="Cannot fuse the ensemble.*ProbabilityEnsembler"):
        loaded.fuse()


def test_without_a_head_it_does_not_guess():
    outputs = [{"logits": np.zeros((2, 3))}] * 2
    with pytest.raises(ValueError, match="which it has not been told. Use search.context.ensem"):
        ProbabilityEnsembler().apply(Mixture((0.5, 0.5)), outputs)


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"training": "residual"}, r"\A[^\n]*predict on its own: pass training='independent'"),
        ({"mixture_bias": True}, r"\Amixture_bias has no meaning[^\n]*Received: mixture_bias=True"),
    ],
)
def test_what_a_mean_cannot_do_is_refused(wrong, words):
    given = {"training": "independent", "mixture_weights": "probability", **wrong}
    with pytest.raises(ValueError, match=words):
        an.AdaNet(an.heads.MultiClass(), **given)


def test_weights_of_quantiles_are_those_of_the_linear_program_within_few_steps():
    """A pinball loss has a kink for each row, so that no gradient tells where the minimum is."""
    levels = np.array([0.1, 0.5, 0.9])
    head, random = an.heads.Quantile(list(levels)), np.random.default_rng(0)
    rows, members = 150, 4
    y = random.gamma(2, 1, rows)
    known = (y[:, None] - 2) * random.uniform(0.1, 0.6, members)
    noise = random.normal(0, 0.3, (rows, members, len(levels)))
    outputs = np.sort(np.quantile(y, levels) + known[:, :, None] + noise, axis=2)
    solver = SimplexSolver(head.loss, head.mean_of)
    start = [np.full(members, 1 / members)]
    found = solver.solve(outputs, head.encode(y), starts=start, gamma=np.zeros(members))
    # As a linear program: weights, and how far each quantile is below and above each value.
    flat, count = outputs.transpose(0, 2, 1).reshape(-1, members), rows * len(levels)
    total = np.concatenate([np.ones(members), np.zeros(2 * count)])
    program = optimize.linprog(
        np.concatenate([np.zeros(members), np.tile(levels, rows), np.tile(1 - levels, rows)]),
        A_eq=np.vstack([np.hstack([flat, np.eye(count), -np.eye(count)]), total]),
        b_eq=np.append(np.repeat(y, len(levels)), 1),
    )
    assert found.objective == pytest.approx(program.fun / count, abs=1e-8)
    assert found.iterations < 100
