"""ConvexAdaNet as an estimator: scikit-learn's own checks, and what it refuses."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from adaptive_nets.adanet.convex.classifier import ConvexAdaNet

X = np.random.default_rng(0).normal(size=(30, 2))
Y = (X[:, 0] > 0).astype(int)


@parametrize_with_checks(
    [
        ConvexAdaNet(),
        ConvexAdaNet(
            "exponential", 1.5, adanet_beta=0.01, max_depth=3, corrective_passes=1, max_iterations=9
        ),
    ]
)
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"p": 0.5}, r"p must be a finite number >= 1 and <= 2\. Received: p=0\.5\."),
        ({"p": 2.5}, "Received: p=2.5"),
        ({"p": float("nan")}, "Received: p=nan"),
        ({"p": "2"}, "Received: p='2'"),
        (
            {"norm_bound": 0.0},
            r"norm_bound must be a finite number > 0.* Received: norm_bound=0\.0",
        ),
        ({"norm_bound": -1}, "Received: norm_bound=-1"),
        ({"norm_bound": [1.0, -1.0]}, r"norm_bound\[1\] must be a finite number > 0"),
        ({"norm_bound": [1.0]}, "norm_bound must be one number, or one for each of 2 layers"),
        ({"norm_bound": None}, "Received: norm_bound=None"),
        ({"adanet_lambda": -1e-9}, "adanet_lambda must be a finite number >= 0"),
        ({"adanet_lambda": float("inf")}, "Received: adanet_lambda=inf"),
        ({"adanet_beta": -0.1}, "adanet_beta must be a finite number >= 0"),
        ({"tolerance": -1.0}, "tolerance must be a finite number >= 0"),
        ({"surrogate": "hinge"}, "surrogate must be one of 'logistic', 'exponential'"),
        ({"activation": "gelu"}, "activation must be one of 'relu', 'tanh', 'linear'"),
        ({"activation": ["relu"]}, "Received: activation="),
        ({"complexity": "std"}, "complexity must be 'rademacher', 'sqrt_depth' or a function"),
        ({"complexity": lambda depth: -1.0}, r"Received: complexity\(1\)=-1\.0"),
        (
            {"complexity": lambda depth: None},
            r"complexity\(1\) must be a finite number >= 0\. Received.*None",
        ),
        ({"max_iterations": 0}, "max_iterations must be an integer >= 1"),
        ({"max_iterations": 1.5}, "Received: max_iterations=1.5"),
        ({"max_depth": True}, "Received: max_depth=True"),
        ({"corrective_passes": -1}, "corrective_passes must be an integer >= 0"),
        ({"fit_intercept": "no"}, "fit_intercept must be True or False"),
    ],
    ids=lambda value: None if isinstance(value, str) else str(next(iter(value))),
)
def test_a_wrong_setting_is_refused_by_name(setting, message):
    with pytest.raises(ValueError, match=message):
        ConvexAdaNet(**setting).fit(X, Y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.arange(30) % 3, "Only binary classification is supported"),
        (np.zeros(30), "two classes .* Received: one class, .*0"),
        (np.linspace(0, 1, 30), "Only binary classification .* continuous"),
    ],
    ids=["three classes", "one class", "numbers"],
)
def test_wrong_labels_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        ConvexAdaNet().fit(X, y)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.full(30, -1.0), "sample_weight must be >= 0"),
        (np.zeros(30), "sample_weight must not be zero in every row"),
        (np.ones((30, 1)), r"one dimension. Received: shape \(30, 1\)"),
        (np.ones(29), "inconsistent numbers of samples"),
        (np.full(30, np.nan), "sample_weight contains NaN"),
        (Y.astype(float), "two classes among the rows of positive weight"),
    ],
    ids=["negative", "zero", "matrix", "short", "nan", "one class left"],
)
def test_wrong_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        ConvexAdaNet().fit(X, Y, sample_weight=weights)


def test_a_wrong_dtype_of_the_keras_model_is_refused():
    with pytest.raises(ValueError, match=r"'float32' or 'float64'. Received: dtype='int8'"):
        ConvexAdaNet(max_iterations=1).fit(X, Y).to_keras("int8")


def test_string_labels_come_back():
    names = np.where(Y == 1, "yes", "no")
    model = ConvexAdaNet().fit(X, names)
    np.testing.assert_array_equal(model.classes_, ["no", "yes"])
    f = model.decision_function(X)
    np.testing.assert_array_equal(model.predict(X), np.where(f > 0, "yes", "no"))
    assert model.score(X, names) == 1.0
