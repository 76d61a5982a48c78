"""Partial dependence of numbers, categories and dates; and scikit-learn's own inspection."""

import numpy as np
import pandas as pd
import pytest
from sklearn.inspection import partial_dependence

import adaptive_nets as an


@pytest.fixture(scope="module")
def table():
    random = np.random.default_rng(0)
    rows = 200
    table = pd.DataFrame(
        {
            "age": random.normal(size=rows),
            "city": random.choice(["Graz", "Linz", "Wien"], rows),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 400, rows), "D"),
        }
    )
    table["kind"] = np.where(
        table["age"] > 0.5, "old", np.where(table["city"] == "Graz", "local", "other")
    )
    return table


@pytest.fixture(scope="module")
def model(table):
    return an.AutoClassifier(time_limit=0.1, seed=0, verbose=0).fit(table, "kind")


@pytest.mark.parametrize("column", ["age", "city", "day"])
def test_means_are_those_of_tables_with_one_value(model, table, column):
    found = model.partial_dependence(table, column, points=5, target="old")
    assert list(found.columns) == ["value", "mean"]
    assert len(found) == (3 if column == "city" else 5)
    for value, mean in found.itertuples(index=False):
        given = table.drop(columns="kind").assign(**{column: value})
        expected = model.predict_proba(given)[:, list(model.classes_).index("old")].mean()
        assert mean == pytest.approx(expected, abs=1e-5)


def test_individual_curves_average_to_the_mean(model, table):
    found = model.partial_dependence(table, "age", points=4, kind="individual", rows=50)
    assert list(found.columns) == ["target", "value", "row", "prediction"]
    assert len(found) == 3 * 4 * 50 and found["row"].nunique() == 50
    means = model.partial_dependence(table, "age", points=4, rows=50)
    again = found.groupby(["target", "value"])["prediction"].mean()
    np.testing.assert_allclose(means.set_index(["target", "value"])["mean"], again, atol=1e-6)
    both = model.partial_dependence(table, "age", points=4, rows=50, kind="both", target="old")
    assert both["row"].isna().sum() == 4 and len(both) == 4 + 4 * 50


def test_scikit_learn_inspects_the_estimators(model, table):
    x = table.drop(columns="kind")
    found = partial_dependence(model, x, ["age"], grid_resolution=5, kind="average")
    grid = found["grid_values"][0]
    for k, name in enumerate(model.classes_):
        means = [model.predict_proba(x.assign(age=value))[:, k].mean() for value in grid]
        np.testing.assert_allclose(found["average"][k], means, atol=1e-5, err_msg=name)
    by_name = partial_dependence(model, x, ["city"], categorical_features=["city"])
    assert by_name["grid_values"][0].tolist() == ["Graz", "Linz", "Wien"]


@pytest.mark.parametrize(
    "given, words",
    [
        ({"column": "agee"}, "age"),
        ({"column": 3}, "column must be"),
        ({"column": np.ones(2)}, "column must be"),
        ({"column": "age", "kind": "all"}, "kind"),
        ({"column": "age", "points": 1}, "points"),
        ({"column": "age", "target": "young"}, "'young'"),
        ({"column": "age", "rows": 0}, "rows"),
    ],
)
def test_wrong_arguments_are_named(model, table, given, words):
    with pytest.raises(ValueError, match=words) as caught:
        model.partial_dependence(table, **given)
    assert "\n" not in str(caught.value)


def test_a_table_without_a_column_or_without_rows_is_refused(model, table):
    for column in ("age", "city"):
        with pytest.raises(ValueError, match=f"missing: '{column}'"):
            model.partial_dependence(table.drop(columns=column), column)
    with pytest.raises(ValueError, match="at least one row"):
        model.partial_dependence(table[:0], "age")
