"""BinaryClass with the surrogates of AdaNet's objective, against closed forms and scipy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_expit
from sklearn import metrics as reference

from adaptive_nets.adanet.ensembles.mixtures.proximal import MixtureSolver
from adaptive_nets.heads import BinaryClass

# Φ and its derivative, as the paper has them.
PHI = {"logistic": lambda u: np.logaddexp(0, u), "exponential": np.exp}
SLOPE = {"logistic": expit, "exponential": np.exp}
LOGITS = np.array([[-40.0], [-3.0], [-1.0], [0.0], [0.4], [1.0], [2.5], [30.0]])


@pytest.fixture(params=PHI)
def surrogate(request):
    return request.param


@pytest.mark.parametrize("label", [0, 1])
def test_loss_and_gradient_are_those_of_phi(surrogate, label):
    y = 2 * label - 1
    labels = np.full((len(LOGITS), 1), label, "float32")
    logits = tf.constant(LOGITS)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = BinaryClass(surrogate=surrogate).loss(labels, logits)
    assert loss.dtype == tf.float64
    np.testing.assert_allclose(loss, PHI[surrogate](1 - y * LOGITS[:, 0]), rtol=1e-10)
    expected = -y * SLOPE[surrogate](1 - y * LOGITS)
    np.testing.assert_allclose(tape.gradient(loss, logits), expected, rtol=1e-10)


def test_label_smoothing_is_the_expectation_over_the_label(surrogate):
    head = BinaryClass(surrogate=surrogate, label_smoothing=0.2)
    phi = PHI[surrogate]
    loss = head.loss(np.ones((1, 1), "float32"), tf.constant([[1.7]], tf.float64))
    np.testing.assert_allclose(loss, [0.9 * phi(1 - 1.7) + 0.1 * phi(1 + 1.7)], rtol=1e-7)


def test_exponential_goes_on_as_its_tangent():
    head = BinaryClass(surrogate="exponential")
    u = np.array([49.0, 49.999, 50.001, 60.0, 1e4])
    loss = head.loss(np.ones((5, 1), "float32"), tf.constant(1.0 - u[:, None]))
    expected = np.where(u < 50, np.exp(np.minimum(u, 50)), np.exp(50.0) * (u - 49))
    np.testing.assert_allclose(loss, expected, rtol=1e-10)


def test_a_logit_stands_for_the_probability_that_it_is_the_best_answer_to(surrogate):
    head, phi = BinaryClass(surrogate=surrogate), PHI[surrogate]
    for p in (0.003, 0.2, 0.5, 0.61, 0.97):
        best = minimize_scalar(
            lambda f, p=p: p * phi(1 - f) + (1 - p) * phi(1 + f), (-1, 1), tol=1e-14
        ).x
        found = head.predictions(tf.constant([[best]], tf.float64))["probabilities"]
        np.testing.assert_allclose(found, [[1 - p, p]], rtol=1e-5)


def test_probabilities_keep_both_tails(surrogate):
    found = BinaryClass(surrogate=surrogate).predictions(tf.constant(LOGITS))
    # p = Φ'(1 + f) / (Φ'(1 - f) + Φ'(1 + f)), by logarithms.
    slope = log_expit if surrogate == "logistic" else np.asarray
    left, right = slope(1 - LOGITS[:, 0]), slope(1 + LOGITS[:, 0])
    both = np.logaddexp(left, right)
    expected = np.exp(np.stack([left - both, right - both], axis=1))
    np.testing.assert_allclose(found["probabilities"], expected, rtol=1e-10)
    np.testing.assert_array_equal(found["classes"], LOGITS[:, 0] > 0)


def test_metrics_are_those_of_the_probabilities(surrogate):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    logits = (y[:, None] - 0.5 + rng.normal(size=(400, 1))).astype("float32")
    weight = rng.exponential(size=400).astype("float32")
    head = BinaryClass(surrogate=surrogate)
    p = np.asarray(head.predictions(logits)["probabilities"], "float64")[:, 1]
    found = {}
    for name, metric in head.metrics().items():
        copy = type(metric).from_config(metric.get_config())
        copy.update_state(head.encode(y), logits, weight)
        found[name] = float(copy.result())
    arguments = {"sample_weight": weight}
    assert found.pop("auc") == pytest.approx(reference.roc_auc_score(y, p, **arguments), abs=1e-3)
    assert found == pytest.approx(
        {
            "accuracy": reference.accuracy_score(y, p > 0.5, **arguments),
            "log_loss": reference.log_loss(y, p, **arguments),
            "precision": reference.precision_score(y, p > 0.5, **arguments),
            "recall": reference.recall_score(y, p > 0.5, **arguments),
        },
        rel=1e-4,
    )


def test_mixture_weights_solve_the_papers_objective(surrogate):
    """Equation 4 with Φ, an L1 penalty and all weights positive, against a smooth solver."""
    rng = np.random.default_rng(1)
    h = rng.normal(size=(80, 3, 1))
    y = np.sign(h[:, :, 0] @ [1.0, 0.6, 0.4] + rng.normal(size=80))
    gamma = 0.01
    head = BinaryClass(class_names=[-1, 1], surrogate=surrogate)
    solver = MixtureSolver(head.loss, "scalar", tolerance=1e-9, max_iterations=5000)
    found = solver.solve(h, head.encode(y.astype(int)), start=np.zeros(3), gamma=gamma)

    def objective(w):
        return PHI[surrogate](1 - y * (h[:, :, 0] @ w)).mean() + gamma * w.sum()

    best = minimize(objective, np.full(3, 0.1), bounds=[(0, None)] * 3, tol=1e-14)
    np.testing.assert_allclose(found.weights, best.x, atol=1e-5)
    assert found.objective == pytest.approx(best.fun, rel=1e-8)


def test_default_is_the_cross_entropy():
    head = BinaryClass()
    assert head.surrogate == "cross_entropy"
    for label, sign in ((1, -1), (0, 1)):
        labels = np.full((len(LOGITS), 1), label, "float32")
        loss = head.loss(labels, tf.constant(LOGITS))
        np.testing.assert_allclose(loss, np.logaddexp(0, sign * LOGITS[:, 0]), rtol=1e-10)
    found = head.predictions(tf.constant(LOGITS))["probabilities"]
    np.testing.assert_allclose(found, expit(LOGITS * [-1, 1]), rtol=1e-10)
