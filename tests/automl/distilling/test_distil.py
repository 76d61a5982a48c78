"""One small network predicts what an estimator does, and says what that costs."""

import functools
import pickle

import numpy as np
import pandas as pd
import pytest

import adaptive_nets as an
from adaptive_nets.automl.distilling import student


@pytest.fixture(scope="module", autouse=True)
def few_steps():
    with pytest.MonkeyPatch.context() as patch:
        short = functools.partial(an.AdaNet, steps_per_iteration=150)
        patch.setattr(student, "AdaNet", short)
        patch.setattr(student, "_KIND", "mlp")
        yield


@pytest.fixture(scope="module")
def table():
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {"age": random.normal(40, 10, 300), "city": random.choice(["Graz", "Linz", "Wien"], 300)}
    )
    noise = random.normal(0, 10, 300)
    return table.assign(rent=500 + 5 * table["age"] + 100 * (table["city"] == "Graz") + noise)


@pytest.fixture(scope="module")
def model(table):
    """A linear model, which a network can learn soon."""
    return an.AutoRegressor(time_limit=0.1, seed=0, verbose=0).fit(table, "rent")


@pytest.fixture(scope="module")
def small(model):
    return model.distil(size=16)


def test_the_network_predicts_what_the_model_does(model, small, table):
    x = table.drop(columns="rent")
    gap = np.sqrt(np.mean((model.predict(x) - small.predict(x)) ** 2))
    assert gap < 0.2 * table["rent"].std()
    assert type(small) is an.AutoRegressor and small is not model
    assert len(small.feature_names_in_) == 2 and small.score(table, "rent") > 0.8
    assert "distilled into mlp_pieces_16-16, from " in small.stop_reason_
    with pytest.raises(AttributeError, match="no search_"):
        small.search_  # noqa: B018 (a property)


def test_the_leaderboard_says_what_it_costs(model, small):
    board = small.leaderboard()
    assert list(board["kind"]) == ["teacher", "served"]
    before = model.leaderboard().iloc[-1]
    assert board["rmse"].iloc[0] == pytest.approx(before["rmse"], rel=1e-5)
    assert board["rmse"].iloc[1] != board["rmse"].iloc[0]
    # 11 weights of the linear model; both are counted with what they are encoded by.
    assert board["parameters"].iloc[1] == small.model_.count_params()
    assert board["parameters"].iloc[0] == model.model_.count_params()
    assert (board[["bytes", "microseconds_one_row", "microseconds_a_row"]] > 0).all(axis=None)
    assert str(board).splitlines()[0].split()[0] == "rmse"


def test_intervals_are_those_of_the_network(model, small, table):
    low, high = small.predict_interval(table.drop(columns="rent"), 0.8).T
    assert ((low < table["rent"]) & (table["rent"] < high)).mean() == pytest.approx(0.8, abs=0.15)
    assert (high - low)[0] != pytest.approx(
        np.ptp(model.predict_interval(table[:1].drop(columns="rent"), 0.8)), rel=1e-6
    )


def test_it_is_saved_and_loaded(small, table, tmp_path):
    x = table.drop(columns="rent")
    again = an.automl.load(small.save(tmp_path / "saved"))
    np.testing.assert_array_equal(again.predict(x), small.predict(x))
    pd.testing.assert_frame_equal(
        pd.DataFrame(again.leaderboard()), pd.DataFrame(small.leaderboard()), check_dtype=False
    )
    with pytest.raises(ValueError, match="distil needs rows to learn from: .* X=None"):
        again.distil()
    with pytest.raises(ValueError, match="refit needs to know what was chosen"):
        again.refit(table, "rent")


@pytest.mark.exhaustive
def test_without_labelled_rows_nothing_is_measured(small, table, tmp_path):
    x = table.drop(columns="rent")
    again = an.automl.load(small.save(tmp_path / "saved"))
    plain = again.distil(x, size=2)
    assert "rmse" not in plain.leaderboard() and len(plain.leaderboard()) == 2
    with pytest.raises(ValueError, match="There are no intervals"):
        plain.predict_interval(x)


def test_classes_are_distilled_with_their_calibration(table):
    x = table[["age", "city"]]
    random = np.random.default_rng(1)
    y = np.where(x["age"] + 5 * random.normal(size=300) > 40, "old", "young")
    model = an.AutoClassifier(time_limit=0.1, seed=0, verbose=0).fit(x, y)
    found = model.distil(size=8, validation_data=(x, y))
    assert np.abs(found.predict_proba(x) - model.predict_proba(x)).mean() < 0.1
    assert found.calibration_ is not None and len(found.calibration_) == 2
    assert list(found.classes_) == ["old", "young"]


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "settings",
    [{"output": "quantiles"}, {"output": "distribution"}, {"loss": "poisson"}, {"loss": "gamma"}],
    ids=str,
)
def test_every_kind_of_number_is_distilled(table, settings):
    x = table.drop(columns="rent")
    model = an.AutoRegressor(time_limit=0.1, seed=0, verbose=0, **settings).fit(table, "rent")
    found = model.distil(size=16)
    gap = np.sqrt(np.mean((model.predict(x) - found.predict(x)) ** 2))
    assert gap < 0.4 * table["rent"].std()
    low, high = found.predict_interval(x, 0.8).T
    assert ((low < table["rent"]) & (table["rent"] < high)).mean() > 0.6
    assert list(found.leaderboard()["kind"]) == ["teacher", "served"]


def test_training_rows_are_neither_pickled_nor_saved(model):
    assert model._fitted.rows is not None
    assert pickle.loads(pickle.dumps(model))._fitted.rows is None


def test_wrong_arguments_are_refused_before_work(model, table):
    x = table.drop(columns="rent")
    for arguments, words in [
        ({"size": 0}, "size must be an integer >= 1"),
        ({"time_limit": 0}, "time_limit must be a finite number > 0"),
        ({"X": x[:5]}, "X must have at least 10 rows. Received: 5"),
        ({"X": x[["age"]]}, "city"),
        ({"validation_data": (x, ["a"] * 300)}, "must be numbers"),
    ]:
        with pytest.raises(ValueError, match=words):
            model.distil(**arguments)


def test_a_network_that_has_hardly_learnt_is_said(model):
    with pytest.warns(UserWarning, match="before the network has seen the .* rows once"):
        model.distil(size=16, time_limit=0.2)
