"""Partition functions: two enumerations agree, and annealing covers them."""

import itertools

import keras
import numpy as np
import pytest
from scipy.special import logsumexp

import adaptive_nets as an
from adaptive_nets.energy import likelihood

pytestmark = [pytest.mark.backend_agnostic, pytest.mark.usefixtures("double")]
RNG = np.random.default_rng(0)
KINDS = ("plain", "ordered", "infinite")
KERNEL, HIDDEN, BIAS = RNG.normal(size=(6, 8)), RNG.normal(size=6), RNG.normal(size=8)


@pytest.mark.parametrize("kind", KINDS)
def test_both_sides_give_the_same_partition(kind, filled):
    model = filled(kind, KERNEL, HIDDEN, BIAS)
    given = (model, *(np.asarray(x, "float64") for x in (KERNEL, HIDDEN, BIAS)))
    states = np.array(list(itertools.product((0.0, 1.0), repeat=8)))
    energies = keras.ops.convert_to_numpy(model.free_energy(states))
    expected = logsumexp(-energies)
    assert likelihood._over_hidden(*given) == pytest.approx(expected, abs=1e-9)
    assert likelihood._over_visible(*given) == pytest.approx(expected, abs=1e-9)
    found = model.log_likelihood(states[:9])
    assert found.method == "exact" and found.low == found.mean == found.high
    assert found.mean == pytest.approx(-energies[:9].mean() - expected, abs=1e-9)
    total = np.exp(-energies - found.log_partition).sum()
    assert total == pytest.approx(1, abs=1e-9)


def test_the_integral_of_real_units(filled):
    """On a grid in two dimensions."""
    model = filled("plain", KERNEL[:, :2], HIDDEN, BIAS[:2], visible="gaussian")
    axis = np.linspace(-15, 15, 301)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    energies = keras.ops.convert_to_numpy(model.free_energy(grid))
    expected = logsumexp(-energies) + 2 * np.log(axis[1] - axis[0])
    assert likelihood.exact_log_partition(model) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", [*KINDS, "gaussian"])
def test_annealing_covers_the_exact_value(kind, filled):
    settings = {"visible": "gaussian"} if kind == "gaussian" else {}
    kernel = KERNEL if kind != "gaussian" else 0.5 * KERNEL
    model = filled("plain" if settings else kind, kernel, HIDDEN, BIAS, **settings)
    exact = likelihood.exact_log_partition(model)
    covered, errors = 0, []
    for seed in range(100):
        found, low, high = likelihood.annealed_log_partition(model, 64, 48, seed)
        covered += low <= exact <= high
        errors.append(found - exact)
    assert covered >= 90
    # And it is near: not an interval that covers anything.
    assert np.std(errors) < 0.5 and abs(np.mean(errors)) < 0.2


def test_a_large_model_is_annealed_and_not_enumerated(filled):
    kernel = 0.1 * RNG.normal(size=(30, 40))
    model = filled("plain", kernel, np.zeros(30), np.zeros(40))
    x = RNG.integers(0, 2, (5, 40)).astype("float64")
    found = model.log_likelihood(x, chains=32, temperatures=64)
    assert found.method == "ais" and found.low < found.mean < found.high
    assert found == model.log_likelihood(x, chains=32, temperatures=64)
    with pytest.raises(ValueError, match="one side must have at most 20"):
        model.log_likelihood(x, "exact")
    with pytest.raises(ValueError, match="method must be one of"):
        model.log_likelihood(x, "guess")


def test_a_price_of_one_is_refused():
    for beta in (1, 1.0, 0.5, float("nan"), float("inf"), True, "1.1"):
        with pytest.raises(ValueError, match="beta must be a finite number > 1"):
            an.energy.InfiniteRBM(beta)
    # And near it the partition grows without bound.
    sizes = [an.energy.InfiniteRBM(beta).order.base(1) for beta in (1.1, 1.01, 1.001)]
    assert sizes[0] < sizes[1] - 2 < sizes[2] - 4
