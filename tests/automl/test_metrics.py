"""Metrics to choose by: read as scikit-learn reads them, or refused before work starts."""

import numpy as np
import pandas as pd
import pytest
from absl import logging
from sklearn import metrics

import adaptive_nets as an
from adaptive_nets.automl.judging.board import Board
from adaptive_nets.automl.judging.scoring import Metric, make_metric, metric_for
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.targets import Classes, Numbers

RNG = np.random.default_rng(0)
X = pd.DataFrame({"a": RNG.normal(size=60), "b": RNG.normal(size=60)})
CODES = (X["a"] > 0).to_numpy().astype(int)
THREE = np.array(["u", "v", "w"])[np.arange(60) % 3]


@pytest.mark.parametrize(
    "name, function",
    [
        ("f1", metrics.f1_score),
        ("recall", metrics.recall_score),
        ("jaccard", metrics.jaccard_score),
    ],
)
@pytest.mark.parametrize(
    "classes, positive", [(["no", "yes"], "yes"), ([0, 1], 1), ([1, 2], 1), ([False, True], True)]
)
def test_the_positive_class_is_1_or_the_second(name, function, classes, positive):
    y = np.array(classes)[CODES]
    model = an.AutoClassifier(metric=name, time_limit=0.01, seed=0, verbose=0).fit(X, y)
    found = model.evaluate(X, y)[name]
    assert found == pytest.approx(function(y, model.predict(X), pos_label=positive))
    assert 0 < model.leaderboard().iloc[-1][name] <= 1


@pytest.mark.parametrize(
    "kind, name, y, words",
    [
        (an.AutoClassifier, "f1", THREE, "3 classes.* such as f1_macro"),
        (an.AutoClassifier, "roc_auc", THREE, "such as roc_auc_ovo"),
        (an.AutoClassifier, "r2", np.array(["no", "yes"])[CODES], "2 classes.* such as accuracy"),
        (an.AutoRegressor, "accuracy", X["a"], "numbers.* such as r2"),
        (an.AutoRegressor, "neg_mean_poisson_deviance", X["a"], "non-negative y"),
    ],
)
def test_others_are_refused_before_work(kind, name, y, words):
    model = kind(metric=name, time_limit=0.01, seed=0)
    with pytest.raises(ValueError, match=words) as refused:
        model.fit(X, y)
    assert str(refused.value).startswith(f"metric='{name}' is not defined for this target, ")
    assert not hasattr(model, "schema_")


def test_what_predictions_leave_undefined_is_compared_otherwise(caplog):
    y = np.array([1.0, 2.0, 3.0])
    metric = metric_for(make_metric("neg_mean_gamma_deviance", "rmse"), None, y)
    board = Board(metric, Numbers.learn(y, "y"), Labelled(X[:3], y, None))
    below, worse = np.array([-0.1, 2.0, 3.0]), np.array([-5.0, 2.0, 3.0])
    assert board.is_better(y, below) and not board.is_better(below, y)
    assert board.is_better(below, worse) and not board.is_better(worse, below)
    with caplog.at_level("WARNING", logger=logging.get_absl_logger().name):
        board.add_served(below, 1.0, "")
    assert "compared by the rmse" in caplog.text


def test_usual_metrics_need_no_check():
    y = np.array(["a", "b"])[CODES]
    target = Classes.learn(y, "y")
    assert metric_for(Metric("log_loss"), target.labels, y) == Metric("log_loss")
