"""Weights of classes: probabilities stay those of the rows as they are."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.automl.deciding.asked import Asked
from adaptive_nets.automl.judging.temperature import reliability
from adaptive_nets.automl.targets import Classes


def table(rows, seed, classes=2):
    """Rows of which few are of the last class."""
    rng = np.random.default_rng(seed)
    x = pd.DataFrame({"a": rng.normal(size=rows), "b": rng.normal(size=rows)})
    line = x["a"] + rng.logistic(size=rows)
    return x, np.digitize(line, [3.0] if classes == 2 else [1.5, 3.5])


@pytest.mark.parametrize("classes", [2, 3])
def test_balanced_weights_leave_probabilities_as_they_were(classes, tmp_path):
    x, y = table(2000, 0, classes)
    settings = {"time_limit": 0.01, "seed": 0, "verbose": 0}
    model = an.AutoClassifier(**settings, class_weight="balanced").fit(x, y)
    new, labels = table(4000, 1, classes)
    p, counts = model.predict_proba(new), np.bincount(y)
    factors = counts.sum() / (classes * counts)
    weighted = p * factors / (p * factors).sum(axis=1, keepdims=True)
    before, after = (reliability(labels, each, None) for each in (weighted, p))
    assert after["log_loss"] < before["log_loss"] - 0.02
    assert after["ece"] < min(0.05, before["ece"] / 2)
    np.testing.assert_allclose(p.mean(axis=0), np.bincount(labels) / 4000, atol=0.02)
    # The class whose probability times its weight is largest is predicted, as by the weighted one.
    chosen = model.predict(new)
    np.testing.assert_array_equal(chosen, weighted.argmax(axis=1))
    assert (chosen == classes - 1).mean() > 2 * (p.argmax(axis=1) == classes - 1).mean()
    assert model.decision_.origin == "class_weight"
    if classes == 2:
        assert model.threshold_ == pytest.approx(factors[0] / factors.sum())
    again = an.automl.load(model.save(tmp_path / "saved"))
    np.testing.assert_array_equal(again.predict(new), chosen)
    np.testing.assert_array_equal(again.predict_proba(new), p)
    served = tf.saved_model.load(again.export(tmp_path / "served"))
    given = {n: tf.constant(values) for n, values in again.schema_.read(new).items()}
    outputs = served.signatures["serving_default"](**given)
    np.testing.assert_allclose(outputs["probabilities"], p, atol=1e-6)
    assert (outputs["classes"].numpy() == chosen).mean() > 0.999


def test_the_leaderboard_measures_rows_as_they_are():
    x, y = table(600, 0)
    held, labels = table(300, 1)
    settings = {"time_limit": 0.01, "seed": 0, "verbose": 0}
    model = an.AutoClassifier(**settings, class_weight={1: 8.0})
    model.fit(x, y, validation_data=(held, labels))
    row = model.leaderboard().iloc[-1]
    p = model.predict_proba(held)
    # A temperature is learnt from other rows than those that are measured.
    assert row["log_loss"] == pytest.approx(model.evaluate(held, labels)["log_loss"], rel=0.05)
    assert row["accuracy"] == pytest.approx((model.predict(held) == labels).mean(), abs=0.02)
    w = np.where(labels == 1, 8.0, 1.0)
    q = p * [1.0, 8.0] / (p * [1.0, 8.0]).sum(axis=1, keepdims=True)
    weighted = -np.average(np.log(q[np.arange(300), labels]), weights=w)
    assert row["weighted_log_loss"] == pytest.approx(weighted, rel=0.05)


def test_there_and_back():
    target = Classes(np.array([0, 1, 2]), "y")
    p = np.random.default_rng(0).dirichlet(np.ones(3), 50)
    asked = Asked(target, np.array([0.2, 1.0, 7.0]))
    np.testing.assert_allclose(asked.as_they_are(asked.as_weighted(p)), p)
    assert Asked(target).as_they_are(p) is p
    # Shares of the classes in rows of equal features: weighted rows say p f / sum(p f).
    shares = np.array([[0.7, 0.2, 0.1]])
    seen = shares * asked.factors / (shares * asked.factors).sum()
    np.testing.assert_allclose(asked.as_they_are(seen), shares)
