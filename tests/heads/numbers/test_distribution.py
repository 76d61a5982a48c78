"""Distributions of a target: closed forms in float64, what an ensemble of them is, and refusals."""

import json
import sys

import keras
import numpy as np
import pytest
from head_losses import loss64
from scipy import optimize, stats

pytest.importorskip("tensorflow")
if keras.backend.backend() != "tensorflow":
    pytest.skip("needs the TensorFlow backend", allow_module_level=True)
import tensorflow as tf

from adaptive_nets.adanet.ensembles.mixtures.proximal import MixtureSolver
from adaptive_nets.adanet.ensembles.mixtures.simplex import SimplexSolver
from adaptive_nets.heads import Distribution

RNG = np.random.default_rng(0)
ROWS = 50
LEVELS = (0.01, 0.3, 0.5, 0.99)
# The same distributions by SciPy, from location and scale.
REFERENCE = {
    "normal": stats.norm,
    "lognormal": lambda location, scale: stats.lognorm(scale, scale=np.exp(location)),
    "logistic": stats.logistic,
    "student_t": lambda location, scale: stats.t(3.5, location, scale),
}


def _head(family, **more):
    df = 3.5 if family == "student_t" else None
    return Distribution(family, LEVELS, df, **{"location": 0.7, "scale": 1.5, **more})


def _logits(rows=ROWS, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([rng.normal(size=rows), rng.uniform(0.5, 4, rows)], axis=1)


def _reference(family, logits):
    location = 0.7 + 1.5 * logits[:, 0] / logits[:, 1]
    return REFERENCE[family](location, 1.5 / logits[:, 1])


@pytest.mark.parametrize("family", REFERENCE)
def test_it_is_the_distribution_that_scipy_knows(family):
    head, logits = _head(family), _logits()
    expected = _reference(family, logits)
    y = RNG.gamma(2.0, size=ROWS).astype("float32").astype("float64")
    np.testing.assert_allclose(loss64(head, y, logits), -expected.logpdf(y), rtol=1e-10)
    found = {k: v.numpy() for k, v in head.predictions(tf.constant(logits)).items()}
    np.testing.assert_allclose(found["mean"][:, 0], expected.mean(), rtol=1e-10)
    np.testing.assert_allclose(found["deviation"][:, 0], expected.std(), rtol=1e-10)
    # Older versions of SciPy are no more exact than this.
    for column, level in enumerate(LEVELS):
        np.testing.assert_allclose(
            found["quantiles"][:, column], expected.ppf(level), rtol=1e-8, atol=1e-12
        )
    python = head.distribution(logits)
    np.testing.assert_allclose(python.log_prob(y).numpy(), expected.logpdf(y), rtol=1e-10)
    np.testing.assert_allclose(python.quantile(np.float64(0.3)), expected.ppf(0.3), rtol=1e-8)
    np.testing.assert_allclose(python.stddev(), expected.std(), rtol=1e-9)
    drawn = python.sample(4000, seed=1).numpy()
    below = (drawn <= expected.ppf(0.3)).mean()
    assert below == pytest.approx(0.3, abs=5 * np.sqrt(0.21 / drawn.size))


@pytest.mark.parametrize("family", REFERENCE)
def test_the_best_constant_is_the_maximum_of_the_likelihood(family):
    """Logits (0, 1) are the moments of the training targets, and the loss finds SciPy's fit."""
    y = np.exp(RNG.normal(size=400)).astype("float32").astype("float64")
    head = _head(family, location=None, scale=None).adapt(y)

    def mean_loss(x):
        return loss64(head, y, np.tile(x, (len(y), 1))).mean()

    found = optimize.minimize(mean_loss, [0.0, 1.0], method="Nelder-Mead", tol=1e-12)
    location = head.location + head.scale * found.x[0] / found.x[1]
    scale = head.scale / found.x[1]
    if family == "lognormal":
        expected = np.log(y).mean(), np.log(y).std()
    elif family == "student_t":
        _, *expected = stats.t.fit(y, fix_df=3.5)
    else:
        expected = REFERENCE[family].fit(y)
    np.testing.assert_allclose((location, scale), expected, rtol=1e-3)
    if family == "normal":
        np.testing.assert_allclose(found.x, [0, 1], atol=1e-5)


@pytest.mark.parametrize("family", REFERENCE)
def test_weights_of_an_ensemble_by_brute_force(family):
    """No point of a fine grid over the weights has a lower objective than the solved ones."""
    head = _head(family)
    y = head.encode(RNG.gamma(2.0, size=ROWS))
    members = np.stack([_logits(seed=seed) for seed in range(3)], axis=1)
    members[:, 1] += 0.5 * members[:, 0]
    solver = SimplexSolver(head.loss, head.mean_of, tolerance=1e-9)
    equal = np.full(3, 1 / 3)
    solved = solver.solve(members, y, starts=[equal, np.eye(3)[0]], gamma=np.zeros(3))
    value = solver.loss_of(members, y)
    steps = np.arange(0, 1.0001, 0.05)
    grid = [(a, b, 1 - a - b) for a in steps for b in steps if a + b <= 1 + 1e-9]
    lowest = min(value(np.maximum(np.array(w), 0)) for w in grid)
    assert value(solved.weights) <= min(value(equal), value(np.eye(3)[0])) + 1e-12
    if head.convex:
        assert value(solved.weights) <= lowest + 1e-9

    def total(w):
        logits = tf.constant(np.einsum("j,njc->nc", w, members))
        return float(np.mean(head.loss(y, logits)))

    free = MixtureSolver(head.loss, "scalar", tolerance=1e-8)
    start = np.array([1.0, 0.0, 0.0])
    found = free.solve(members, y, start=start, gamma=0.0)
    assert total(found.weights) <= total(start) + 1e-12
    if head.convex:
        best = optimize.minimize(total, np.full(3, 0.5), method="Nelder-Mead", tol=1e-10)
        assert total(found.weights) <= best.fun + 1e-6


def test_the_sum_of_weights_is_how_sure_an_ensemble_is():
    head, logits = _head("normal"), _logits()
    plain, doubled = (head.predictions(tf.constant(f * logits)) for f in (1.0, 2.0))
    np.testing.assert_allclose(doubled["mean"], plain["mean"], rtol=1e-12)
    np.testing.assert_allclose(doubled["deviation"], plain["deviation"] / 2, rtol=1e-12)


@pytest.mark.parametrize("family", REFERENCE)
def test_predictions_are_finite_whatever_the_logits(family):
    head = _head(family)
    extreme = np.array([[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4], [0.0, 0.0]], "float32")
    for name, found in head.predictions(tf.constant(extreme)).items():
        assert np.isfinite(found).all(), name
    quantiles = head.predictions(tf.constant(_logits().astype("float32")))["quantiles"].numpy()
    assert (np.diff(quantiles, axis=1) > 0).all()


def test_beyond_the_least_rho_the_loss_goes_on_and_the_likelihood_stays():
    head = _head("normal")
    y, low = head.encode([1.0, 1.0]), tf.constant([[0.0, 0.009], [0.0, -1.0]], "float64")
    loss, likelihood = head.loss(y, low), head.negative_log_likelihood(y, low)
    assert loss[1] > loss[0] > likelihood[0]
    assert likelihood[0] == likelihood[1]


@pytest.mark.parametrize(
    "family, y, words",
    [
        ("lognormal", [1.0, 0.0], "above 0.*family='lognormal'.*Received: 0 in row 1"),
        ("normal", [[1.0, 2.0]], "heads.Multi"),
        ("normal", ["a", "b"], "expected numbers"),
    ],
)
def test_targets_that_it_does_not_take(family, y, words):
    with pytest.raises(ValueError, match=words) as caught:
        Distribution(family).adapt(y)
    assert "\n" not in str(caught.value)


def test_targets_that_do_not_vary_have_a_scale():
    assert Distribution().adapt([5.0, 5.0]).scale == 1.0


def test_before_adapt_the_way_out_is_named():
    head = Distribution()
    with pytest.raises(ValueError, match="Call `adapt`.*location=None"):
        head.loss(head.encode([1.0]), tf.zeros((1, 2)))
    with pytest.raises(ValueError, match=r"numbers \[n, 2\].*Received: shape \[3\]"):
        _head("normal").distribution([1.0, 2.0, 3.0])


def test_without_tensorflow_probability_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_probability", None)
    with pytest.raises(ImportError, match=r"pip install 'adaptive-nets\[probability\]'"):
        Distribution()


def test_the_metric_comes_back():
    metric = _head("student_t").metrics()["nll"]
    again = type(metric).from_config(json.loads(json.dumps(metric.get_config())))
    y, logits = RNG.normal(size=(8, 1)), _logits(8).astype("float32")
    for each in (metric, again):
        each.update_state(y, logits)
    assert float(again.result()) == pytest.approx(float(metric.result()))


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"family": "beta"}, "family must be one of.*lognormal.*beta"),
        ({"df": 3}, "for family='student_t'"),
        ({"family": "student_t", "df": 2}, "df"),
        ({"scale": 0}, "scale"),
        ({"levels": [0.9, 0.1]}, "rising order"),
    ],
)
def test_arguments_that_it_does_not_take(arguments, words):
    with pytest.raises(ValueError, match=words) as caught:
        Distribution(**arguments)
    assert "\n" not in str(caught.value)
