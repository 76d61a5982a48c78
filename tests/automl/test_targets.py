"""Targets that would lose something if they were taken for numbers or classes."""

import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
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


@pytest.mark.parametrize(
    ("offset", "factor", "dtype"),
    [(0, 1, "float32"), (1e12, 1, "float64"), (0, 1e120, "float64"), (0, 1e-120, "float64"),
     (5e4, 1e4, "float32")],
)  # fmt: skip
def test_numbers_are_predicted_in_the_target_s_unit_whatever_it_is(offset, factor, dtype, tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 2))
    y = offset + factor * (x[:, 0] + x[:, 1])
    model = an.AutoRegressor(time_limit=0.01, seed=0, verbose=0).fit(x, y)
    assert model.model_.output.dtype == dtype
    assert model.evaluate(x, y)["r2"] > 0.9
    loaded = an.automl.load(model.save(tmp_path / "saved"))
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))


@pytest.mark.parametrize("factor", [1e200, 1e-200])
def test_numbers_that_cannot_be_squared_are_refused(factor):
    with pytest.raises(ValueError, match="'y' must have numbers whose squares are float64"):
        an.AutoRegressor(time_limit=0.01, verbose=0).fit(X, factor * X[:, 0] ** 2)


@pytest.mark.parametrize(
    "y",
    [
        pa.array(["u", "v"] * 6),
        pa.chunked_array([["u"] * 6, ["v"] * 6]),
        np.array([1, 2] * 6, "float16"),
        np.array([1, 2] * 6, "longdouble"),
        np.array(["u", "u\0"] * 6, dtype=object),
    ],
    ids=["arrow", "chunks", "half", "long", "nul"],
)
def test_labels_of_other_libraries_and_widths(y):
    model = an.AutoClassifier(time_limit=0.01, seed=0, verbose=0).fit(X, y)
    assert len(model.classes_) == 2 and len(model.predict(X)) == 12


@pytest.mark.parametrize("y", [{"t": [1]}, {1, 2}, 5])
def test_what_holds_no_labels_is_refused_in_a_line(y):
    with pytest.raises(TypeError, match="^y must hold one label a row[.] Received: y=[^\n]*$"):
        an.AutoClassifier(time_limit=0.01, verbose=0).fit(X, y)


def test_a_target_of_numbers_as_text_is_numbers(tmp_path):
    table = pd.DataFrame({"a": np.arange(60) % 11 / 4, "b": np.arange(60) % 7})
    numbers = 1000 * table["a"] + 2500.5
    table["y"] = [f"${value:,.2f}" for value in numbers]
    model = an.AutoRegressor(time_limit=0.01, seed=0, verbose=0).fit(table, "y")
    np.testing.assert_allclose(model.predict(table), numbers, rtol=0.1)
    table.to_csv(tmp_path / "table.csv", index=False)
    assert model.evaluate(tmp_path / "table.csv")["rmse"] == model.evaluate(table)["rmse"] < 150
    loaded = an.automl.load(model.save(tmp_path / "saved"))
    assert loaded.evaluate(table) == model.evaluate(table)
    with pytest.raises(ValueError, match="is missing in 1 of 2 rows, first in row 1"):
        model.evaluate(table[:2].assign(y=["$5.00", "n/a"]))
    with pytest.raises(ValueError, match="must be numbers; .* Received: 'five'"):
        model.evaluate(table[:2].assign(y=["$5.00", "five"]))


def test_points_between_thousands_are_none_in_rows_to_evaluate_either(tmp_path):
    numbers = 1000 + np.arange(60) * 29 % 71 * 37
    numbers[0] = 5
    lines = [f"{n:,};{n / 50}".replace(",", ".") + f";{n:,}".replace(",", ".") for n in numbers]
    (tmp_path / "all.csv").write_text("\n".join(["x;z;y", *lines]))
    (tmp_path / "few.csv").write_text("\n".join(["x;z;y", *lines[1:4]]))
    model = an.AutoRegressor(time_limit=0.01, seed=0, verbose=0)
    model.fit(tmp_path / "all.csv", "y", validation_data=tmp_path / "few.csv")
    np.testing.assert_allclose(model.predict(tmp_path / "few.csv"), numbers[1:4], rtol=0.05)
    assert model.evaluate(tmp_path / "few.csv")["rmse"] < 100


@pytest.mark.parametrize(
    ("kind", "y", "message"),
    [
        (an.AutoClassifier, np.array([2**64 - 1, 2**64 - 2] * 6, "uint64"), "at most 64 bits"),
        (an.AutoClassifier, [2**70, 2**71] * 6, "at most 64 bits. Pass them as text"),
        (an.AutoRegressor, 2**53 + 1 + np.arange(12) % 5, "that float64 holds"),
        (an.AutoRegressor, pd.date_range("2020", periods=12), "days since a date"),
        (an.AutoRegressor, pd.timedelta_range("1s", periods=12), "y.dt.total_seconds"),
    ],
)
def test_targets_that_would_be_rounded_or_are_no_numbers(kind, y, message):
    with pytest.raises(ValueError, match=message):
        kind(time_limit=0.01, seed=0, verbose=0).fit(X, y)
