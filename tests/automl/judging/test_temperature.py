"""Probabilities of classes: calibrated by a temperature where held-out rows say so."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn import metrics

import adaptive_nets as an
from adaptive_nets.automl.judging.scoring import Metric, make_metric
from adaptive_nets.automl.judging.temperature import calibrate, reliability

LOG_LOSS = Metric("log_loss")


def _drawn(rows, classes, factor, seed=0):
    """Classes drawn by softmax(logits), and what a model says that multiplies them by a factor."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=1.5, size=(rows, classes))
    codes = (rng.random((rows, 1)) > np.cumsum(softmax(logits, axis=1), axis=1)).sum(axis=1)
    return np.minimum(codes, classes - 1), softmax(factor * logits, axis=1)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_the_temperature_is_found_again(classes, factor):
    codes, said = _drawn(20_000, classes, factor)
    found, judged = calibrate(LOG_LOSS, codes, said, None)
    assert found.value == pytest.approx(factor, rel=0.05)
    for name in ("log_loss", "brier", "ece"):
        assert found.after[name] < found.before[name]
    assert found.after["ece"] < 0.02
    assert found.after == reliability(codes, judged, None)
    np.testing.assert_array_equal(judged.argmax(axis=1), said.argmax(axis=1))
    again, _ = calibrate(LOG_LOSS, codes, said, None)
    assert again == found


def test_weights_count_as_repeated_rows():
    codes, said = _drawn(300, 3, 2.0)
    repeats = np.random.default_rng(1).integers(1, 4, 300)
    weighted = reliability(codes, said, repeats)
    repeated = reliability(np.repeat(codes, repeats), np.repeat(said, repeats, axis=0), None)
    assert weighted == pytest.approx(repeated)


def test_what_is_measured_is_what_scikit_learn_measures():
    codes, said = _drawn(500, 3, 2.0)
    found = reliability(codes, said, None)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(codes, said))
    assert found["brier"] == pytest.approx(((said - np.eye(3)[codes]) ** 2).sum(axis=1).mean())
    sure = said.max(axis=1)
    right = said.argmax(axis=1) == codes
    by_bin = [np.floor(sure * 15) == k for k in range(15)]
    expected = sum(abs(right[b].mean() - sure[b].mean()) * b.mean() for b in by_bin if b.any())
    assert found["ece"] == pytest.approx(expected)


def test_probabilities_that_are_right_stay_as_they_are():
    kept = [calibrate(LOG_LOSS, *_drawn(400, 2, 1.0, seed), None)[0] for seed in range(10)]
    assert sum(each.value == 1.0 for each in kept) >= 5
    assert all(0.6 < each.value < 1.6 for each in kept)
    assert all(each.after == each.before for each in kept if each.value == 1.0)


@pytest.mark.parametrize("name, reads", [("neg_brier_score", True), ("accuracy", False)])
def test_only_metrics_of_probabilities_ask_for_it(name, reads):
    codes, said = _drawn(500, 2, 3.0)
    found, judged = calibrate(make_metric(name, "log_loss"), codes, said, None)
    assert (found is not None) == reads
    assert (judged is said) != reads


def test_few_rows_say_too_little():
    codes, said = _drawn(49, 2, 3.0)
    assert calibrate(LOG_LOSS, codes, said, None)[0] is None


def test_the_served_model_is_calibrated(tmp_path):
    """Held-out labels that are partly others than the training's make any model too sure."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 2))
    y = (x[:, 0] > 0).astype(int)
    turned = np.where(rng.random(300) < 0.25, 1 - y[500:], y[500:])
    front = an.AutoClassifier(time_limit=0.1, seed=0, verbose=0)
    front.fit(x[:500], y[:500], validation_data=(x[500:], turned))
    table = front.calibration_
    assert table.loc["after", "temperature"] > 1.5
    assert (table.loc["after"][1:] < table.loc["before"][1:]).all()
    plain = front.evaluate(x[500:], turned)
    assert plain["log_loss"] < table.loc["before", "log_loss"] - 0.05
    again = an.automl.load(front.save(tmp_path / "saved"))
    np.testing.assert_array_equal(again.predict_proba(x[:9]), front.predict_proba(x[:9]))
    assert again.calibration_.equals(table)
    served = front.leaderboard().iloc[-1]
    assert served["log_loss"] == pytest.approx(table.loc["after", "log_loss"])
