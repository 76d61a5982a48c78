"""Folds: what networks say of rows that they have not seen tells of decisions and intervals."""

import numpy as np
import pandas as pd
import pytest

import adaptive_nets as an
from adaptive_nets.automl.judging.coverage import coverage_table
from adaptive_nets.automl.judging.temperature import Temperature
from adaptive_nets.automl.judging.unseen import Unseen
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.losses.unit import in_own_unit
from adaptive_nets.automl.settings import Settings

ROWS, PEOPLE = 240, 40


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    x = pd.DataFrame({"a": rng.normal(size=ROWS), "b": rng.choice(list("uvw"), ROWS)})
    x["who"] = np.repeat(np.arange(PEOPLE), ROWS // PEOPLE)
    y = 300 + 90 * np.abs(x["a"]) + 9 * (x["b"] == "u") + 9 * rng.normal(size=ROWS)
    return x, y.to_numpy(), np.where(y > 390, "dear", "cheap")


@pytest.fixture(scope="module")
def regressor(table, short_search, generator):
    model = an.AutoRegressor(generator=generator, folds=2, repeats=2, seed=0, verbose=0)
    return model.fit(table[0], table[1], groups="who")


@pytest.fixture(scope="module")
def classifier(table, short_search, generator):
    model = an.AutoClassifier(
        generator=generator, folds=2, metric="f1", class_weight={"dear": 12.0}, seed=0, verbose=0
    )
    return model.fit(table[0], table[2])


def test_logits_of_the_search_mean_what_the_served_model_says(table, regressor, classifier):
    for model in (regressor, classifier):
        fitted, x = model._fitted, table[0]
        # A linear model has no networks that have not seen rows.
        assert fitted.choice.kind == "ensemble"
        logits = model.search_.predict(x, output="logits" if model is classifier else None)
        found = fitted.asked.as_they_are(fitted.read(in_own_unit(fitted.target, logits)))
        np.testing.assert_allclose(found, fitted.outputs(x), rtol=1e-4, atol=1e-4)


def test_intervals_are_measured_on_training_rows_too(table, regressor):
    (scores,) = regressor._fitted.intervals.scores
    assert len(scores) == ROWS
    settings = regressor.search_.settings
    assert (settings.folds, settings.repeats, settings.networks) == (2, 2, 4)
    low, high = regressor.predict_interval(table[0], 0.8).T
    # Rows of the training are predicted better by networks that have seen them.
    assert ((low <= table[1]) & (table[1] <= high)).mean() > 0.75
    # Half the width is the score of a row that none of its networks has seen.
    np.testing.assert_allclose((high - low) / 2, scores[int(np.ceil(0.8 * (ROWS + 1))) - 1])


def test_held_out_rows_measure_intervals_of_training_rows(regressor):
    fitted = regressor._fitted
    held = fitted.rows.held
    found = coverage_table(fitted.intervals, held.y, fitted.outputs(held.x), None, own=True)
    for coverage, share in found.set_index("coverage")["held"].items():
        low, high = regressor.predict_interval(held.x, coverage).T
        assert share == pytest.approx(((low <= held.y) & (held.y <= high)).mean())


def test_a_threshold_is_tuned_on_training_rows(table, classifier, tmp_path):
    decision = classifier.decision_
    held = classifier._fitted.rows.held
    assert (decision.origin, decision.kind) == ("tuned", "out-of-fold")
    assert decision.rows == ROWS - len(held.y) > len(held.y)
    assert f"{decision.rows} out-of-fold rows" in str(decision)
    assert decision.after > decision.before
    again = an.automl.load(classifier.save(tmp_path / "saved"))
    assert str(again.decision_) == str(decision)
    # What the leaderboard says is of rows that it was not tuned on.
    found = (classifier.predict(held.x) == "dear", np.array(held.y) == "dear")
    f1 = 2 * np.sum(found[0] & found[1]) / (found[0].sum() + found[1].sum())
    assert classifier.leaderboard().iloc[-1]["f1"] == pytest.approx(f1)


@pytest.mark.exhaustive
@pytest.mark.parametrize("output", ["mean", "distribution"])
def test_linear_models_of_folds_tell_of_rows_too(output, table, short_search, generator):
    """Where a linear model is served, its like are fitted without each fold."""
    if output == "distribution":
        pytest.importorskip("tensorflow_probability", reason="needs the extra probability")
    x = table[0][["a"]]
    y = (5.0 + 3.0 * x["a"] + np.random.default_rng(1).normal(size=ROWS)).to_numpy()
    model = an.AutoRegressor(generator=generator, folds=3, output=output, seed=0, verbose=0)
    model.fit(x, y)
    assert model._fitted.choice.kind == "linear"
    assert len(model._fitted.groups.scores) == ROWS
    low, high = model.predict_interval(x, 0.8).T
    assert ((low <= y) & (y <= high)).mean() == pytest.approx(0.8, abs=0.03)


def test_probabilities_are_cooled_as_the_model_is():
    p = np.array([[0.9, 0.1], [0.5, 0.5]])
    rows = Labelled(pd.DataFrame({"a": [1, 2]}), np.array([0, 1]), None)
    found = Unseen(rows, p).cooled(Temperature(2.0, 2, {}, {})).outputs
    odds = np.sqrt(9.0)
    np.testing.assert_allclose(found, [[odds / (1 + odds), 1 / (1 + odds)], [0.5, 0.5]])
    weighted = Unseen(Labelled(rows.x, rows.y, np.array([2.0, 3.0])), p)
    joined = Unseen(rows, p).joined(weighted)
    assert joined.rows.w.tolist() == [1.0, 1.0, 2.0, 3.0] and len(joined.outputs) == 4


def test_folds_that_are_not_asked_for_are_no_more_than_rows_and_groups_allow():
    def folds(rows, groups=None, **given):
        settings = Settings.of(an.AutoRegressor(preset="best", **given), "rmse")
        found = settings.for_rows(rows, groups)
        return found.folds, found.repeats

    assert folds(100) == (8, 1) and folds(9) == (4, 1) and folds(3, repeats=2) == (None, 1)
    assert folds(100, np.arange(100) % 3, repeats=2) == (3, 2)
    with pytest.raises(ValueError, match="folds=8 requires at least 16 training rows"):
        folds(9, folds=8)


@pytest.mark.parametrize(
    ("settings", "given", "words"),
    [
        ({"repeats": 2}, {}, "requires folds. Pass folds=5.*repeats=2"),
        ({"folds": 2, "repeats": 0}, {}, "repeats must be an integer >= 1"),
        ({"folds": 2, "repeats": 2.5}, {}, "repeats must be an integer"),
        ({"folds": 2, "repeats": 2}, {"time": "a"}, "does not go with time"),
        ({"preset": "best", "repeats": 2}, {"time": "a"}, "does not go with time"),
        ({"folds": 2}, {"time": "a"}, "does not go with time"),
        ({"folds": 2, "repeats": 2}, {"validation_data": 0}, "either validation_data or repeats"),
        ({"folds": 60}, {"groups": "who"}, "folds=60 requires at least"),
    ],
)
def test_what_makes_no_sense_is_refused(settings, given, words, table, generator):
    x, y, _ = table
    if "validation_data" in given:
        given = {"validation_data": (x[:30], y[:30])}
    model = an.AutoRegressor(generator=generator, seed=0, verbose=0, **settings)
    with pytest.raises(ValueError, match=words) as caught:
        model.fit(x, y, **given)
    assert "\n" not in str(caught.value)
