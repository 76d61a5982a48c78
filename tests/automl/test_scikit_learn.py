"""The estimators where scikit-learn expects its own."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import adaptive_nets as an

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


@pytest.mark.parametrize("kind", [an.AutoClassifier, an.AutoRegressor])
def test_what_is_not_known_before_fit_says_so(kind):
    for name in ("schema_", "search_", "model_", "stop_reason_"):
        with pytest.raises(AttributeError, match=f"{name} is known once fit has been called"):
            getattr(kind(), name)
