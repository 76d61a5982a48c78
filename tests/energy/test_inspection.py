"""Pseudo-likelihood, samples, reconstructions and units, against enumeration and scikit-learn."""

import itertools

import keras
import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logsumexp
from sklearn.neural_network import BernoulliRBM

import adaptive_nets as an
from adaptive_nets.energy.inspection import contributions, gains

pytestmark = pytest.mark.backend_agnostic
RNG = np.random.default_rng(0)
KINDS = ("plain", "ordered", "infinite")
KERNEL, HIDDEN, BIAS = RNG.normal(size=(5, 6)), RNG.normal(size=5), RNG.normal(size=6)
STATES = np.array(list(itertools.product((0.0, 1.0), repeat=6)), "float32")


def energies(model):
    return keras.ops.convert_to_numpy(model.free_energy(STATES)).astype("float64")


@pytest.mark.parametrize("kind", KINDS)
def test_pseudo_likelihoods_are_those_of_the_enumerated_conditionals(kind, filled):
    model = filled(kind, KERNEL, HIDDEN, BIAS)
    found, energy = model.pseudo_likelihood(STATES), energies(model)
    codes = (STATES @ (1 << np.arange(6)[::-1])).astype(int)
    np.testing.assert_array_equal(codes, np.arange(64))
    for code in range(64):
        flipped = [energy[code ^ (1 << i)] for i in range(6)]
        expected = sum(-np.logaddexp(0, energy[code] - other) for other in flipped)
        assert found[code] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_have_the_models_distribution(kind, filled):
    model = filled(kind, KERNEL, HIDDEN, BIAS)
    drawn = model.sample(20_000, 40, seed=1)
    np.testing.assert_array_equal(drawn[:50], model.sample(20_000, 40, seed=1)[:50])
    codes = (drawn @ (1 << np.arange(6)[::-1])).astype(int)
    energy = energies(model)
    expected = 20_000 * np.exp(-energy - logsumexp(-energy))
    few = expected < 5
    counts = np.bincount(codes, minlength=64)
    joined = [np.append(each[~few], each[few].sum() + 1) for each in (counts, expected)]
    assert stats.chisquare(*joined).pvalue > 1e-3


def test_it_is_scikit_learns_machine(filled):
    model = filled("plain", KERNEL, HIDDEN, BIAS)
    theirs = BernoulliRBM(5)
    theirs.components_, theirs.intercept_hidden_ = KERNEL, HIDDEN
    theirs.intercept_visible_, theirs._n_features_out = BIAS, 5
    np.testing.assert_allclose(energies(model), theirs._free_energy(STATES), atol=1e-4)
    np.testing.assert_allclose(model.transform(STATES), theirs.transform(STATES), atol=1e-5)


def test_reconstructions_and_contributions_by_hand(filled):
    model = filled("plain", KERNEL, HIDDEN, BIAS)
    hidden = expit(STATES @ KERNEL.T + HIDDEN)
    expected = expit(hidden @ KERNEL + BIAS)
    np.testing.assert_allclose(model.reconstruct(STATES), expected, atol=1e-5)
    added = np.logaddexp(0, STATES @ KERNEL.T + HIDDEN) - np.logaddexp(0, HIDDEN)
    np.testing.assert_allclose(contributions(model, STATES), np.abs(added).mean(0), atol=1e-5)


def test_units_without_weights_are_not_effective(filled):
    """Of samples of a model all its units with weights are needed, and none of the others."""
    kernel = np.concatenate([3 * KERNEL, np.zeros((3, 6))])
    hidden = np.concatenate([HIDDEN, np.zeros(3)])
    for kind in ("plain", "infinite"):
        model = filled(kind, kernel, hidden, BIAS, beta=1.01)
        x = model.sample(2000, 100, seed=0)
        assert model.n_units == 8 and 0 < model.effective_units(x, 0.01) <= 5
        assert model.effective_units(x, 0.3) <= model.effective_units(x, 0.01)
        independent = RNG.permuted(x, axis=0)
        assert model.effective_units(independent) == 0
        with pytest.raises(ValueError, match=r"tolerance must be a finite number >= 0 and < 1"):
            model.effective_units(x, tolerance=-1)


def test_gains_are_differences_of_pseudo_likelihoods(filled):
    model = filled("plain", KERNEL, HIDDEN, BIAS)
    none = filled("plain", np.zeros((1, 6)), np.zeros(1), np.zeros(6))  # all means are a half
    expected = model.pseudo_likelihood(STATES) - none.pseudo_likelihood(STATES)
    np.testing.assert_allclose(gains(model, STATES, [5])[0], expected, atol=1e-4)
    largest = np.argsort(-contributions(model, STATES))[:2]
    few = filled("plain", KERNEL[largest], HIDDEN[largest], BIAS)
    expected = few.pseudo_likelihood(STATES) - none.pseudo_likelihood(STATES)
    np.testing.assert_allclose(gains(model, STATES, [2])[0], expected, atol=1e-4)


def test_real_units_have_no_pseudo_likelihood():
    model = an.energy.RBM(3, visible="gaussian", seed=0)
    model.build((None, 6))
    with pytest.raises(ValueError, match="needs binary visible units"):
        model.pseudo_likelihood(STATES)
