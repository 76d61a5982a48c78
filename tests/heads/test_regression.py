"""Regression: its losses, and losses of the user's own."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from keras import ops

from adaptive_nets.heads import Regression

pytestmark = pytest.mark.backend_agnostic

RNG = np.random.default_rng(0)
LABELS = RNG.normal(size=(40, 3)).astype("float32")
LOGITS = (LABELS + RNG.normal(scale=2, size=(40, 3))).astype("float32")
ERROR = np.abs(LOGITS.astype("float64") - LABELS)


@keras.saving.register_keras_serializable(package="adaptive_nets_tests")
def quartic(labels, logits):
    return ops.sum(ops.square(ops.square(logits - labels)), axis=-1)


@keras.saving.register_keras_serializable(package="adaptive_nets_tests")
class Pinball(keras.losses.Loss):
    def __init__(self, quantile=0.5, name="pinball", **kwargs):
        super().__init__(name=name, **kwargs)
        self.quantile = quantile

    def call(self, y_true, y_pred):
        error = y_true - y_pred
        return ops.maximum(self.quantile * error, (self.quantile - 1) * error)

    def get_config(self):
        return {**super().get_config(), "quantile": self.quantile}


def _loss(head):
    return keras.ops.convert_to_numpy(head.loss(LABELS, ops.convert_to_tensor(LOGITS)))


@pytest.mark.parametrize(
    "loss, expected",
    [
        ("mean_squared_error", (ERROR**2).mean(-1)),
        ("mean_absolute_error", ERROR.mean(-1)),
        ("huber", np.where(ERROR <= 1, ERROR**2 / 2, ERROR - 0.5).mean(-1)),
        (keras.losses.MeanSquaredError(), (ERROR**2).mean(-1)),
        (keras.losses.Huber(0.5), np.where(ERROR < 0.5, ERROR**2 / 2, ERROR / 2 - 0.125).mean(-1)),
        (quartic, (ERROR**4).sum(-1)),
        (Pinball(0.9), np.where(LABELS > LOGITS, 0.9 * ERROR, 0.1 * ERROR).mean(-1)),
        (lambda labels, logits: ops.abs(logits - labels), ERROR.mean(-1)),
    ],
)
def test_losses_are_per_example_means_over_the_targets(loss, expected):
    np.testing.assert_allclose(_loss(Regression(3, loss)), expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("loss", [quartic, Pinball(0.9), keras.losses.Huber(0.5)])
def test_own_losses_survive_json(loss):
    head = Regression(3, loss)
    copy = Regression.from_config(json.loads(json.dumps(head.get_config())))
    assert copy.get_config() == head.get_config()
    np.testing.assert_array_equal(_loss(copy), _loss(head))


def test_losses_that_cannot_be_saved_or_loaded_say_how_to_mend_it():
    def unregistered(labels, logits):
        return ops.mean(logits - labels, axis=-1)

    with pytest.raises(ValueError, match="register_keras_serializable"):
        Regression(1, lambda labels, logits: logits).get_config()
    config = Regression(1, unregistered).get_config()
    with pytest.raises(ValueError, match="register_keras_serializable.*unregistered"):
        Regression.from_config(config)
    with keras.saving.custom_object_scope({"unregistered": unregistered}):
        assert Regression.from_config(config).loss_function is unregistered


def test_a_loss_that_averages_over_the_batch_is_refused():
    head = Regression(3, lambda labels, logits: ops.mean(logits - labels))
    with pytest.raises(ValueError, match="return one value per example"):
        _loss(head)


@pytest.mark.parametrize(
    "y",
    [[1, 2], [1.0, 2.0], np.array([[1], [2]]), pd.Series([1, 2]), pd.DataFrame({"y": [1.0, 2.0]})],
)
def test_targets_of_every_kind_become_one_column(y):
    head = Regression().adapt(y)
    encoded = head.encode(y)
    assert head.units == 1 and encoded.dtype == np.float32
    np.testing.assert_array_equal(encoded, [[1.0], [2.0]])


@pytest.mark.parametrize(
    "head, y, words",
    [
        (Regression(), ["1.5", "2"], "expected numbers.*Received: string '1.5'"),
        (Regression(2), [1.0, 2.0], r"\[n, 2\]\. .*Received: shape \[2, 1\]"),
        (Regression(1), np.zeros((3, 2)), r"or \[n\].*Received: shape \[3, 2\]"),
        (Regression(), np.zeros((3, 2, 2)), r"shape \[3, 2, 2\]"),
        (Regression(), [1.0, 1e300], "float32.*row 1"),
        (Regression(), [1.0, -np.inf], "finite"),
        (Regression(), np.zeros((3, 0)), "at least one target"),
    ],
)
def test_targets_that_do_not_fit_are_refused(head, y, words):
    with pytest.raises(ValueError, match=words) as caught:
        head.adapt(y)
    assert "\n" not in str(caught.value)


def test_predictions_are_the_logits():
    head = Regression(3)
    np.testing.assert_array_equal(head.predictions(LOGITS)["predictions"], LOGITS)


@pytest.mark.parametrize("offset, refused", [(1e5, False), (1e6, False), (1e8, True), (1e9, True)])
def test_an_offset_that_blurs_the_targets_is_refused(offset, refused):
    targets = np.random.default_rng(0).normal([0.0, offset], size=(50, 2))
    if refused:
        with pytest.raises(ValueError, match="float32 cannot tell targets apart.*deviation"):
            Regression().adapt(targets)
    else:
        Regression().adapt(targets)


@pytest.mark.parametrize("value", [16777217, 1e9 + 1])
def test_targets_that_are_all_equal_are_taken(value):
    Regression().adapt([value] * 3)
