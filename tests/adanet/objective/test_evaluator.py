"""How candidates are judged."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn import metrics

from adaptive_nets import heads
from adaptive_nets.adanet.ensembles.metrics import evaluate_logits, mean_loss
from adaptive_nets.adanet.objective.evaluator import Evaluator
from adaptive_nets.data.rows import Rows

RNG = np.random.default_rng(0)


class Counts(heads.Head):
    """A head whose main metric is an error that the evaluator has never heard of."""

    units = 1
    main_metric = ("poisson", "min")
    default_output = "counts"

    def encode(self, y):
        return np.asarray(y, "float32").reshape(-1, 1)

    def loss(self, labels, logits):
        return keras.ops.mean(keras.ops.exp(logits) - labels * logits, axis=-1)

    def metrics(self):
        return {
            "poisson": keras.metrics.MeanMetricWrapper(self.loss, name="poisson"),
            "gain": keras.metrics.Mean(name="gain"),
        }

    def predictions(self, logits):
        return {"counts": keras.ops.exp(logits)}


@pytest.mark.parametrize(
    "metric, mode, head, value",
    [
        ("loss", "auto", heads.MultiClass(3), 0.25),
        ("log_loss", "auto", heads.MultiClass(3), 0.25),
        ("accuracy", "auto", heads.MultiClass(3), -0.25),
        ("accuracy", "min", heads.MultiClass(3), 0.25),
        ("loss", "max", heads.MultiClass(3), -0.25),
        ("auc", "auto", heads.BinaryClass(["a", "b"]), -0.25),
        ("mse", "auto", heads.Regression(1), 0.25),
        ("rmse", "auto", heads.Regression(1), 0.25),
        ("mae", "auto", heads.Regression(1), 0.25),
        ("r2", "auto", heads.Regression(1), -0.25),
        ("poisson", "auto", Counts("counts"), 0.25),
        ("poisson", "max", Counts("counts"), -0.25),
        ("gain", "auto", Counts("counts"), -0.25),
    ],
)
def test_what_is_minimised(metric, mode, head, value):
    evaluator = Evaluator(metric=metric, mode=mode)
    evaluator.check(head)
    assert evaluator.value({metric: 0.25, "other": 9.0}) == value
    assert np.isnan(evaluator.value({metric: np.nan}))


def test_a_metric_that_the_head_has_not_is_refused():
    with pytest.raises(
        ValueError,
        match=r"Unknown metric for head 'regression': expected one of loss, mse, .* "
        r"Received: metric='accuracy'\.\Z",
    ):
        Evaluator(metric="accuracy").check(heads.Regression(1))


@pytest.mark.parametrize(
    "given, message",
    [
        ({"mode": "up"}, "mode must be one of 'auto', 'min', 'max'. Received: mode='up'"),
        ({"x": np.zeros((2, 1))}, "Pass both x and y to an Evaluator, or neither"),
        ({"y": np.zeros(2)}, "Pass both x and y to an Evaluator, or neither"),
    ],
)
def test_bad_settings_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Evaluator(**given)


def test_its_configuration_is_json_and_tells_of_own_data():
    assert Evaluator(metric="auc", mode="max").get_config() == {
        "metric": "auc", "mode": "max", "own_data": False,
    }  # fmt: skip
    assert Evaluator(np.zeros((2, 1)), [0, 1]).get_config()["own_data"]
    dataset = tf.data.Dataset.from_tensor_slices((np.zeros((2, 1)), [0, 1])).batch(2)
    assert Evaluator(dataset).get_config()["own_data"]


@pytest.mark.parametrize("weighted", [False, True])
def test_measurements_are_those_of_scikit_learn(weighted):
    logits = RNG.normal(size=(200, 3)) * 3
    y = RNG.integers(0, 3, 200).astype("int32")
    w = RNG.uniform(0, 2, 200) if weighted else np.ones(200)
    w = (w / w.mean()).astype("float32")
    found = evaluate_logits(heads.MultiClass(3), logits, Rows(None, y, w if weighted else None))
    p = np.exp(logits - logits.max(1, keepdims=True))
    p = p / p.sum(1, keepdims=True)
    log_loss = metrics.log_loss(y, p, sample_weight=w)
    assert found["loss"] == pytest.approx(log_loss, rel=1e-7)
    assert found["log_loss"] == pytest.approx(log_loss, rel=1e-4)
    accuracy = metrics.accuracy_score(y, logits.argmax(1), sample_weight=w)
    assert found["accuracy"] == pytest.approx(accuracy, rel=1e-5)
    assert set(found) == {"loss", "accuracy", "log_loss"}


def test_the_loss_is_a_mean_in_double_precision():
    y = np.zeros((4, 1), "float32")
    logits = np.full((4, 1), 1 + 1e-9)
    exact = (1 + 1e-9) ** 2
    found = mean_loss(heads.Regression(1), logits, Rows(None, y))
    assert found == pytest.approx(exact, rel=1e-14) and found != 1.0
    w = np.array([0, 0, 0, 4], "float32")
    logits[3] = 3.0
    assert mean_loss(heads.Regression(1), logits, Rows(None, y, w)) == pytest.approx(9.0)
