"""Quantiles of a table's target: in order, calibrated by held-out rows, saved and served."""

import functools

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn.metrics import mean_pinball_loss

import adaptive_nets as an
from adaptive_nets.automl.judging.quantile_intervals import QuantileIntervals
from adaptive_nets.automl.losses.quantiles import LEVELS


def _table(rows, seed):
    """A target whose spread is 8 times as large on one side as on the other."""
    rng = np.random.default_rng(seed)
    x = pd.DataFrame({"a": rng.uniform(-1, 1, rows), "b": rng.normal(size=rows)})
    spread = np.where(x["a"] > 0, 4.0, 0.5)
    return x, 20 + 2 * x["b"].to_numpy() + spread * rng.normal(size=rows)


@functools.cache
def _quick():
    x, y = _table(400, 0)
    return an.AutoRegressor(output="quantiles", time_limit=0.1, seed=0, verbose=0).fit(x, y)


def test_quantiles_are_measured_by_the_pinball_loss():
    x, y = _table(500, 1)
    found = _quick().predict_quantiles(x)
    assert tuple(found.columns) == LEVELS and (np.diff(found, axis=1) >= 0).all()
    np.testing.assert_array_equal(_quick().predict(x), found[0.5])
    measured = _quick().evaluate(x, y)
    expected = np.mean([mean_pinball_loss(y, found[level], alpha=level) for level in LEVELS])
    assert next(iter(measured)) == "mean_pinball_loss"
    assert measured["mean_pinball_loss"] == pytest.approx(expected)
    assert measured["mae"] == pytest.approx(np.abs(y - found[0.5]).mean())


@pytest.mark.exhaustive
def test_networks_learn_where_the_spread_is_large(short_search, generator):
    x, y = _table(1500, 0)
    front = an.AutoRegressor(output="quantiles", generator=generator, seed=0, verbose=0)
    front.fit(x, y)
    assert type(front.search_.head).__name__ == "Quantile"
    board = front.leaderboard().set_index("model")["mean_pinball_loss"]
    assert board["served model"] < board["linear"] < board["constant"]
    x, y = _table(4000, 1)
    ends = front.predict_interval(x, 0.8)
    inside = (y >= ends[:, 0]) & (y <= ends[:, 1])
    error = np.sqrt(0.16 * (1 / 300 + 1 / 4000))
    assert abs(inside.mean() - 0.8) < 3 * error
    widths, wide = ends[:, 1] - ends[:, 0], x["a"] > 0.1
    assert widths[wide].mean() > 1.3 * widths[x["a"] < -0.1].mean()


@pytest.mark.parametrize("coverage", [0.5, 0.77, 0.95])
def test_intervals_hold_whatever_the_quantiles_are(coverage):
    """Quantiles that are much too narrow, or much too wide, are corrected."""
    rng = np.random.default_rng(0)
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    for factor in (0.3, 3.0):
        found = []
        for _ in range(200):
            y = rng.normal(size=260)
            quantiles = np.tile(factor * np.array([-1.6, -0.7, 0, 0.7, 1.6]), (260, 1))
            made = QuantileIntervals.calibrate(y[:60], quantiles[:60], None, levels)
            lower, upper = made.around(quantiles[60:], coverage)
            found.append(((y[60:] >= lower) & (y[60:] <= upper)).mean())
        nominal = np.ceil(61 * coverage) / 61
        assert abs(np.mean(found) - nominal) < 4 * np.std(found) / np.sqrt(200)


def test_they_are_saved_and_served(tmp_path):
    x, _ = _table(30, 2)
    again = an.automl.load(_quick().save(tmp_path / "saved"))
    assert again.output == "quantiles"
    expected = _quick().predict_interval(x, 0.8)
    np.testing.assert_allclose(again.predict_interval(x, 0.8), expected, rtol=1e-6)
    served = tf.saved_model.load(again.export(tmp_path / "served", coverage=0.8))
    given = {n: tf.constant(values) for n, values in again.schema_.read(x).items()}
    outputs = served.signatures["serving_default"](**given)
    assert set(outputs) == {"quantiles", "median", "lower", "upper"}
    np.testing.assert_allclose(outputs["median"][:, 0], _quick().predict(x), rtol=1e-5)
    for column, name in enumerate(("lower", "upper")):
        np.testing.assert_allclose(outputs[name][:, 0], expected[:, column], rtol=1e-5)


@pytest.mark.parametrize(
    "arguments, y, words",
    [
        ({"output": "quantiles", "loss": "gamma"}, np.ones(20), "pinball.*Received: loss='gamma'"),
        ({"output": "medians"}, np.ones(20), "output must be one of.*'medians'"),
        ({"output": "quantiles"}, np.eye(20)[:, :2], "takes one target.*Received: 2 targets"),
    ],
)
def test_what_does_not_fit_is_refused_before_work(arguments, y, words):
    with pytest.raises(ValueError, match=words):
        an.AutoRegressor(**arguments, verbose=0).fit(np.zeros((20, 1)), y)


def test_a_model_of_means_has_no_quantiles():
    x, y = _table(40, 0)
    front = an.AutoRegressor(time_limit=0.1, seed=0, verbose=0).fit(x, y)
    with pytest.raises(ValueError, match="output='quantiles'"):
        front.predict_quantiles(x)
