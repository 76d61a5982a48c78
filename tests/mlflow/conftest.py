"""A store of MLflow in a folder of the test, and models that are logged to it."""

import numpy as np
import pandas as pd
import pytest

import adaptive_nets as an


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Client of an empty store; no run is left open."""
    import mlflow

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("GIT_PYTHON_REFRESH", "quiet")
    # Where it would make a folder of its own.
    monkeypatch.chdir(tmp_path)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(tmp_path.joinpath("mlruns").as_uri())
    yield mlflow.MlflowClient()
    while mlflow.active_run():
        mlflow.end_run()
    mlflow.set_tracking_uri(before)


@pytest.fixture(scope="session")
def flats():
    """A raw table with text, holes and a column of classes."""
    draw = np.random.default_rng(0)
    size, district = draw.uniform(20, 90, 150), draw.choice(["north", "south"], 150)
    table = pd.DataFrame({"size": size, "district": district})
    table["dear"] = np.where(size + 20 * (district == "north") > 60, "yes", "no")
    table.loc[::10, "size"] = np.nan
    return table


@pytest.fixture(scope="session")
def classifier(flats):
    return an.AutoClassifier(time_limit=0.5, seed=0, verbose=0).fit(flats, "dear")


@pytest.fixture(scope="session")
def numbers():
    x = np.random.default_rng(0).normal(size=(120, 3)).astype("float32")
    return x, (x[:, 0] > x[:, 1]).astype(int)


@pytest.fixture(scope="session")
def search(numbers):
    found = an.AdaNet(an.heads.BinaryClass(), max_iterations=1, steps_per_iteration=20, seed=0)
    return found.fit(*numbers, verbose=0)
