"""Labels of all kinds, and what is refused; with the linear model, which takes no time."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

import adaptive_nets as an

RNG = np.random.default_rng(0)
X = pd.DataFrame({"a": RNG.normal(size=60), "b": RNG.choice(["u", "v"], 60)})
CODES = np.where(X["a"] > 0, 1, 0)


def quick(**settings):
    return an.AutoClassifier(**{"time_limit": 0.01, "seed": 0, "verbose": 0, **settings})


@pytest.mark.parametrize(
    "classes",
    [["no", "yes"], [False, True], [3, 7], [-1.0, 1.0], ["b", "a", "c"], [0, 1]],
    ids=["text", "booleans", "integers", "floats", "three", "codes"],
)
def test_labels_come_back_as_they_came(classes):
    codes = CODES + (X["b"] == "v") if len(classes) == 3 else CODES
    y = np.array(classes)[codes]
    model = quick().fit(X, pd.Series(y, name="label"))
    assert model.classes_.tolist() == sorted(classes)
    predicted, shares = model.predict(X), model.predict_proba(X)
    assert set(predicted) <= set(classes) and (predicted == y).mean() > 0.8
    np.testing.assert_array_equal(predicted, model.classes_[shares.argmax(axis=1)])
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    found = model.evaluate(X, y)
    assert found["log_loss"] == pytest.approx(log_loss(y, shares, labels=model.classes_))
    assert found["accuracy"] == pytest.approx(model.score(X, y))
    assert model.stop_reason_ == "time limit"
    with pytest.raises(AttributeError, match="no search_"):
        _ = model.search_


@pytest.mark.parametrize(
    ("table", "y", "message"),
    [
        (X.assign(y=CODES), "Y", "has no column 'Y' [(]is it 'y'[?][)]"),
        (pd.DataFrame({"y": CODES}), "y", "at least one other column"),
        (X, None, "requires y to be passed"),
        (X, np.where(CODES, 1.0, np.nan), "'y' is missing in 28 of 60 rows, first in row"),
        (X, pd.Series(["x"] * 60, name="z"), "The target 'z' has one class"),
        (X, [f"id{k}" for k in range(60)], "60 classes in 60 rows: it looks like an id"),
        (X, X["a"], "Unknown label type: continuous"),
        (X, ["x", 1] * 30, "must hold values of one kind"),
        (X[:0], CODES[:0], "0 sample"),
        (X[:1], ["x"], "Expected at least 2 rows"),
        (X, CODES[:5], "inconsistent numbers of samples"),
    ],
    ids=range(11),
)
def test_what_cannot_be_learnt_is_refused_in_a_line(table, y, message):
    with pytest.raises(ValueError, match=message) as raised:
        quick().fit(table, y)
    assert "\n" not in str(raised.value).split(" You may")[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metric": "acuracy"}, "such as accuracy"),
        ({"preset": "medium"}, "preset"),
        ({"time_limit": -1}, "time_limit"),
        ({"folds": 1}, "folds must be 'auto'"),
        ({"verbose": "loud"}, "verbose"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_are_checked_before_the_data(settings, message):
    with pytest.raises(ValueError, match=message):
        quick(**settings).fit(None, None)
    with pytest.raises(TypeError, match="schema must be"):
        quick(schema=3).fit(None, None)


def test_rows_of_weight_0_are_left_out():
    y = np.where(CODES, "yes", "no")
    weights = np.where(np.arange(60) < 40, 1.0, 0.0)
    first = quick().fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(
        first.predict_proba(X), quick().fit(X[:40], y[:40]).predict_proba(X), atol=1e-6
    )
    for wrong in (weights * 0, -weights, weights[:5], weights * np.nan):
        with pytest.raises(ValueError, match="sample_weight"):
            quick().fit(X, y, sample_weight=wrong)


def test_a_schema_and_held_out_rows_can_be_given():
    y = np.where(CODES, "yes", "no")
    schema = an.data.Schema.infer(X, kinds={}).replace(b="ignore")
    model = quick(schema=schema, metric="balanced_accuracy")
    model.fit(X[:40], y[:40], validation_data=(X[40:], y[40:]))
    assert model.schema_ is schema
    served = model.leaderboard().iloc[-1]
    assert served["accuracy"] == pytest.approx(model.score(X[40:], y[40:]))
    assert list(model.evaluate(X, y)) == ["balanced_accuracy", "log_loss", "accuracy", "roc_auc"]
    with pytest.raises(ValueError, match="must be one of its 2 classes, 'no', 'yes'"):
        model.evaluate(X[:1], ["perhaps"])


def test_numbers_as_targets():
    model = an.AutoRegressor(time_limit=0.01, seed=0)
    y = 1e5 + 300 * X["a"].to_numpy()
    assert model.fit(X, y).evaluate(X, y)["r2"] > 0.9
    both = model.fit(X, np.stack([y, -y], axis=1)).predict(X)
    np.testing.assert_allclose(both[:, 0], -both[:, 1], rtol=1e-5)
    for wrong, message in (
        (np.where(CODES, "x", "y"), "must be numbers; classes are predicted by AutoClassifier"),
        (y * np.inf, "infinity"),
        (np.arange(200.0), "it looks like an id"),
    ):
        table = pd.concat([X] * 4)[: len(wrong)]
        with pytest.raises(ValueError, match=message):
            model.fit(table, wrong)


def counted(y, factors):
    """Weights that say the same as a `class_weight`."""
    return np.array([factors[label] for label in y.tolist()])


def as_weighted(model, x, factors):
    """The probabilities of rows that have the weights of their classes."""
    found = model.predict_proba(x) * [factors[label] for label in model.classes_.tolist()]
    return found / found.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("classes", "form"),
    [
        (["no", "yes"], lambda factors: "balanced"),
        ([False, True], dict),
        ([3, 7], pd.Series),
        ([-1.0, 1.0], lambda factors: list(factors.values())),
    ],
    ids=["balanced", "dict", "series", "list"],
)
def test_weights_of_classes_are_weights_of_their_rows(classes, form):
    y = np.array(classes)[CODES * (X["b"] == "v").to_numpy()]
    factors = {label: 30 / (y == label).sum() for label in classes}
    model = quick(class_weight=form(factors)).fit(X, y)
    other = quick().fit(X, y, sample_weight=counted(y, factors))
    np.testing.assert_array_equal(model.predict(X), other.predict(X))
    found = as_weighted(model, X, factors)
    np.testing.assert_allclose(found, other.predict_proba(X), atol=1e-6)
    assert found[:, 1].mean() > (y == classes[1]).mean() + 0.05


def test_balanced_classes_count_weights_and_held_out_rows_too():
    y, weights = np.where(CODES, "yes", "no"), RNG.random(60) + 0.1
    total = {label: weights[y == label].sum() for label in ("no", "yes")}
    factors = {label: sum(total.values()) / 2 / total[label] for label in total}
    both = weights * counted(y, factors)
    held = (X[::2], y[::2], weights[::2])
    model = quick(class_weight="balanced").fit(X, y, weights, held)
    other = quick().fit(X, y, both, (X[::2], y[::2], both[::2]))
    found = as_weighted(model, X, factors)
    np.testing.assert_allclose(found, other.predict_proba(X), atol=1e-6)
    found, expected = (
        m.leaderboard()[columns].to_numpy("float64")
        for m, columns in ((model, ["weighted_log_loss"]), (other, ["log_loss"]))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("soup", "must be 'balanced', a dict"),
        ({"maybe": 2.0}, "class_weight must name classes of the target"),
        ({1: 2.0}, "class_weight must name classes of the target"),
        ({"yes": -1.0}, "class_weight.*-1.0"),
        ({"yes": 0.0}, "must be greater than 0 for every class.*Received: 0 for 'yes'"),
        ({"yes": float("nan")}, "class_weight.*nan"),
        ([1.0], "one weight for each of the 2 classes"),
        (3, "must be 'balanced', a dict"),
    ],
)
def test_weights_of_classes_that_say_nothing_are_refused(given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        quick(class_weight=given).fit(X, np.where(CODES, "yes", "no"))


@pytest.mark.parametrize("kind", [an.AutoClassifier, an.AutoRegressor])
def test_rows_of_weight_0_are_rows_that_are_not_there(kind):
    y = CODES + (X["b"] == "v") * (kind is an.AutoRegressor)
    dropped = np.arange(60) % 4 == 0
    wild = X.assign(a=X["a"].where(~dropped, 1e9), b=X["b"].where(~dropped, "w"))
    settings = {"time_limit": 0.01, "seed": 0, "verbose": 0}
    model = kind(**settings).fit(wild, y, sample_weight=1.0 - dropped)
    other = kind(**settings).fit(X[~dropped], y[~dropped], sample_weight=np.ones(45))
    np.testing.assert_array_equal(model.predict(X), other.predict(X))
    assert model.schema_ == other.schema_
