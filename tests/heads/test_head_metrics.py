"""Every metric against scikit-learn, in batches and weighted."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn import metrics as reference

from adaptive_nets.heads import BinaryClass, MultiClass, MultiLabel, Regression
from adaptive_nets.heads.metrics import R2, LogitAUC

pytestmark = pytest.mark.backend_agnostic

ROWS = 600


def _evaluate(head, y, logits, weight):
    """Feeds the metrics in batches of uneven size, as an evaluation does."""
    labels, found = head.encode(y), head.metrics()
    for metric in found.values():
        for rows in np.split(np.arange(ROWS), [100, 450, 451]):
            part = None if weight is None else weight[rows].astype("float32")
            metric.update_state(labels[rows], logits[rows].astype("float32"), part)
    return {name: float(metric.result()) for name, metric in found.items()}


@pytest.fixture(params=[False, True], ids=["unweighted", "weighted"])
def weight(request):
    return np.random.default_rng(3).exponential(size=ROWS) if request.param else None


def test_binary(weight):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, ROWS)
    logits = 2.0 * (y[:, None] - 0.4) + rng.normal(scale=2, size=(ROWS, 1))
    score, decision = logits[:, 0], logits[:, 0] > 0
    arguments = {"sample_weight": weight}
    found = _evaluate(BinaryClass(), y, logits, weight)
    expected = {
        "accuracy": reference.accuracy_score(y, decision, **arguments),
        "auc": reference.roc_auc_score(y, score, **arguments),
        "log_loss": reference.log_loss(y, expit(score), **arguments),
        "precision": reference.precision_score(y, decision, **arguments),
        "recall": reference.recall_score(y, decision, **arguments),
    }
    assert found.keys() == expected.keys()
    assert found.pop("auc") == pytest.approx(expected.pop("auc"), abs=1e-3)
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("n_classes", [3, 8])
def test_multi_class(weight, n_classes):
    rng = np.random.default_rng(1)
    y = rng.integers(0, n_classes, ROWS)
    logits = 1.5 * np.eye(n_classes)[y] + rng.normal(size=(ROWS, n_classes))
    arguments = {"sample_weight": weight}
    expected = {
        "accuracy": reference.accuracy_score(y, logits.argmax(-1), **arguments),
        "log_loss": reference.log_loss(y, softmax(logits, axis=-1), **arguments),
    }
    if n_classes > 5:
        expected["top_5_accuracy"] = reference.top_k_accuracy_score(y, logits, k=5, **arguments)
    found = _evaluate(MultiClass(n_classes), y, logits, weight)
    assert found == pytest.approx(expected, rel=1e-4)


def test_multi_label(weight):
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, (ROWS, 4))
    logits = y - 0.5 + rng.normal(size=(ROWS, 4))
    right = ((logits > 0) == y).mean(-1)
    losses = [
        reference.log_loss(y[:, k], expit(logits[:, k]), sample_weight=weight) for k in range(4)
    ]
    found = _evaluate(MultiLabel(4), y, logits, weight)
    auc = reference.roc_auc_score(y, logits, average="macro", sample_weight=weight)
    assert found.pop("auc") == pytest.approx(auc, abs=1e-3)
    expected = {"accuracy": np.average(right, weights=weight), "log_loss": np.mean(losses)}
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("dim", [1, 3])
def test_regression(weight, dim):
    rng = np.random.default_rng(4)
    y = rng.normal(size=(ROWS, dim)) * np.arange(1, dim + 1)
    logits = y + rng.normal(size=(ROWS, dim))
    arguments = {"sample_weight": weight}
    mse = reference.mean_squared_error(y, logits, **arguments)
    expected = {
        "mse": mse,
        "rmse": np.sqrt(mse),
        "mae": reference.mean_absolute_error(y, logits, **arguments),
        "r2": reference.r2_score(y, logits, **arguments),
    }
    assert _evaluate(Regression(dim), y, logits, weight) == pytest.approx(expected, rel=1e-4)


def test_auc_tells_very_confident_predictions_apart():
    # As probabilities in float32 all of these are exactly 1.
    logits = np.array([[20.0], [22.0], [25.0], [30.0]], "float32")
    metric = LogitAUC()
    metric.update_state([[0], [1], [0], [1]], logits)
    assert float(metric.result()) == pytest.approx(0.75)


def test_auc_counts_ties_as_half_and_skips_undefined_labels():
    metric = LogitAUC()
    metric.update_state([[0], [1]], np.zeros((2, 1), "float32"))
    assert float(metric.result()) == pytest.approx(0.5)
    metric = LogitAUC(n_labels=2)
    metric.update_state([[0, 1], [1, 1]], np.array([[0.0, 0.0], [1.0, 1.0]], "float32"))
    assert float(metric.result()) == pytest.approx(1.0)
    metric.reset_state()
    metric.update_state([[1, 1], [1, 1]], np.array([[0.0, 0.0], [1.0, 1.0]], "float32"))
    assert np.isnan(float(metric.result()))


def test_auc_stands_infinite_and_undefined_logits():
    metric = LogitAUC()
    logits = np.array([[-np.inf], [np.nan], [np.inf]], "float32")
    metric.update_state([[0], [0], [1]], logits)
    assert float(metric.result()) == pytest.approx(1.0)


def test_r2_keeps_its_digits_far_from_zero():
    rng = np.random.default_rng(5)
    y = (1e5 + rng.integers(-64, 64, (ROWS, 1))).astype("float32")
    predicted = (y + rng.integers(-16, 16, (ROWS, 1))).astype("float32")
    metric = R2()
    for rows in np.split(np.arange(ROWS), 4):
        metric.update_state(y[rows], predicted[rows])
    expected = reference.r2_score(y.astype("float64"), predicted)
    assert float(metric.result()) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("predicted, expected", [(2.0, 1.0), (3.0, 0.0)])
def test_r2_of_a_constant_target(predicted, expected):
    metric = R2()
    metric.update_state(np.full((4, 1), 2.0), np.full((4, 1), predicted))
    assert float(metric.result()) == expected


def test_precision_and_recall_without_positives_are_zero():
    found = BinaryClass().metrics()
    for name in ("precision", "recall"):
        found[name].update_state(np.zeros((3, 1)), np.full((3, 1), -1.0))
        assert float(found[name].result()) == 0.0
