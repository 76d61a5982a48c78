"""The estimators where scikit-learn expects its own."""

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingRegressor
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import (
    check_fit_idempotent,
    check_methods_subset_invariance,
    parametrize_with_checks,
)

import adaptive_nets as an
from adaptive_nets.automl import searching

# A time limit that leaves no time for a search: the linear model.
QUICK = {"time_limit": 0.01, "seed": 0, "verbose": 0}
STATISTICS = "statistics of the columns count every row once, whatever its weight"
ROUNDING = "in float32 the last bit depends on a row's place in the batch"
RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(RNG.normal(size=(90, 3)), columns=["a", "b", "c"])
LABELS = np.where(TABLE["a"] > 0, "high", "low")


def expected_to_fail(estimator):
    """Checks of scikit-learn that cannot pass, and why."""
    return {
        "check_sample_weight_equivalence_on_dense_data": STATISTICS,
        "check_methods_sample_order_invariance": ROUNDING,
    }


@parametrize_with_checks(
    [an.AutoClassifier(**QUICK), an.AutoRegressor(**QUICK)],
    expected_failed_checks=expected_to_fail,
)
def test_check_estimator(estimator, check):
    check(estimator)


@pytest.fixture
def searches(monkeypatch):
    """The searches of a test, which are short."""
    made = []

    def short(*args, **settings):
        made.append(an.AdaNet(*args, **settings, max_iterations=1, steps_per_iteration=20))
        return made[-1]

    monkeypatch.setattr(searching, "AdaNet", short)
    return made


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (an.AutoClassifier, check_methods_subset_invariance),
        (an.AutoRegressor, check_fit_idempotent),
    ],
)
def test_checks_hold_after_a_search_too(kind, check, generator, searches):
    check("front", kind(generator=generator, seed=0, verbose=0))
    assert all(search.stop_reason for search in searches) and searches


SEARCHED = {"generator": an.generators.Tabular("mlp", members=1, width=8), "seed": 0, "verbose": 0}


@pytest.mark.exhaustive
@parametrize_with_checks(
    [an.AutoClassifier(**SEARCHED), an.AutoRegressor(**SEARCHED)],
    expected_failed_checks=lambda _: {"check_sample_weight_equivalence_on_dense_data": STATISTICS},
)
def test_check_estimator_with_a_search(estimator, check, searches):
    check(estimator)
    assert all(search.stop_reason for search in searches)


def test_models_are_chosen_compared_and_explained():
    model = an.AutoClassifier(**QUICK)
    assert is_classifier(model) and is_regressor(an.AutoRegressor())
    assert clone(model).get_params() == model.get_params()
    line = make_pipeline(StandardScaler().set_output(transform="pandas"), model)
    assert cross_val_score(line, TABLE, LABELS, cv=3).min() > 0.8
    grid = GridSearchCV(model, {"metric": ["auto", "accuracy"]}, cv=2, scoring="neg_log_loss")
    best = grid.fit(TABLE, LABELS).best_estimator_
    found = permutation_importance(best, TABLE, LABELS, n_repeats=2, random_state=0)
    assert found.importances_mean.argmax() == 0


def test_estimators_of_estimators_take_tables_and_weights(tmp_path):
    model, weights = an.AutoClassifier(**QUICK), RNG.random(len(TABLE)) + 0.1
    scores = cross_validate(model, TABLE, LABELS, cv=2, scoring=["accuracy", "neg_log_loss"])
    assert scores["test_accuracy"].min() > 0.8 and np.isfinite(scores["test_neg_log_loss"]).all()
    stack = StackingClassifier([("front", model)], LogisticRegression(), cv=2)
    calibrated = CalibratedClassifierCV(model, cv=2)
    vote = VotingRegressor([("front", an.AutoRegressor(**QUICK))])
    for outer, y in ((stack, LABELS), (calibrated, LABELS), (vote, TABLE["a"])):
        assert outer.fit(TABLE, y).score(TABLE, y) > 0.8
    with sklearn.config_context(enable_metadata_routing=True):
        asked = clone(model).set_fit_request(sample_weight=True)
        line = make_pipeline(FunctionTransformer(), asked).fit(TABLE, LABELS, sample_weight=weights)
    alone = clone(model).fit(TABLE, LABELS, sample_weight=weights)
    expected = alone.predict_proba(TABLE)
    np.testing.assert_array_equal(line.predict_proba(TABLE), expected)
    joblib.dump(alone, tmp_path / "model.joblib")
    again = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(again.predict_proba(TABLE), expected)
    assert again.feature_names_in_.tolist() == list(TABLE) and again.n_features_in_ == 3


def test_names_are_those_of_scikit_learn_for_arrays():
    model = an.AutoClassifier(**QUICK).fit(TABLE.to_numpy(), LABELS)
    assert model.schema_.names == ["x0", "x1", "x2"] and not hasattr(model, "feature_names_in_")
    with pytest.warns(UserWarning, match="X has feature names, but AutoClassifier was fitted"):
        found = model.predict_proba(TABLE)
    np.testing.assert_array_equal(found, model.predict_proba(TABLE.to_numpy()))
    with pytest.raises(ValueError, match="X has 2 features, but AutoClassifier is expecting 3"):
        model.predict(TABLE[["a", "b"]])


@pytest.mark.parametrize("kind", [an.AutoClassifier, an.AutoRegressor])
def test_what_is_not_known_before_fit_says_so(kind):
    for name in ("schema_", "search_", "model_", "stop_reason_"):
        with pytest.raises(AttributeError, match=f"{name} is known once fit has been called"):
            getattr(kind(), name)
