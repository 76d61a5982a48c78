"""Distributions of a table's target: predicted, conformalised, saved and served without tfp."""

import functools
import sys

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from scipy.stats import norm

import adaptive_nets as an
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
    return an.AutoRegressor(output="distribution", time_limit=0.1, seed=0, verbose=0).fit(x, y)


def test_a_frame_of_mean_deviation_and_quantiles():
    x, y = _table(500, 1)
    found = _quick().predict_distribution(x)
    assert tuple(found.columns) == ("mean", "deviation", *LEVELS)
    np.testing.assert_allclose(_quick().predict(x), found["mean"], rtol=1e-5)
    for level in LEVELS:
        expected = norm.ppf(level, found["mean"], found["deviation"])
        np.testing.assert_allclose(found[level], expected, rtol=1e-4)
    np.testing.assert_allclose(_quick().predict_quantiles(x), found[list(LEVELS)], rtol=1e-5)
    # The linear model: the plain mean of x, and one deviation for all.
    assert np.corrcoef(found["mean"], x["b"])[0, 1] > 0.95
    assert found["deviation"].mean() == pytest.approx((y - found["mean"]).std(), rel=0.35)


@pytest.mark.exhaustive
def test_networks_learn_where_the_spread_is_large(short_search, generator):
    x, y = _table(1500, 0)
    front = an.AutoRegressor(output="distribution", generator=generator, seed=0, verbose=0)
    front.fit(x, y)
    assert type(front.search_.head).__name__ == "Distribution"
    x, y = _table(4000, 1)
    found = front.predict_distribution(x)
    wide = x["a"] > 0.1
    assert found["deviation"][wide].mean() > 1.3 * found["deviation"][x["a"] < -0.1].mean()
    ends = front.predict_interval(x, 0.8)
    inside = (y >= ends[:, 0]) & (y <= ends[:, 1])
    assert abs(inside.mean() - 0.8) < 3 * np.sqrt(0.16 * (1 / 300 + 1 / 4000))


def test_they_are_saved_and_served(tmp_path):
    x, _ = _table(30, 2)
    again = an.automl.load(_quick().save(tmp_path / "saved"))
    assert again.output == "distribution"
    expected = _quick().predict_distribution(x)
    pd.testing.assert_frame_equal(again.predict_distribution(x), expected, rtol=1e-5)
    ends = _quick().predict_interval(x, 0.8)
    np.testing.assert_allclose(again.predict_interval(x, 0.8), ends, rtol=1e-5)
    served = tf.saved_model.load(again.export(tmp_path / "served", coverage=0.8))
    given = {n: tf.constant(values) for n, values in again.schema_.read(x).items()}
    outputs = served.signatures["serving_default"](**given)
    for name in ("mean", "deviation"):
        np.testing.assert_allclose(outputs[name][:, 0], expected[name], rtol=1e-5)
    np.testing.assert_allclose(outputs["quantiles"], expected[list(LEVELS)], rtol=1e-5)
    for column, name in enumerate(("lower", "upper")):
        np.testing.assert_allclose(outputs[name][:, 0], ends[:, column], rtol=1e-5)


def test_what_does_not_fit_is_refused_before_work(monkeypatch):
    made = an.AutoRegressor(output="distribution", verbose=0)
    with pytest.raises(ValueError, match="takes one target.*Received: 2 targets"):
        made.fit(np.zeros((20, 1)), np.eye(20)[:, :2])
    with pytest.raises(ValueError, match="the likelihood.*Received: loss='gamma'"):
        an.AutoRegressor(output="distribution", loss="gamma").fit(np.zeros((20, 1)), np.ones(20))
    monkeypatch.setitem(sys.modules, "tensorflow_probability", None)
    with pytest.raises(ImportError, match=r"adaptive-nets\[probability\]"):
        made.fit(np.zeros((20, 1)), np.arange(20) % 3)
    monkeypatch.undo()
    x, y = _table(40, 0)
    plain = an.AutoRegressor(time_limit=0.1, seed=0, verbose=0).fit(x, y)
    with pytest.raises(ValueError, match="output='distribution'.*Received: output='mean'"):
        plain.predict_distribution(x)
