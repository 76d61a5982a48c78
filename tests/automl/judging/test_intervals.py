"""Intervals of predicted numbers: they hold as often as they say, in Python and served."""

import functools
import json

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.automl.judging.intervals import Intervals
from adaptive_nets.automl.judging.quantile_intervals import QuantileIntervals


@functools.cache
def _front():
    x, y = _table(400, 0)
    return an.AutoRegressor(time_limit=0.1, seed=0, verbose=0).fit(x, y)


def _table(rows, seed):
    rng = np.random.default_rng(seed)
    x = pd.DataFrame({"a": rng.normal(size=rows), "b": rng.choice(["u", "v"], rows)})
    return x, 3 * x["a"].to_numpy() + (x["b"] == "u") + rng.normal(size=rows)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_as_many_further_rows_are_covered_on_average(coverage, power):
    """The mean over calibrations is the order statistic's, which is exact."""
    rng = np.random.default_rng(0)
    rows, further, found, width = 59, 200, [], []
    for _ in range(300):
        means = rng.uniform(0.5, 5.0, rows + further)
        y = means + means ** (power / 2) * rng.standard_t(4, rows + further)
        intervals = Intervals.calibrate(y[:rows], means[:rows], None, power)
        lower, upper = intervals.around(means[rows:], coverage)
        found.append(((y[rows:] >= lower) & (y[rows:] <= upper)).mean())
        width.append(np.ptp(upper - lower))
    nominal = np.ceil((rows + 1) * coverage) / (rows + 1)
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - nominal) < 4 * error
    assert (np.max(width) < 1e-9) == (power == 0)


def test_the_score_in_closed_form():
    y, means = np.arange(1.0, 10.0), np.zeros(9)
    intervals = Intervals.calibrate(y, means)
    # The ceil(10 c)-th of the scores 1 to 9.
    assert [intervals.widths(c)[0] for c in (0.1, 0.5, 0.51, 0.9)] == [1.0, 5.0, 6.0, 9.0]
    lower, upper = Intervals.calibrate(y, means, low=0.0).around(np.array([2.0]), 0.5)
    assert (lower[0], upper[0]) == (0.0, 7.0)


def test_weights_count_as_repeated_rows():
    y = np.random.default_rng(0).normal(size=50)
    weights = np.tile([1.0, 3.0], 25)
    weighted = Intervals.calibrate(y, np.zeros(50), weights).widths(0.8)
    order = np.argsort(np.abs(y))
    reached = np.cumsum(weights[order]) / (weights.sum() + 2.0)
    assert weighted[0] == np.abs(y)[order][np.argmax(reached >= 0.8)]
    even = Intervals.calibrate(y, np.zeros(50), np.full(50, 7.0)).widths(0.8)
    assert even == Intervals.calibrate(y, np.zeros(50)).widths(0.8)


def test_many_scores_are_thinned_without_less_coverage():
    y = np.random.default_rng(0).normal(size=100_000)
    intervals = Intervals.calibrate(y, np.zeros(100_000))
    assert len(intervals.scores[0]) <= 10_000
    exact = np.sort(np.abs(y))
    for coverage in (0.5, 0.9, 0.99):
        least = exact[int(np.ceil(100_001 * coverage)) - 1]
        assert least <= intervals.widths(coverage)[0] < least + 1e-2


def test_a_front_covers_new_rows():
    x, y = _table(4000, 1)
    for coverage in (0.8, 0.95):
        found = _front().predict_interval(x, coverage)
        assert found.shape == (4000, 2)
        held = len(_front()._fitted.intervals.scores[0])
        error = np.sqrt(coverage * (1 - coverage) * (1 / held + 1 / 4000))
        inside = ((y >= found[:, 0]) & (y <= found[:, 1])).mean()
        assert abs(inside - coverage) < 2 * error + 1 / held
        np.testing.assert_allclose(found.mean(axis=1), _front().predict(x), rtol=1e-9)


def test_several_targets_have_widths_of_their_own():
    x, y = _table(300, 0)
    front = an.AutoRegressor(time_limit=0.1, seed=0, verbose=0)
    front.fit(x, np.stack([y, 100 * y], axis=1))
    found = front.predict_interval(x[:5])
    assert found.shape == (5, 2, 2)
    widths = np.diff(found, axis=2)[:, :, 0]
    np.testing.assert_allclose(widths[:, 1], 100 * widths[:, 0], rtol=1e-3)


def test_they_are_saved_and_served(tmp_path):
    x, _ = _table(30, 2)
    expected = _front().predict_interval(x, 0.8)
    again = an.automl.load(_front().save(tmp_path / "saved"))
    np.testing.assert_array_equal(again.predict_interval(x, 0.8), expected)
    served = tf.saved_model.load(again.export(tmp_path / "served", coverage=0.8))
    given = {n: tf.constant(values) for n, values in again.schema_.read(x).items()}
    outputs = served.signatures["serving_default"](**given)
    assert set(outputs) == {"predictions", "lower", "upper"}
    for column, name in enumerate(("lower", "upper")):
        np.testing.assert_allclose(outputs[name][:, 0], expected[:, column], rtol=1e-5, atol=1e-5)
    plain = tf.saved_model.load(again.export(tmp_path / "plain"))
    assert set(plain.signatures["serving_default"](**given)) == {"predictions"}


@pytest.mark.parametrize("coverage", [0, 1, 1.2, -0.5, "0.9", None, float("nan"), True])
def test_a_coverage_that_is_none_is_refused(coverage, tmp_path):
    for call in (
        lambda: _front().predict_interval(_table(5, 0)[0], coverage),
        lambda: _front()._fitted.interval(None, coverage),
    ):
        with pytest.raises(ValueError, match="coverage must be a finite number > 0 and < 1"):
            call()


def test_a_coverage_that_no_row_tells_of_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"at most 0\.98.*Received: coverage=0.999"):
        _front().predict_interval(_table(5, 0)[0], 0.999)
    with pytest.raises(ValueError, match="at most"):
        _front().export(tmp_path / "out", coverage=0.999)
    assert not (tmp_path / "out").exists()


def test_without_held_out_rows_there_are_none():
    x, y = _table(8, 0)
    front = an.AutoRegressor(time_limit=0.1, seed=0, verbose=0).fit(x, y)
    with pytest.raises(ValueError, match="at least 10 rows.*too few rows"):
        front.predict_interval(x)


def test_intervals_of_distributions_are_as_wide_as_each_deviation_says():
    """In units of the deviation, coverage is exact for quantiles that are all too near."""
    rng = np.random.default_rng(0)
    levels = (0.05, 0.5, 0.95)
    rows, further, found = 99, 300, {True: [], False: []}
    for _ in range(200):
        deviation = rng.uniform(1.0, 9.0, rows + further)
        y = rng.normal(size=rows + further) * deviation
        quantiles = 0.5 * deviation[:, None] * np.array([-1.645, 0.0, 1.645])
        for scaled, each in found.items():
            known = QuantileIntervals.calibrate(y[:rows], quantiles[:rows], None, levels, scaled)
            known = QuantileIntervals.from_dict(json.loads(json.dumps(known.to_dict())))
            lower, upper = known.around(quantiles[rows:], 0.8)
            held = (y[rows:] >= lower) & (y[rows:] <= upper)
            wide = deviation[rows:] > 5
            each.append([held.mean(), held[wide].mean(), np.mean(upper - lower)])
            if scaled:
                ratio = (upper - lower) / deviation[rows:]
                assert np.ptp(ratio) < 1e-9
    own, plain = np.mean(found[True], axis=0), np.mean(found[False], axis=0)
    error = np.std(found[True], axis=0) / np.sqrt(200)
    assert abs(own[0] - 0.8) < 4 * error[0] and abs(own[1] - 0.8) < 4 * error[1] + 0.01
    # By the same for all, rows of large deviations are covered less often.
    assert plain[1] < 0.75 and plain[0] == pytest.approx(0.8, abs=0.02)
