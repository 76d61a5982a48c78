"""Importances: those of scikit-learn, with intervals that hold what they say."""

import numpy as np
import pandas as pd
import pytest
from sklearn.inspection import permutation_importance

import adaptive_nets as an
from adaptive_nets.automl.explaining.measure import Measure
from adaptive_nets.automl.explaining.permuting import permute
from adaptive_nets.automl.judging.scoring import Metric, make_metric
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.targets import Classes, Numbers


def _table(rows=300):
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": random.normal(size=rows),
            "city": random.choice(["Graz", "Linz", "Wien"], rows),
            "noise": random.normal(size=rows),
        }
    )
    table["height"] = table["age"] + 0.01 * random.normal(size=rows)
    table["score"] = 2.0 * table["age"] + (table["city"] == "Graz") + random.normal(size=rows)
    table["bought"] = np.where(table["score"] > 0, "yes", "no")
    return table


@pytest.fixture(scope="module")
def table():
    return _table()


@pytest.fixture(scope="module")
def classifier(table):
    given = table.drop(columns="score")
    return an.AutoClassifier(time_limit=0.1, seed=0, verbose=0).fit(given, "bought")


@pytest.fixture(scope="module")
def regressor(table):
    given = table.drop(columns="bought")
    return an.AutoRegressor(time_limit=0.1, seed=0, verbose=0).fit(given, "score")


@pytest.mark.parametrize(
    "metric, weighted",
    [(None, False), ("neg_log_loss", False), ("accuracy", True), ("balanced_accuracy", True)],
)
def test_scikit_learn_finds_the_same(classifier, table, metric, weighted):
    x, y = table.drop(columns=["score", "bought"])[:120], table["bought"][:120]
    w = np.linspace(0.5, 2.0, 120) if weighted else None
    found = classifier.importances(x, y, w, metric=metric, repeats=3, seed=4)
    expected = permutation_importance(
        classifier, x, y, scoring=metric or "neg_log_loss", n_repeats=3, random_state=4,
        sample_weight=w,
    )  # fmt: skip
    np.testing.assert_allclose(
        found.set_index("feature").loc[x.columns, "importance"],
        expected.importances_mean,
        atol=1e-6,
    )


def test_numbers_are_explained_by_their_own_metric(regressor, table):
    found = regressor.importances(table.drop(columns="bought"))
    assert list(found.columns) == ["feature", "importance", "lower", "upper", "repeats"]
    x = table.drop(columns=["score", "bought"])
    expected = permutation_importance(
        regressor, x, table["score"], scoring="neg_root_mean_squared_error", random_state=0
    )
    values = found.set_index("feature")["importance"][list(x.columns)]
    np.testing.assert_allclose(values, expected.importances_mean, atol=1e-6)
    assert found["importance"].is_monotonic_decreasing
    noise = found.set_index("feature").loc["noise"]
    assert noise["lower"] <= 0.0 <= noise["upper"] or abs(noise["importance"]) < 0.05


def test_correlated_columns_are_permuted_together(regressor, table):
    one = regressor.importances(table, "score").set_index("feature")["importance"]
    both = regressor.importances(table, "score", group_correlated=True).set_index("feature")
    together = next(name for name in both.index if "age" in name)
    assert sorted(together.split(" + ")) == ["age", "height"]
    assert both.loc[together, "importance"] > max(one["age"], one["height"])
    named = regressor.importances(table, "score", group_correlated={"body": ["age", "height"]})
    assert named["feature"].tolist()[0] == "body"
    assert named["importance"][0] == pytest.approx(both.loc[together, "importance"], abs=1e-9)


def test_a_time_limit_leaves_columns_out_by_name_of_the_limit(regressor, table):
    with pytest.warns(UserWarning, match="time limit of 1e-09 s"):
        found = regressor.importances(table, "score", time_limit=1e-9)
    assert found["repeats"].eq(0).all() and found["importance"].isna().all()


@pytest.mark.parametrize(
    "given, words",
    [
        ({"coverage": 1.2}, "coverage"),
        ({"repeats": 0}, "repeats"),
        ({"metric": "f11"}, "such as"),
        ({"group_correlated": [["age", "agee"]]}, "'agee'"),
        ({"group_correlated": 3}, "group_correlated"),
        ({"time_limit": 0}, "time_limit"),
    ],
)
def test_wrong_arguments_are_named(regressor, table, given, words):
    with pytest.raises(ValueError, match=words) as caught:
        regressor.importances(table, "score", **given)
    assert "\n" not in str(caught.value)


def _covered(metric, rows, repeats, seeds, slope, classes):
    """Returns how often intervals of a known model hold the true importance of a column."""
    hits = 0
    truth = None
    for seed in [None, *range(seeds)]:
        random = np.random.default_rng(99 if seed is None else seed)
        count = 20_000 if seed is None else rows
        x = pd.DataFrame({"a": random.normal(size=count), "b": random.normal(size=count)})
        score = x["a"] + slope * x["b"] + random.normal(size=count)
        y = np.where(score > 0, "yes", "no") if classes else score.to_numpy()
        target = Classes(np.array(["no", "yes"]), "y") if classes else Numbers.learn(y, "y")

        def predict(table):
            # The second column is read, and says nothing if the slope is 0.
            said = (table["a"] + 0.5 * table["b"]).to_numpy()
            p = 1.0 / (1.0 + np.exp(-said))
            return np.stack([1.0 - p, p], axis=1) if classes else said

        measure = Measure(metric, target, Labelled(x, y, None), lambda p: p.argmax(axis=1), 0)
        found = permute(
            predict, x, {"b": ["b"]}, measure,
            repeats=repeats, seconds=np.inf, coverage=0.95, seed=seed or 0,
        ).iloc[0]  # fmt: skip
        if seed is None:
            truth = found["importance"]
        else:
            hits += found["lower"] <= truth <= found["upper"]
    return hits / seeds


@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("slope", [0.0, 1.0])
def test_intervals_hold_the_importance_as_often_as_they_say(classes, slope):
    metric = Metric("log_loss") if classes else Metric("rmse")
    seeds = 150
    # Three standard errors of a share of so many seeds.
    error = 3.0 * np.sqrt(0.95 * 0.05 / seeds)
    assert _covered(metric, 200, 3, seeds, slope, classes) == pytest.approx(0.95, abs=error)


@pytest.mark.exhaustive
def test_intervals_of_metrics_that_are_no_means():
    metric = make_metric("roc_auc", "log_loss")
    assert _covered(metric, 200, 2, 60, 1.0, True) == pytest.approx(0.95, abs=0.07)
