"""Targets that would lose something if they were taken for numbers or classes."""

import decimal

import numpy as np
import pandas as pd
import pytest

import adaptive_nets as an
from adaptive_nets.automl.targets import read_labels, read_numbers

X = np.arange(24.0).reshape(12, 2)
MASKED = np.ma.masked_equal(np.arange(12), 5)


@pytest.mark.parametrize(
    "y",
    [
        np.arange(12) + 1j,
        np.array([1.0, 2j], dtype=object),
        pd.date_range("2024-01-01", periods=3).to_numpy(),
        np.array([np.timedelta64(1, "D"), np.timedelta64(2, "D")]),
        np.array([1.0, "2"], dtype=object),
    ],
    ids=["complex", "complex object", "dates", "durations", "text"],
)
def test_only_real_numbers_are_numbers(y):
    with pytest.raises(ValueError, match="'y' must be numbers"):
        read_numbers(y, "y")


def test_exact_numbers_of_python_are_numbers():
    y = np.array([1, 2.5, decimal.Decimal("0.25"), np.int64(7)], dtype=object)
    np.testing.assert_array_equal(read_numbers(y, "y"), [1, 2.5, 0.25, 7])


def test_true_is_not_the_class_1():
    with pytest.raises(ValueError, match="values of one kind"):
        read_labels(np.array([True, 1, 2], dtype=object), "y")


@pytest.mark.parametrize("kind", [an.AutoClassifier, an.AutoRegressor])
def test_masked_labels_and_weights_are_refused(kind):
    model = kind(time_limit=0.01, seed=0, verbose=0)
    with pytest.raises(ValueError, match="missing in 1 of 12 rows, first in row 5"):
        model.fit(X, MASKED)
    y = np.arange(12) % 2 if kind is an.AutoClassifier else X[:, 0] ** 2
    with pytest.raises(ValueError, match="sample_weight"):
        model.fit(X, y, sample_weight=MASKED)


def test_masked_features_are_missing():
    x = np.ma.masked_array(X, mask=np.zeros(X.shape, bool))
    x[3, 1] = np.ma.masked
    model = an.AutoRegressor(time_limit=0.01, seed=0, verbose=0).fit(X, X[:, 0] ** 2)
    nan = np.where(np.ma.getmaskarray(x), np.nan, X)
    np.testing.assert_array_equal(model.predict(x), model.predict(nan))
    assert (model.predict(x) != model.predict(X)).any()
