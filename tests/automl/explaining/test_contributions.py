"""What columns contribute to a row's prediction: Shapley values, compared with all orders."""

import itertools

import numpy as np
import pandas as pd
import pytest

import adaptive_nets as an
from adaptive_nets.automl.explaining import shapley


def _features(array):
    return {f"x{k}": column[:, None] for k, column in enumerate(array.T)}


def _function(features):
    """Interactions of all kinds; two outputs."""
    x = np.concatenate(list(features.values()), axis=1)
    return np.stack([np.prod(x[:, :3], axis=1) + x.max(axis=1), np.sin(x.sum(axis=1))], axis=1)


def _by_all_orders(array, row):
    """Shapley values by their definition."""
    width = array.shape[1]
    found, orders = 0.0, list(itertools.permutations(range(width)))
    for order in orders:
        mixed, before = array.copy(), _function(_features(array)).mean(axis=0)
        each = np.zeros((width, 2))
        for k in order:
            mixed[:, k] = row[k]
            after = _function(_features(mixed)).mean(axis=0)
            each[k], before = after - before, after
        found = found + each / len(orders)
    return found


def _explained(array, row, draws, seed=0):
    keys = [f"x{k}" for k in range(array.shape[1])]
    made = shapley.Shapley(_function, keys, _features(array), draws, seed)
    given = _features(row[None])
    return made, made.explain(given, _function(given)[0])


@pytest.mark.parametrize("width", [3, 5])
def test_few_columns_have_their_exact_shapley_values(width):
    random = np.random.default_rng(width)
    array, row = random.normal(size=(7, width)), random.normal(size=width)
    made, found = _explained(array, row, draws=2)
    assert made.exact
    np.testing.assert_allclose(found.mean, _by_all_orders(array, row), atol=1e-12)


def test_drawn_orders_add_up_and_come_near_the_exact_values(monkeypatch):
    random = np.random.default_rng(1)
    array, row = random.normal(size=(6, 5)), random.normal(size=5)
    expected = _by_all_orders(array, row)
    monkeypatch.setattr(shapley, "MOST_EXACT", 0)
    whole = _function(_features(row[None]))[0] - _function(_features(array)).mean(axis=0)
    for draws in (1, 13):
        _, found = _explained(array, row, draws)
        np.testing.assert_allclose(found.mean.sum(axis=0), whole, atol=1e-12)
    _, found = _explained(array, row, 3000)
    np.testing.assert_allclose(found.mean, expected, atol=0.02)
    # Rows of the background are drawn in turn, so that errors are at most what is stated.
    assert (np.abs(found.mean - expected) < 4 * found.error).all()


def test_one_column_contributes_all_of_it():
    made = shapley.Shapley(lambda f: f["x0"] ** 2, ["x0"], {"x0": np.array([[1.0], [3.0]])}, 1, 0)
    found = made.explain({"x0": np.array([[5.0]])}, np.array([25.0]))
    assert found.mean.tolist() == [[20.0]] and found.error[0, 0] == pytest.approx(4.0)


@pytest.fixture(scope="module")
def table():
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": random.normal(size=120),
            "city": random.choice(["Graz", "Linz", "Wien"], 120),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 400, 120), "D"),
        }
    )
    return table.assign(price=100.0 + 20.0 * table["age"] + 30.0 * (table["city"] == "Graz"))


@pytest.fixture(scope="module")
def model(table):
    return an.AutoRegressor(time_limit=0.1, seed=0, verbose=0).fit(table, "price")


def test_contributions_of_a_table_are_in_the_unit_of_the_target(model, table):
    x = table.drop(columns="price")
    rows, background = x.iloc[:2], x.iloc[50:58]
    found = model.explain(rows, background)
    assert list(found.columns) == [
        "row", "output", "feature", "value", "contribution", "standard_error", "prediction", "mean",
    ]  # fmt: skip
    assert list(found["feature"]) == ["age", "city", "day"] * 2 and set(found["output"]) == {
        "price"
    }
    assert list(found["value"][:2]) == list(rows.iloc[0, :2])
    whole = model.predict(rows) - model.predict(background).mean()
    sums = found.groupby("row")["contribution"].sum()
    np.testing.assert_allclose(sums, whole, atol=1e-4)
    # By all orders of the three columns.
    for number in range(2):
        expected = dict.fromkeys(x.columns, 0.0)
        for order in itertools.permutations(x.columns):
            mixed, before = background.copy(), model.predict(background).mean()
            for name in order:
                mixed[name] = rows[name].iloc[number]
                after = model.predict(mixed).mean()
                expected[name] += (after - before) / 6
                before = after
        own = found[found["row"] == number]["contribution"]
        np.testing.assert_allclose(own, list(expected.values()), atol=1e-3)


def test_classes_are_explained_by_their_probabilities(table):
    kinds = np.where(table["age"] > 0.5, "old", np.where(table["city"] == "Graz", "local", "other"))
    x = table[["age", "city"]]
    model = an.AutoClassifier(time_limit=0.1, seed=0, verbose=0).fit(x, kinds)
    # Training rows stand for what is not known.
    found = model.explain(x.iloc[:1], draws=10)
    assert list(found["output"].unique()) == list(model.classes_)
    assert found["contribution"].sum() == pytest.approx(0.0, abs=1e-6)
    probability = model.predict_proba(x.iloc[:1])[0]
    np.testing.assert_allclose(found["prediction"][::2], probability, atol=1e-6)
    one = model.explain(x.iloc[:1], x, target="old", draws=10)
    assert list(one["output"]) == ["old", "old"]
    same = model.explain(x.iloc[:1], x, target="old", draws=10)
    pd.testing.assert_frame_equal(one, same)


def test_what_cannot_be_explained_is_refused(model, table, tmp_path):
    x = table.drop(columns="price")
    again = an.automl.load(model.save(tmp_path / "saved"))
    with pytest.raises(ValueError, match="explain needs rows to compare with: .* background=None"):
        again.explain(x)
    assert len(again.explain(x.iloc[:1], x.iloc[:3])) == 3
    for arguments, words in [
        ((x.iloc[:0],), "X must have at least one row. Received: 0 rows"),
        ((x.iloc[:1], x.iloc[:0]), "background must have at least one row"),
        ((x.iloc[:1], x[["age"]]), "city"),
    ]:
        with pytest.raises(ValueError, match=words):
            model.explain(*arguments)
    with pytest.raises(ValueError, match="draws must be an integer >= 1"):
        model.explain(x, draws=0)
    with pytest.raises(ValueError, match="target names a class"):
        model.explain(x, target="old")
