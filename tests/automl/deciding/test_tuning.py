"""Thresholds and factors that make a metric of held-out rows best."""

import pickle

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn import metrics

import adaptive_nets as an
from adaptive_nets.automl.deciding.decision import Decision
from adaptive_nets.automl.deciding.measures import confusion, measure_of
from adaptive_nets.automl.deciding.tuning import _Rows, tune
from adaptive_nets.automl.judging.scoring import make_metric, metric_for, score

OF_TWO = ["f1", "jaccard", "precision", "recall"]
OF_ALL = ["accuracy", "balanced_accuracy", "matthews_corrcoef"] + [
    f"{name}_{average}" for name in OF_TWO for average in ("macro", "micro", "weighted")
]


def metric_of(name, labels):
    return metric_for(make_metric(name, "log_loss"), labels, labels)


@pytest.mark.parametrize(
    "labels",
    [np.array(["no", "yes"], dtype=object), np.array([1, 2]), np.array([3, 4, 5, 6])],
    ids=["text", "numbers", "several"],
)
def test_metrics_of_confusions_are_those_of_scikit_learn(labels):
    rng = np.random.default_rng(0)
    count = len(labels)
    for name in OF_ALL + OF_TWO * (count == 2):
        metric = metric_of(name, labels)
        for rows in (3, 40):
            codes, chosen = rng.integers(0, count, (2, rows))
            w = rng.random(rows) + 0.1
            found = measure_of(metric, labels)(confusion(codes, chosen, w, count)[None])
            p = np.zeros((rows, count))
            expected = score(metric, labels[codes], p, labels, w, chosen)
            assert found[0] == pytest.approx(expected, abs=1e-12), name


@pytest.mark.parametrize("name", ["log_loss", "roc_auc", "neg_brier_score", "rand_score"])
def test_metrics_that_read_something_else_are_not_tuned(name):
    labels = np.array([0, 1])
    assert measure_of(make_metric(name, "log_loss"), labels) is None


def rare(rows, seed=0, share=0.1):
    """Classes of which the second is rare, with probabilities that are right."""
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 1 / share - 1, rows)
    return (rng.random(rows) < p).astype("int64"), np.stack([1 - p, p], axis=1)


def test_the_threshold_of_two_classes_is_the_best_of_all():
    codes, p = rare(300)
    w = np.random.default_rng(1).random(300) + 0.5
    labels = np.array([0, 1])
    measure = measure_of(metric_of("f1", labels), labels)
    found = _Rows(measure, codes, p, w).best(Decision((0, 1), "tuned"))
    every = [
        metrics.f1_score(codes, p[:, 1] >= t, sample_weight=w) for t in np.linspace(0, 1, 4001)
    ]
    reached = metrics.f1_score(codes, found.chosen(p), sample_weight=w)
    assert reached == pytest.approx(max(every), abs=1e-9)


def test_factors_of_several_classes_are_nearly_the_best_of_a_grid():
    rng = np.random.default_rng(3)
    p = rng.dirichlet([8, 2, 1], 400)
    codes = (rng.random((400, 1)) > np.cumsum(p, axis=1)).sum(axis=1).clip(0, 2)
    labels = np.array([0, 1, 2])
    measure = measure_of(metric_of("f1_macro", labels), labels)
    rows = _Rows(measure, codes, p, None)
    found = rows.best(Decision((0, 1, 2), "tuned"))
    grid = np.exp(np.linspace(-1, 4, 41))
    every = [
        rows.values((p * np.array([1.0, a, b])).argmax(axis=1)[None])[0] for a in grid for b in grid
    ]
    reached = metrics.f1_score(codes, found.chosen(p), average="macro")
    assert reached > max(every) - 0.005
    assert reached > metrics.f1_score(codes, p.argmax(axis=1), average="macro") + 0.05


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy", "matthews_corrcoef"])
def test_a_tuned_threshold_is_better_on_new_rows(name):
    labels = np.array([0, 1])
    metric, measure = metric_of(name, labels), measure_of(metric_of(name, labels), labels)
    codes, p = rare(400)
    rule, tried = tune(metric, labels, codes, p, None, None)
    assert rule.after > rule.before and rule.rows == 400 and rule.threshold < 0.5
    honest = measure(confusion(codes, tried, np.ones(400), 2)[None])[0]
    assert rule.after == pytest.approx(honest)
    new, q = rare(20_000, seed=1)
    values = _Rows(measure, new, q, None).values(np.stack([q.argmax(axis=1), rule.chosen(q)]))
    assert values[1] > values[0] + 0.02
    assert "tuned for" in str(rule)


def test_what_does_not_win_on_other_rows_is_not_kept():
    """Right probabilities need no other threshold for accuracy: some draws win by chance."""
    labels, lost = np.array([0, 1]), []
    new, q = rare(20_000, 99, share=0.4)
    for seed in range(20):
        codes, p = rare(200, seed, share=0.4)
        rule, tried = tune(metric_of("accuracy", labels), labels, codes, p, None, None)
        assert (rule is None) == (tried is None)
        if rule is not None:
            lost.append((q.argmax(axis=1) == new).mean() - (rule.chosen(q) == new).mean())
    assert len(lost) <= 12 and np.mean(lost) < 0.02


@pytest.mark.parametrize("rows, positive", [(49, 20), (100, 4)])
def test_few_rows_say_too_little(rows, positive):
    codes = (np.arange(rows) < positive).astype("int64")
    p = np.stack([np.full(rows, 0.7), np.full(rows, 0.3)], axis=1)
    labels = np.array([0, 1])
    assert tune(metric_of("f1", labels), labels, codes, p, None, None) == (None, None)


@pytest.mark.parametrize("name", ["precision", "recall"])
def test_metrics_with_one_side_are_not_tuned(name):
    labels = np.array([0, 1])
    assert tune(metric_of(name, labels), labels, *rare(300), None, None) == (None, None)


@pytest.fixture(scope="module")
def tuned():
    """A model of a rare class, and its table."""
    rng = np.random.default_rng(0)
    x = pd.DataFrame({"a": rng.normal(size=1500), "b": rng.choice(["u", "v"], 1500)})
    y = np.where(x["a"] + rng.normal(size=1500) > 2, "yes", "no")
    return an.AutoClassifier(metric="f1", time_limit=0.01, seed=0, verbose=0).fit(x, y), x, y


def test_a_front_predicts_by_its_tuned_threshold(tuned, tmp_path):
    model, x, y = tuned
    decision = model.decision_
    assert decision.origin == "tuned" and model.threshold_ == decision.threshold < 0.5
    p = model.predict_proba(x)
    expected = np.where(p[:, 1] >= np.float32(model.threshold_), "yes", "no")
    np.testing.assert_array_equal(model.predict(x), expected)
    served = model.leaderboard().iloc[-1]
    assert served["f1"] == pytest.approx(decision.after) and decision.after > decision.before
    f1 = metrics.f1_score(y, expected, pos_label="yes")
    assert model.evaluate(x, y)["f1"] == pytest.approx(f1)
    assert model.score(x, y) == pytest.approx((y == expected).mean())
    assert f1 > metrics.f1_score(y, np.where(p[:, 1] > 0.5, "yes", "no"), pos_label="yes")
    report = model.report_data(time_limit=0.01)
    assert report["metric"]["value"].iloc[0] == pytest.approx(decision.after)
    for again in (pickle.loads(pickle.dumps(model)), an.automl.load(model.save(tmp_path / "s"))):
        np.testing.assert_array_equal(again.predict(x), expected)
        assert str(again.decision_) == str(decision)


def test_a_threshold_is_set_by_hand(tuned, tmp_path):
    model, x, _ = tuned
    model = pickle.loads(pickle.dumps(model))
    p = model.predict_proba(x)
    for threshold in (0, 0.07, 1):
        assert model.set_threshold(threshold) is model
        assert model.threshold_ == threshold and model.decision_.origin == "set"
        expected = np.where(p[:, 1] >= np.float32(threshold), "yes", "no")
        np.testing.assert_array_equal(model.predict(x), expected)
    model.set_threshold(0.07)
    np.testing.assert_array_equal(model.predict_proba(x), p)
    again = an.automl.load(model.save(tmp_path / "saved"))
    expected = np.where(p[:, 1] >= np.float32(0.07), "yes", "no")
    np.testing.assert_array_equal(again.predict(x), expected)
    served = tf.saved_model.load(again.export(tmp_path / "served"))
    given = {n: tf.constant(values) for n, values in again.schema_.read(x[:50]).items()}
    outputs = served.signatures["serving_default"](**given)
    assert [each.decode() for each in outputs["classes"].numpy()] == expected[:50].tolist()


@pytest.mark.parametrize("threshold", [2, -0.1, float("nan"), "0.5", None, True])
def test_a_threshold_that_is_none_is_refused(tuned, threshold):
    with pytest.raises(ValueError, match="threshold must be a finite number >= 0 and <= 1"):
        tuned[0].set_threshold(threshold)
