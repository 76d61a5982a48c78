"""Losses of counts and positive numbers: deviances, and targets that they refuse."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.base import clone
from sklearn.linear_model import PoissonRegressor

import adaptive_nets as an
from adaptive_nets.automl.baselines.linear import LinearModel

POWERS = {"poisson": 1.0, "gamma": 2.0, "tweedie": 1.5}


def _table(loss, rows=400, seed=0):
    rng = np.random.default_rng(seed)
    x = pd.DataFrame({"a": rng.normal(size=rows), "b": rng.choice(["u", "v"], rows)})
    means = 50 * np.exp(0.5 * x["a"].to_numpy() + 0.4 * (x["b"] == "u"))
    amounts = rng.gamma(2.0, means / 2)
    drawn = {
        "poisson": rng.poisson(means),
        "gamma": amounts,
        "tweedie": np.where(rng.random(rows) < 0.4, 0.0, amounts),
    }
    return x, drawn[loss], means * (0.6 if loss == "tweedie" else 1.0)


@pytest.mark.parametrize("loss", POWERS)
def test_the_mean_is_found_and_measured_by_its_deviance(loss, tmp_path):
    x, y, _ = _table(loss)
    front = an.AutoRegressor(loss=loss, time_limit=0.1, seed=0, verbose=0).fit(x, y)
    x, y, means = _table(loss, 2000, 1)
    found = front.predict(x)
    assert (found > 0).all() and np.corrcoef(np.log(found), np.log(means))[0, 1] > 0.95
    measured = front.evaluate(x, y)
    name = f"mean_{loss}_deviance"
    assert next(iter(measured)) == name and name in front.leaderboard()
    expected = metrics.mean_tweedie_deviance(y, found, power=POWERS[loss])
    assert measured[name] == pytest.approx(expected, rel=1e-6)
    best = metrics.mean_tweedie_deviance(y, means, power=POWERS[loss])
    assert best < expected < 1.15 * best
    ends = front.predict_interval(x, 0.8)
    assert (ends[:, 0] >= 0).all()
    assert 0.68 < ((y >= ends[:, 0]) & (y <= ends[:, 1])).mean() < 0.92
    again = an.automl.load(front.save(tmp_path / "saved"))
    assert again.loss == loss
    np.testing.assert_allclose(again.predict(x[:9]), found[:9], rtol=1e-6)
    assert again.evaluate(x, y) == measured


def test_a_search_trains_networks_by_the_loss(short_search, generator):
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, size=(600, 1))
    y = rng.poisson(40 * np.exp(-(x[:, 0] ** 2)))
    front = an.AutoRegressor(loss="poisson", generator=generator, seed=0, verbose=0).fit(x, y)
    assert type(front.search_.head).__name__ == "Poisson"
    board = front.leaderboard().set_index("model")["mean_poisson_deviance"]
    # No line tells of a hill.
    assert board["served model"] < 0.8 * board["linear"]
    ensembles = front.leaderboard().query("kind == 'ensemble'")["mean_poisson_deviance"]
    assert board["served model"] == pytest.approx(ensembles.min(), rel=1e-3)


def test_the_linear_baseline_is_scikit_learns():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 3))
    y = rng.poisson(np.exp(0.3 * x[:, 0] - 0.2 * x[:, 1] + 1.0)).astype("float64")
    fitted = LinearModel.fit({"numbers": x}, y[:, None], None, None, power=1.0)
    clipped = x / np.sqrt(1 + (x / 3) ** 2)
    expected = PoissonRegressor(alpha=1 / 500).fit(clipped, y)
    found = fitted.outputs({"numbers": x})[:, 0]
    np.testing.assert_allclose(found, np.log(expected.predict(clipped)), atol=1e-3)


def test_another_metric_compares_models_too():
    x, y, _ = _table("poisson")
    front = an.AutoRegressor(
        loss="poisson", metric="neg_mean_absolute_error", time_limit=0.1, seed=0, verbose=0
    ).fit(x, y)
    assert list(front.evaluate(x, y))[:2] == ["neg_mean_absolute_error", "mean_poisson_deviance"]


def test_it_is_an_argument_as_others_are():
    front = an.AutoRegressor(loss="gamma")
    assert clone(front).loss == "gamma" and front.get_params()["loss"] == "gamma"
    assert an.AutoRegressor().loss == "squared_error"


@pytest.mark.parametrize(
    "loss, y, words",
    [
        ("poisson", [1, 2, -3] * 9, "0 or more for loss='poisson'.*Received: -3.0 in row 2"),
        ("tweedie", [0.5, -0.1] * 9, "Received: -0.1 in row 1"),
        ("gamma", [1.0, 0.0] * 9, "above 0 for loss='gamma'.*tweedie.*Received: 0.0 in row 1"),
        ("poisson", [0] * 20, "0 in every row"),
        ("gamma", np.ones((20, 2)), "one target.*Received: shape"),
        ("soup", [1.0, 2.0] * 9, "loss must be one of.*Received: loss='soup'"),
        (None, [1.0, 2.0] * 9, "loss must be one of"),
    ],
)
def test_what_does_not_fit_is_refused_before_work(loss, y, words):
    with pytest.raises(ValueError, match=words) as caught:
        an.AutoRegressor(loss=loss, verbose=0).fit(np.zeros((len(y), 1)), y)
    assert "\n" not in str(caught.value)


def test_held_out_targets_are_held_to_the_same():
    x, y, _ = _table("poisson", 40)
    front = an.AutoRegressor(loss="poisson", time_limit=0.1, seed=0, verbose=0)
    with pytest.raises(ValueError, match="0 or more for loss='poisson'"):
        front.fit(x, y, validation_data=(x[:5], -y[:5] - 1))
    front.fit(x, y)
    with pytest.raises(ValueError, match="0 or more for loss='poisson'"):
        front.evaluate(x[:5], -y[:5] - 1)
