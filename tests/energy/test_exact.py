"""Energies, probabilities and gradients against enumeration in float64."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats
from scipy.special import expit, logsumexp

from adaptive_nets.energy.energies import free_energy
from adaptive_nets.energy.gibbs import draw_numbers, gibbs_step
from adaptive_nets.energy.order import Parameters

pytestmark = [pytest.mark.backend_agnostic, pytest.mark.usefixtures("double")]
VISIBLE, UNITS, BETA = 4, 3, 1.3
STATES = np.array(list(itertools.product((0.0, 1.0), repeat=VISIBLE)))
RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(UNITS, VISIBLE))
HIDDEN, BIAS = RNG.normal(size=UNITS), RNG.normal(size=VISIBLE)


def softplus(x):
    return np.logaddexp(0, x)


@pytest.fixture
def model_of(filled):
    def make(kind, kernel=KERNEL, hidden=HIDDEN, **settings):
        return filled(kind, kernel, hidden, BIAS, BETA, **settings)

    return make


def log_terms(kind, v, kernel=KERNEL, hidden=HIDDEN):
    """ln of the sum over h of exp(h·(W v + b) - price), one a z; of units padded with zeros."""
    if kind == "infinite":
        more = 600 - len(kernel)
        kernel, hidden = np.pad(kernel, ((0, more), (0, 0))), np.pad(hidden, (0, more))
    a = kernel @ v + hidden
    if kind == "plain":
        return np.array([softplus(a).sum()])
    return np.cumsum(softplus(a) - BETA * softplus(hidden))


def free_energies(kind):
    return np.array([-BIAS @ v - logsumexp(log_terms(kind, v)) for v in STATES])


KINDS = ("plain", "ordered", "infinite")


def test_the_sum_over_hidden_states_is_enumerated_too():
    """The reference itself: softplus is the sum over h of each unit."""
    for v in STATES[:5]:
        total = []
        for z in range(1, UNITS + 1):
            for h in itertools.product((0.0, 1.0), repeat=z):
                a = KERNEL[:z] @ v + HIDDEN[:z]
                total.append(np.dot(h, a) - BETA * softplus(HIDDEN[:z]).sum())
        assert logsumexp(total) == pytest.approx(logsumexp(log_terms("ordered", v)), abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_free_energies(kind, model_of):
    found = ops.convert_to_numpy(model_of(kind).free_energy(STATES))
    np.testing.assert_allclose(found, free_energies(kind), atol=1e-9)


def test_real_units_have_their_quadratic_energy(model_of):
    model = model_of("plain", visible="gaussian")
    v = RNG.normal(size=(5, VISIBLE))
    expected = 0.5 * ((v - BIAS) ** 2).sum(1) - softplus(v @ KERNEL.T + HIDDEN).sum(1)
    np.testing.assert_allclose(ops.convert_to_numpy(model.free_energy(v)), expected, atol=1e-9)


@pytest.mark.parametrize("kind", ["ordered", "infinite"])
def test_how_many_units_take_part(kind, model_of):
    """P(z >= i | v), in which the last trained unit of infinitely many stands for all behind it."""
    model = model_of(kind)
    p = model.parameters
    found = ops.convert_to_numpy(model.order.present(p.inputs(ops.convert_to_tensor(STATES)), p))
    for row, v in zip(found, STATES, strict=True):
        shares = np.exp(log_terms(kind, v) - logsumexp(log_terms(kind, v)))
        expected = np.cumsum(shares[::-1])[::-1][:UNITS]
        np.testing.assert_allclose(row[:UNITS], expected, atol=1e-9)
        np.testing.assert_allclose(row[UNITS:], 0, atol=1e-12)
    # Draws follow it: a uniform draw u gives the first z whose share of those up to it exceeds u.
    uniform = (np.arange(2000) + 0.5) / 2000
    v = np.tile(STATES[5], (2000, 1))
    _, z = model.order.draw(p.inputs(ops.convert_to_tensor(v)), p, ops.convert_to_tensor(uniform))
    counts = np.bincount(ops.convert_to_numpy(z), minlength=UNITS + 1)[1:] / 2000
    reached = np.append(found[5][:UNITS], 0.0)
    np.testing.assert_allclose(counts, reached[:-1] - reached[1:], atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind, model_of):
    """Of F for every row, by formula: -q σ v for W, -q (σ(a) - β σ(b)) for b, -v for c."""
    model = model_of(kind)
    for number in (3, 9):
        v = STATES[number]
        a = KERNEL @ v + HIDDEN
        q = np.ones(UNITS)
        if kind != "plain":
            shares = np.exp(log_terms(kind, v) - logsumexp(log_terms(kind, v)))
            q = np.cumsum(shares[::-1])[::-1][:UNITS]
        price = 0 if kind == "plain" else BETA * expit(HIDDEN)
        expected = (-np.outer(q * expit(a), v), -q * (expit(a) - price), -v)
        found = gradients(model, v[None])
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one.T[: len(other)], other, atol=1e-9)


def gradients(model, v):
    """Of the free energy, for kernel, hidden bias and visible bias."""
    p = model.parameters
    values = [x + 0.0 for x in (p.kernel, p.hidden_bias, p.visible_bias)]
    rows = ops.convert_to_tensor(v)
    if keras.backend.backend() == "jax":
        import jax

        def energy(values):
            return free_energy(model, rows, Parameters(*values, p.units)).sum()

        found = jax.grad(energy)(values)
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(values)
            total = tf.reduce_sum(free_energy(model, rows, Parameters(*values, p.units)))
        found = tape.gradient(total, values)
    return [ops.convert_to_numpy(each) for each in found]


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_of_zeros_changes_no_energy_of_infinitely_many(kind, model_of):
    more = (np.pad(KERNEL, ((0, 1), (0, 0))), np.pad(HIDDEN, (0, 1)))
    one, other = (
        ops.convert_to_numpy(m.free_energy(STATES)) for m in (model_of(kind), model_of(kind, *more))
    )
    changes = np.abs((one - one.mean()) - (other - other.mean())).max()
    assert (changes <= 1e-9) == (kind != "ordered")
    if kind == "infinite":
        np.testing.assert_allclose(one, other, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_chain_ends_in_the_models_distribution(kind, model_of):
    """Chi-square of 40,000 independent chains of 30 steps against enumeration."""
    model = model_of(kind)
    p, rows = model.parameters, 40_000
    v = ops.convert_to_tensor(np.random.default_rng(1).integers(0, 2, (rows, VISIBLE)) * 1.0)
    for _ in range(30):
        v, _ = gibbs_step(model, v, p, draw_numbers(model, rows, model.capacity))
    codes = (ops.convert_to_numpy(v) @ (1 << np.arange(VISIBLE)[::-1])).astype(int)
    counts = np.bincount(codes, minlength=len(STATES))
    energies = free_energies(kind)
    expected = rows * np.exp(-energies - logsumexp(-energies))
    assert stats.chisquare(counts, expected).pvalue > 1e-3


def test_real_units_have_their_distribution(model_of):
    """Mean and covariance of long chains against the mixture over hidden states."""
    kernel = 0.7 * KERNEL
    model = model_of("plain", kernel, visible="gaussian")
    p, rows = model.parameters, 40_000
    v = ops.convert_to_tensor(np.zeros((rows, VISIBLE)))
    for _ in range(40):
        v, _ = gibbs_step(model, v, p, draw_numbers(model, rows, model.capacity))
    states = np.array(list(itertools.product((0.0, 1.0), repeat=UNITS)))
    centres = BIAS + states @ kernel
    logs = states @ HIDDEN + 0.5 * (centres**2 - BIAS**2).sum(1)
    shares = np.exp(logs - logsumexp(logs))
    mean = shares @ centres
    spread = np.einsum("s,si,sj->ij", shares, centres - mean, centres - mean) + np.eye(VISIBLE)
    found = ops.convert_to_numpy(v)
    np.testing.assert_allclose(found.mean(0), mean, atol=0.03)
    np.testing.assert_allclose(np.cov(found.T), spread, atol=0.05)
