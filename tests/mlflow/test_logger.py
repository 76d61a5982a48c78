"""What MLflow is told of a fit."""

import io
import pathlib

import keras
import numpy as np
import pandas as pd
import pytest

import adaptive_nets as an


class OneRound(an.callbacks.SearchCallback):
    def on_round_end(self, iteration, logs=None):
        self.model.stop_training = True


def only_run(store):
    (run,) = store.search_runs(["0"])
    return run


def artifact(store, run, name):
    return pathlib.Path(store.download_artifacts(run.info.run_id, name)).read_text()


@pytest.fixture
def autolog():
    an.mlflow.autolog()
    yield
    an.mlflow.autolog(disable=True)


def test_a_search_is_logged_round_by_round(store, numbers):
    import mlflow

    search = an.AdaNet(
        an.heads.BinaryClass(), max_iterations=2, steps_per_iteration=20, seed=7, force_grow=True
    )
    search.fit(*numbers, validation_split=0.25, verbose=0, callbacks=[an.mlflow.MLflowLogger()])
    run = only_run(store)
    assert run.info.status == "FINISHED" and mlflow.active_run() is None
    assert run.data.params["seed"] == "7" and run.data.params["max_iterations"] == "2"
    history = store.get_metric_history(run.info.run_id, "val_accuracy")
    assert [each.step for each in history] == [1, 2]
    assert history[-1].value == pytest.approx(search.state.measured["val_accuracy"])
    board = pd.read_csv(io.StringIO(artifact(store, run, "leaderboard.csv")))
    assert list(board.candidate) == list(search.leaderboard().candidate)
    schema = an.data.Schema.from_json(artifact(store, run, "schema.json"))
    assert schema == search.schema
    (model,) = store.search_logged_models(["0"])
    assert model.source_run_id == run.info.run_id


def test_autolog_follows_estimators_once(store, flats, autolog):
    dense = an.generators.Dense(widths=[4], depths=[1])
    model = an.AutoClassifier(generator=dense, time_limit=1e3, seed=0, verbose=0)
    model.fit(flats, "dear", callbacks=[OneRound()])
    run = only_run(store)
    assert (
        run.data.params["time_limit"] == "1000.0" and "steps_per_iteration" not in run.data.params
    )
    served = model.leaderboard().iloc[-1]
    assert run.data.metrics["served_log_loss"] == pytest.approx(served.log_loss)
    assert "val_accuracy" in run.data.metrics
    (logged,) = store.search_logged_models(["0"])
    again = an.mlflow.load_model(f"models:/{logged.model_id}")
    np.testing.assert_array_equal(again.predict(flats), model.predict(flats))


def test_fits_in_one_run_do_not_overwrite_each_other(store, numbers, autolog):
    import mlflow

    with mlflow.start_run() as outer:
        for seed in (1, 2):
            an.AutoClassifier(time_limit=0.01, seed=seed, verbose=0).fit(*numbers)
    runs = {run.data.params["seed"]: run for run in store.search_runs(["0"])}
    assert runs["1"].info.run_id == outer.info.run_id
    assert runs["2"].data.tags["mlflow.parentRunId"] == outer.info.run_id


def test_a_fit_that_fails_is_marked(store, flats, autolog):
    import mlflow

    with pytest.raises(ValueError, match="no column"):
        an.AutoClassifier(time_limit=0.01).fit(flats, "dera")
    assert only_run(store).info.status == "FAILED" and mlflow.active_run() is None


def test_a_store_that_breaks_down_stops_no_search(store, numbers, monkeypatch, caplog):
    import mlflow

    def fail(*args, **kwargs):
        raise mlflow.exceptions.MlflowException("no answer")

    logger = an.mlflow.MLflowLogger(log_models=False)
    monkeypatch.setattr(mlflow, "log_metrics", fail)
    search = an.AdaNet(an.heads.BinaryClass(), max_iterations=1, steps_per_iteration=5, seed=0)
    search.fit(*numbers, verbose=0, callbacks=[logger])
    assert search.state.iteration == 1
    assert only_run(store).info.status == "FINISHED"


def test_keras_models_are_followed_too(store, numbers):
    x, y = numbers
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, y, epochs=2, verbose=0, callbacks=[an.mlflow.MLflowLogger()])
    run = only_run(store)
    assert run.data.params["parameters"] == "4"
    assert [m.step for m in store.get_metric_history(run.info.run_id, "loss")] == [1, 2]


def test_autolog_is_turned_off(store, numbers):
    an.mlflow.autolog()
    an.mlflow.autolog(disable=True)
    an.AutoClassifier(time_limit=0.01, seed=0, verbose=0).fit(*numbers)
    assert not store.search_runs(["0"])
