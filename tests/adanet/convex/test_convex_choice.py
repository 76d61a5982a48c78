"""λ and the number of layers by rows that are held out."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from adaptive_nets.adanet.convex.choice import FALLBACK, LAMBDAS
from adaptive_nets.adanet.convex.classifier import ConvexAdaNet

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4))
Y = (X[:, 0] + 0.5 * RNG.normal(size=90) > 0).astype(int)


def test_a_hard_problem_has_two_layers():
    x, digit = load_digits(return_X_y=True)
    hard = ConvexAdaNet(max_iterations=100).fit(x[:600] / 8, digit[:600] % 2)
    assert hard.depth_ == 2 and hard.adanet_lambda_ in LAMBDAS


def test_the_network_is_that_of_the_chosen_lambda():
    chosen = ConvexAdaNet(max_depth=1).fit(X, Y)
    same = ConvexAdaNet(max_depth=1, adanet_lambda=chosen.adanet_lambda_).fit(X, Y)
    np.testing.assert_array_equal(chosen.decision_function(X), same.decision_function(X))


def test_noise_gets_a_larger_lambda_than_what_can_be_learnt():
    noise = ConvexAdaNet().fit(X, RNG.integers(0, 2, 90))
    assert noise.adanet_lambda_ >= ConvexAdaNet().fit(X, Y).adanet_lambda_


def test_it_is_the_same_for_weights_repeated_rows_and_any_order():
    counts = RNG.integers(1, 4, len(X))
    weighted = ConvexAdaNet().fit(X, Y, sample_weight=counts)
    order = RNG.permutation(counts.sum())
    x, y = np.repeat(X, counts, axis=0)[order], np.repeat(Y, counts)[order]
    repeated = ConvexAdaNet().fit(x, y)
    assert weighted.adanet_lambda_ == repeated.adanet_lambda_
    np.testing.assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), atol=1e-8
    )


def test_few_rows_are_not_held_out():
    assert ConvexAdaNet().fit(X[:12], np.arange(12) % 2).adanet_lambda_ == FALLBACK


def test_another_word_is_refused():
    with pytest.raises(ValueError, match="adanet_lambda must be"):
        ConvexAdaNet(adanet_lambda="best").fit(X, Y)
