"""Costs of errors: the class of the least expected cost, in closed form and by brute force."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.automl.deciding.asked import Asked
from adaptive_nets.automl.deciding.costs import read_costs
from adaptive_nets.automl.targets import Classes

TWO = Classes(np.array(["no", "yes"], dtype=object), "y")
THREE = Classes(np.array([1, 2, 5]), "y")
RNG = np.random.default_rng(0)


def drawn(rows, classes):
    p = RNG.dirichlet(np.ones(classes), rows)
    return p / p.sum(axis=1, keepdims=True)


def cheapest(p, costs):
    """The expected cost of each prediction, one by one."""
    classes = range(len(costs))
    expected = [[sum(row[i] * costs[i][j] for i in classes) for j in classes] for row in p]
    return np.array(expected)


@pytest.mark.parametrize("target", [TWO, THREE])
def test_the_least_expected_cost_is_predicted(target):
    count = len(target.labels)
    for _ in range(20):
        costs = RNG.uniform(1, 9, (count, count)) * (1 - np.eye(count)) + np.eye(count) * 0.5
        p = drawn(200, count)
        rule = Asked(target, costs=read_costs(target, costs)).rule
        expected = cheapest(p, costs)
        chosen = rule.chosen(p)
        np.testing.assert_allclose(
            expected[np.arange(200), chosen], expected.min(axis=1), rtol=1e-6
        )
        codes = RNG.integers(0, count, 200)
        found = np.mean([costs[i][j] for i, j in zip(codes, chosen, strict=True)])
        assert rule.cost(codes, chosen, None) == pytest.approx(found)


def test_the_threshold_of_two_classes_in_closed_form():
    # A miss costs four times a false alarm: p >= 1 / 5.
    rule = Asked(TWO, costs=read_costs(TWO, {("yes", "no"): 4})).rule
    assert rule.threshold == pytest.approx(0.2)
    assert rule.chosen(np.array([[0.81, 0.19], [0.8, 0.2]])).tolist() == [0, 1]
    assert Asked(TWO, costs=read_costs(TWO, [[0, 0], [1, 0]])).rule.threshold == 0.0
    assert Asked(TWO, costs=read_costs(TWO, [[0, 1], [0, 0]])).rule.threshold == 1.0
    # A gain of right decisions counts as much as a cost of wrong ones.
    assert Asked(TWO, costs=read_costs(TWO, [[2, 3], [8, 4]])).rule.threshold == 0.2


def test_all_forms_say_the_same():
    pairs = {(1, 2): 3.0, (2, 1): 2, (5, 1): 0, (1, 1): 0}
    matrix = np.array([[0, 3, 1], [2, 0, 1], [0, 1, 0.0]])
    frame = pd.DataFrame(matrix, index=[1, 2, 5], columns=[1, 2, 5]).loc[[5, 1, 2], [2, 5, 1]]
    for form in (pairs, matrix, matrix.tolist(), frame):
        np.testing.assert_array_equal(read_costs(THREE, form), matrix)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("soup", "costs must be a dict such as"),
        (5, "2 x 2 in the order of the classes no, yes.*Received: costs=5"),
        ({}, "costs must be a dict such as"),
        ({"no": 1}, "Received: the key 'no'"),
        ({("no", "maybe"): 1}, r"costs must name classes.*Received: \('no', 'maybe'\)"),
        ({("no", 1): 1}, "costs must name classes"),
        ({("no", "yes"): -1}, "finite number >= 0.*-1"),
        ({("no", "yes"): float("nan")}, "finite number >= 0.*nan"),
        ({("no", "yes"): "5"}, "finite number >= 0"),
        (np.ones((3, 3)), "2 x 2"),
        ([[0, 1]], "2 x 2"),
        ([[0, -1], [1, 0]], r"costs\[0\]\[1\] must be a finite number >= 0"),
        ([[0, float("nan")], [1, 0]], "finite number >= 0.*nan"),
        ([[0, "a"], [1, 0]], "costs must be a dict such as"),
        ([[0, 1], [1, 2]], "must not be larger for the right prediction.*2 for the class 'yes'"),
        (np.ones((2, 2)), "all alike"),
        (pd.DataFrame([[0, 1], [1, 0]]), "costs must name classes"),
        (pd.DataFrame([[0, 1]], ["no"], ["no", "yes"]), "one row and one column for each"),
    ],
)
def test_costs_that_say_nothing_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        read_costs(TWO, given)
    with pytest.raises(ValueError, match=message):
        x, y = table()
        an.AutoClassifier(time_limit=0.01, seed=0, verbose=0, costs=given).fit(x, y)


def table(rows=400):
    rng = np.random.default_rng(1)
    x = pd.DataFrame({"a": rng.normal(size=rows), "b": rng.choice(["u", "v"], rows)})
    return x, np.where(x["a"] + rng.normal(size=rows) > 1, "yes", "no")


def test_a_front_decides_by_costs(tmp_path):
    x, y = table()
    settings = {"time_limit": 0.01, "seed": 0, "verbose": 0}
    plain = an.AutoClassifier(**settings).fit(x, y)
    model = an.AutoClassifier(**settings, costs={("yes", "no"): 9}).fit(x, y)
    p = plain.predict_proba(x)
    np.testing.assert_array_equal(model.predict_proba(x), p)
    assert model.threshold_ == pytest.approx(0.1) and plain.threshold_ == 0.5
    assert plain.decision_ is None and str(model.decision_).endswith("0.1, from the costs")
    expected = np.where(p[:, 1] >= np.float32(0.1), "yes", "no")
    np.testing.assert_array_equal(model.predict(x), expected)
    paid = model.evaluate(x, y)["cost"]
    assert paid == pytest.approx(np.mean(np.where(y == "yes", 9, 1) * (y != expected)))
    assert "cost" in model.leaderboard() and "cost" not in plain.leaderboard()
    # It is kept, and served.
    again = an.automl.load(model.save(tmp_path / "saved"))
    np.testing.assert_array_equal(again.predict(x), expected)
    served = tf.saved_model.load(again.export(tmp_path / "served"))
    given = {n: tf.constant(values) for n, values in again.schema_.read(x).items()}
    outputs = served.signatures["serving_default"](**given)
    assert [each.decode() for each in outputs["classes"].numpy()] == expected.tolist()
    np.testing.assert_allclose(outputs["probabilities"], p, atol=1e-6)


def test_costs_of_several_classes_are_served(tmp_path):
    x, _ = table()
    y = np.digitize(x["a"] + np.random.default_rng(2).normal(size=len(x)), [-0.5, 0.5])
    costs = np.array([[0, 1, 8], [1, 0, 1], [2, 1, 0]])
    model = an.AutoClassifier(time_limit=0.01, seed=0, verbose=0, costs=costs).fit(x, y)
    expected = cheapest(model.predict_proba(x), costs).argmin(axis=1)
    np.testing.assert_array_equal(model.predict(x), expected)
    assert (expected != model.predict_proba(x).argmax(axis=1)).any()
    served = tf.saved_model.load(model.export(tmp_path / "served"))
    given = {n: tf.constant(values) for n, values in model.schema_.read(x).items()}
    outputs = served.signatures["serving_default"](**given)
    np.testing.assert_array_equal(outputs["classes"], expected)
    with pytest.raises(AttributeError, match="threshold_ is for two classes"):
        _ = model.threshold_
    with pytest.raises(ValueError, match="set_threshold is for two classes.*of 3 classes"):
        model.set_threshold(0.5)
