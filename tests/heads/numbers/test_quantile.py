"""Quantiles: the pinball loss, quantiles that never cross, and levels that are refused."""

import itertools

import keras
import numpy as np
import pytest
from head_losses import loss64
from sklearn.metrics import mean_pinball_loss

from adaptive_nets.heads import Quantile

pytestmark = pytest.mark.backend_agnostic

RNG = np.random.default_rng(0)
LEVELS = [0.05, 0.5, 0.9]
Y = RNG.normal(size=200)
LOGITS = RNG.normal(size=(200, 3))


def test_the_pinball_loss_of_scikit_learn():
    head = Quantile(LEVELS)
    y = Y.astype("float32").astype("float64")
    expected = [mean_pinball_loss(y, LOGITS[:, j], alpha=t) for j, t in enumerate(LEVELS)]
    assert loss64(head, y, LOGITS).mean() == pytest.approx(np.mean(expected), rel=1e-10)


def test_sorted_quantiles_never_cross_and_cost_no_more():
    head = Quantile(LEVELS)
    logits = keras.ops.convert_to_tensor(LOGITS.astype("float32"))
    found = keras.ops.convert_to_numpy(head.predictions(logits)["quantiles"])
    assert (np.diff(found, axis=1) >= 0).all() and (found != LOGITS.astype("float32")).any()
    each = [loss64(head, Y, found[:, list(order)]) for order in itertools.permutations(range(3))]
    assert (each[0] <= np.min(each, axis=0) + 1e-6).all()
    metric = head.metrics()["pinball"]
    metric.update_state(head.encode(Y), logits)
    assert float(metric.result()) == pytest.approx(each[0].mean(), rel=1e-5)
    coverage = head.metrics()["coverage"]
    coverage.update_state(head.encode(Y), logits)
    within = (found[:, 0] <= Y) & (found[:, -1] >= Y)
    assert float(coverage.result()) == pytest.approx(within.mean(), abs=1e-6)


def test_a_new_subnetwork_begins_at_the_targets_quantiles():
    y = 1000 + 5 * Y
    head = Quantile(LEVELS).adapt(y)
    offset, scale = head.output_range(head.encode(y))
    np.testing.assert_allclose(offset, np.quantile(y, LEVELS), rtol=1e-5)
    np.testing.assert_allclose(scale, y.std(), rtol=1e-4)
    zeros, _ = head.output_range(head.encode(y), np.full((200, 3), 1000.0))
    assert zeros == [0.0] * 3


def test_the_scale_of_the_loss_follows_the_unit():
    scales = [Quantile(LEVELS).loss_scale((unit * Y)[:, None]).overall for unit in (1.0, 100.0)]
    assert scales[1] == pytest.approx(100 * scales[0], rel=1e-5)
