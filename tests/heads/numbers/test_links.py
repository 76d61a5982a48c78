"""Heads of counts, positive values and fractions: closed forms, and targets that they refuse."""

import keras
import numpy as np
import pandas as pd
import pytest
from head_losses import loss64
from scipy.special import expit, xlogy
from sklearn import metrics

from adaptive_nets.heads import Gamma, Logistic, NegativeBinomial, Poisson, Tweedie

pytestmark = pytest.mark.backend_agnostic

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(60, 1))
MEANS = np.exp(LOGITS[:, 0])
COUNTS = RNG.poisson(2.0, 60).astype("float64")


@pytest.mark.parametrize("power", [1, 1.1, 1.5, 1.99, 2])
def test_half_the_deviance_of_scikit_learn(power):
    head = {1: Poisson(1), 2: Gamma(1)}.get(power) or Tweedie(power, 1)
    y = COUNTS + 0.5 if power == 2 else COUNTS
    expected = [
        metrics.mean_tweedie_deviance(y[i : i + 1], MEANS[i : i + 1], power=power) / 2
        for i in range(60)
    ]
    np.testing.assert_allclose(loss64(head, y, LOGITS), expected, rtol=1e-10, atol=1e-10)
    metric = head.metrics()["deviance"]
    metric.update_state(head.encode(y), LOGITS.astype("float32"))
    assert float(metric.result()) == pytest.approx(
        metrics.mean_tweedie_deviance(y, MEANS, power=power), rel=1e-5
    )


def test_the_negative_binomial_in_closed_form():
    a = 0.7
    log_likelihood = COUNTS * np.log(MEANS) - (COUNTS + 1 / a) * np.log1p(a * MEANS)
    best = xlogy(COUNTS, COUNTS) - (COUNTS + 1 / a) * np.log1p(a * COUNTS)
    found = loss64(NegativeBinomial(1, dispersion=a), COUNTS, LOGITS)
    np.testing.assert_allclose(found, best - log_likelihood, rtol=1e-10, atol=1e-12)


def test_the_bernoulli_in_closed_form():
    y = np.round(RNG.uniform(size=60), 2)
    y[:2] = 0, 1
    p = expit(LOGITS[:, 0])
    y = y.astype("float32").astype("float64")
    expected = xlogy(y, y / p) + xlogy(1 - y, (1 - y) / (1 - p))
    np.testing.assert_allclose(loss64(Logistic(1), y, LOGITS), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "head, mean",
    [
        (Poisson(1), np.exp),
        (Gamma(1), np.exp),
        (Tweedie(1.5, 1), np.exp),
        (NegativeBinomial(1, 0.5), np.exp),
        (Logistic(1), expit),
    ],
)
def test_the_best_constant_is_the_mean_and_the_loss_is_0_at_the_target(head, mean):
    y = (COUNTS + 1) / 12 if isinstance(head, Logistic) else COUNTS + 1.0
    offset, scale = head.output_range(head.encode(y))
    assert scale == [1.0]
    assert mean(offset[0]) == pytest.approx(y.mean(), rel=1e-6)
    at = [loss64(head, y, np.full((60, 1), offset[0] + d)).mean() for d in (-0.01, 0, 0.01)]
    assert at[1] < min(at[0], at[2])
    assert head.loss_scale(head.encode(y)).overall == pytest.approx(at[1], rel=1e-6)
    predicted = head.predictions(keras.ops.convert_to_tensor(LOGITS))["predictions"]
    np.testing.assert_allclose(predicted, mean(LOGITS), rtol=1e-6)
    exact = np.log(y / (1 - y)) if isinstance(head, Logistic) else np.log(y)
    assert np.abs(loss64(head, y, exact[:, None])).max() < 1e-6


def test_dispersion_is_learned_by_moments():
    y = RNG.negative_binomial(2.0, 0.25, 20_000)
    assert NegativeBinomial().adapt(y).dispersion == pytest.approx(0.5, rel=0.1)
    assert NegativeBinomial().adapt([1, 1, 1, 2]).dispersion == 1e-3


@pytest.mark.parametrize(
    "head, y, words",
    [
        (Poisson(), [1, 2, -1], "counts.*0 or more.*Received: -1 in row 2"),
        (Poisson(), pd.Series([0.5, -0.5]), "Received: -0.5 in row 1"),
        (NegativeBinomial(), [3, -2], "Received: -2 in row 1"),
        (Tweedie(), [0.0, -1e-9], "amounts.*Received: -1e-09 in row 1"),
        (Gamma(), [1.0, 0.0], "above 0.*Tweedie or Poisson.*Received: 0.0 in row 1"),
        (Gamma(), [1.0, 1e-60], "above 0 in float32.*1e-60"),
        (Logistic(), [0.5, 1.5], "from 0 to 1.*Received: 1.5 in row 1"),
        (Poisson(), [0, 0, 0], "every target is 0"),
        (Tweedie(), [[0.0, 1.0], [0.0, 2.0]], "every target is 0"),
        (Logistic(), [1, 1], "every target is 1"),
        (Gamma(), ["a", "b"], "expected numbers"),
        (Poisson(), [1e300, 1.0], "overflows float32"),
    ],
)
def test_targets_outside_the_family_are_refused_by_name(head, y, words):
    with pytest.raises(ValueError, match=words) as caught:
        head.adapt(y)
    assert "\n" not in str(caught.value)
    assert head.dim is None or head.dim == np.ndim(y)


def test_later_targets_are_held_to_the_same():
    head = Poisson().adapt([0, 1, 2])
    assert head.encode([0, 0]).tolist() == [[0.0], [0.0]]
    with pytest.raises(ValueError, match="Received: -3 in row 0"):
        head.encode([-3])
