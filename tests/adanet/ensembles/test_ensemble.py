"""Ensemblers: what they fit, that arrays and layers agree, and what a user may write."""

import keras
import numpy as np
import pytest
from mixture_equations import EQUATIONS, of_one, reads_last_layer, shape

import adaptive_nets as an
from adaptive_nets.adanet.ensembles.ensemble import Ensemble, Mixture
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.ensembles.mixture_ensembler import MixtureEnsembler
from adaptive_nets.adanet.ensembles.uniform import UniformEnsembler

ROWS, UNITS = 120, 3
HEAD = an.heads.MultiClass(UNITS)
# One loss object for all tests, so that an ensembler is traced once.
LOSS = HEAD.loss
LABELS = np.random.default_rng(3).integers(0, UNITS, ROWS).astype("int32")


def gamma(r):
    return 0.01 * r + 0.002


def outputs(count, rows=ROWS, seed=0):
    """Members' outputs: noisy votes for the label, with last layers of different widths."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(count):
        logits = rng.normal(size=(rows, UNITS)) + (k + 1) / 2 * np.eye(UNITS)[LABELS[:rows]]
        last = np.concatenate([logits, rng.normal(size=(rows, k + 1))], axis=1)
        found.append({"logits": logits.astype("float32"), "last_layer": last.astype("float32")})
    return found


def members(count):
    return tuple(Member(f"1_m{k}", 1, None, k + 1, float(k + 1)) for k in range(count))


def cross_entropy(logits, labels=LABELS):
    logits = logits - logits.max(axis=1, keepdims=True)
    each = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]
    return each


def layers_of(ensembler, mixture, given):
    inputs = [{k: keras.Input(v.shape[1:]) for k, v in o.items()} for o in given]
    model = keras.Model(inputs, ensembler.build(mixture, inputs))
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)
    return keras.ops.convert_to_numpy(model(given, training=False))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("kind", EQUATIONS)
def test_the_layers_compute_what_apply_computes(kind, use_bias, count):
    ensembler = MixtureEnsembler(kind, gamma, use_bias)
    given, rng = outputs(count), np.random.default_rng(1)
    shapes = [shape(kind, UNITS, features=o["last_layer"].shape[1]) for o in given]
    bias = rng.normal(size=UNITS) if use_bias else None
    mixture = Mixture(tuple(rng.normal(size=s) for s in shapes), bias)
    read = "last_layer" if reads_last_layer(kind) else "logits"
    expected = np.zeros((ROWS, UNITS)) if bias is None else np.tile(bias, (ROWS, 1))
    for w, out in zip(mixture.weights, given, strict=True):
        expected = expected + np.einsum(of_one(kind), out[read].astype("float64"), w)
    applied = ensembler.apply(mixture, given)
    assert applied.dtype == np.float64 and ensembler.reads_last_layer == reads_last_layer(kind)
    np.testing.assert_allclose(applied, expected, atol=1e-12)
    np.testing.assert_allclose(layers_of(ensembler, mixture, given), applied, atol=5e-6)


@pytest.mark.parametrize("count", [1, 3])
def test_the_uniform_layers_compute_the_plain_average(count):
    ensembler, given = UniformEnsembler(gamma), outputs(count)
    mixture = ensembler.fit(given, LABELS, None, members=members(count), start=None, loss=LOSS)
    average = sum(o["logits"].astype("float64") for o in given) / count
    np.testing.assert_allclose(ensembler.apply(mixture, given), average, atol=1e-12)
    np.testing.assert_allclose(layers_of(ensembler, mixture, given), average, atol=1e-6)
    assert mixture.weights == (1 / count,) * count
    # A member that joins n others is trained as part of the average of n + 1.
    assert ensembler.scales(count) == (count / (count + 1), 1 / (count + 1))
    by_hand = sum(gamma(k + 1) / count for k in range(count))
    assert mixture.penalty == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("kind", EQUATIONS)
def test_the_penalty_is_counted_once(kind, use_bias):
    ensembler, given = MixtureEnsembler(kind, gamma, use_bias), outputs(2)
    weights = np.random.default_rng(2).uniform(0, 2, ROWS)
    weights = weights / weights.mean()
    mixture = ensembler.fit(given, LABELS, weights, members=members(2), start=None, loss=LOSS)
    by_hand = sum(gamma(k + 1) * np.abs(w).sum() for k, w in enumerate(mixture.weights))
    assert mixture.penalty == pytest.approx(by_hand, rel=1e-12)
    assert mixture.norms() == [np.abs(w).sum() for w in mixture.weights]
    assert (mixture.bias is not None) == use_bias

    def objective(scale, shift):
        w = tuple(w * scale for w in mixture.weights)
        bias = None if mixture.bias is None else mixture.bias + shift
        logits = ensembler.apply(Mixture(w, bias), given)
        return np.mean(weights * cross_entropy(logits)) + scale * by_hand

    # F = loss + Σ Γ_j ||w_j||_1 is at its minimum, and would not be with Γ counted twice.
    least = objective(1.0, 0.0)
    for step in (1e-2, 1e-3):
        assert least < objective(1 + step, 0.0) and least < objective(1 - step, 0.0)
        if use_bias:
            assert least < objective(1.0, step * np.eye(UNITS)[0])
            assert least < objective(1.0, -step * np.eye(UNITS)[0])


@pytest.mark.parametrize("kind", EQUATIONS)
def test_refit_new_keeps_old_weights_bit_for_bit(kind):
    given, known = outputs(3), members(3)
    arguments = {"members": known[:2], "start": None, "loss": LOSS}
    solved = {}
    for refit in ("all", "new"):
        ensembler = MixtureEnsembler(kind, gamma, use_bias=True, refit=refit)
        start = ensembler.fit(given[:2], LABELS, None, **arguments)
        solved[refit] = ensembler.fit(given, LABELS, None, members=known, start=start, loss=LOSS)
        kept = [
            np.array_equal(a, b)
            for a, b in zip(start.weights, solved[refit].weights[:2], strict=True)
        ]
        assert all(kept) == (refit == "new")
    losses = {
        refit: np.mean(cross_entropy(ensembler.apply(m, given))) + m.penalty
        for refit, m in solved.items()
    }
    before = np.mean(cross_entropy(ensembler.apply(start, given[:2]))) + start.penalty
    # Each Γ goes to its own member: the new weight is where its own F is least.
    *old, new = solved["new"].weights
    for step in (1e-2, -1e-2):
        moved = Mixture((*old, new * (1 + step)), solved["new"].bias)
        penalty = solved["new"].penalty + step * gamma(3) * np.abs(new).sum()
        assert np.mean(cross_entropy(ensembler.apply(moved, given))) + penalty > losses["new"]
    # The third member votes best: both gain by it, and solving for all weights gains more.
    assert losses["all"] < losses["new"] < before


def test_one_ensembler_may_serve_two_losses():
    ensembler, given = MixtureEnsembler("scalar", gamma), outputs(2)
    arguments = {"members": members(2), "start": None}
    plain = ensembler.fit(given, LABELS, None, loss=LOSS, **arguments)
    smooth = an.heads.MultiClass(UNITS, label_smoothing=0.3).loss
    other = ensembler.fit(given, LABELS, None, loss=smooth, **arguments)
    alone = MixtureEnsembler("scalar", gamma).fit(given, LABELS, None, loss=smooth, **arguments)
    np.testing.assert_allclose(other.weights, alone.weights, atol=1e-8)
    assert np.abs(np.subtract(plain.weights, other.weights)).max() > 0.01


@pytest.mark.parametrize("kind", ["scalar", "matrix"])
def test_a_stream_gives_nearly_the_finite_solution(kind):
    given, rng = outputs(2), np.random.default_rng(5)
    ensembler = MixtureEnsembler(kind, gamma, use_bias=True)
    arguments = {"members": members(2), "start": None, "loss": LOSS}

    def chunks():
        for _ in range(40):
            rows = rng.integers(0, ROWS, 60)
            yield [{k: v[rows] for k, v in o.items()} for o in given], LABELS[rows], None

    def objective(mixture):
        return np.mean(cross_entropy(ensembler.apply(mixture, given))) + mixture.penalty

    exact = ensembler.fit(given, LABELS, None, **arguments)
    if kind == "scalar":
        # A bad start: what is averaged no longer remembers it.
        arguments["start"] = Mixture((np.float64(-6), np.float64(9)), np.zeros(UNITS))
    streamed = ensembler.fit_stream(chunks(), **arguments)
    first = ensembler.fit_stream([next(chunks())], **arguments)
    assert objective(exact) <= objective(streamed) < objective(exact) + 0.02
    assert objective(streamed) - objective(exact) < 0.5 * (objective(first) - objective(exact))


def test_unknown_mixture_weights_are_refused():
    with pytest.raises(ValueError, match="kind must be one of .* Received: kind=.tensor."):
        MixtureEnsembler("tensor", gamma)


def test_an_ensemble_knows_its_depth_and_size():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    found = tuple(Member(f"1_m{k}", 1, model, k, 1.0) for k in (2, 5))
    ensemble = Ensemble("grow", 1, found, Mixture((np.float64(1),) * 2), 0.5)
    assert ensemble.depth == 5 and ensemble.parameters == 2 * 15
    assert found[0].builder == "m2"


class Loudest(an.adanet.Ensembler):
    """What a user may write: each logit is the largest that any member gives."""

    def fit(self, outputs, labels, weights, *, members, start, loss):
        return Mixture((np.float64(1.0),) * len(members), None, 0.25 * len(members))

    def apply(self, mixture, outputs):
        return np.max([np.asarray(o["logits"], "float64") for o in outputs], axis=0)

    def build(self, mixture, outputs):
        logits = [o["logits"] for o in outputs]
        return keras.layers.Maximum()(logits) if len(logits) > 1 else logits[0]


def test_an_ensembler_without_its_three_methods_is_not_made():
    with pytest.raises(TypeError, match="apply.*build.*fit"):
        an.adanet.Ensembler()


def test_a_users_ensembler_decides_objective_and_model():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 4)).astype("float32")
    y = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)
    search = an.AdaNet(
        an.heads.MultiClass(), an.generators.Dense(8), max_iterations=2,
        steps_per_iteration=20, mixture_weights=Loudest(), force_grow=True, seed=0,
        preprocessing=None,
    )  # fmt: skip
    search.fit(x, y, verbose=0)
    best = search.leaderboard().query("status == 'selected' and round == 2").iloc[0]
    assert best.penalty == 0.5 and best.objective == pytest.approx(best.loss + 0.5, abs=1e-12)
    members_ = search.ensemble.members
    assert len(members_) == 2
    each = [np.asarray(m.model(x)["logits"], "float64") for m in members_]
    np.testing.assert_allclose(search.model(x), np.maximum(*each), atol=1e-5)
    assert best.loss == pytest.approx(cross_entropy(np.maximum(*each), y).mean(), abs=1e-5)
