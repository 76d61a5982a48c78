"""A search that 0.1.0 has written, in the middle of its second round, is read and goes on."""

import json
import pathlib
import shutil

import numpy as np
import pytest

import adaptive_nets as an

OLD = pathlib.Path(__file__).with_name("data") / "state_0_1_0"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(OLD, tmp_path / "old")


@pytest.fixture(scope="module")
def expected():
    return dict(np.load(OLD / "expected.npz"))


def fit_on(search, expected):
    x, y = expected["x"], expected["y"]
    search.fit(x[:60], y[:60], validation_data=(x[60:], y[60:]), batch_size=16, verbose=0)
    return search.predict(x, output="probabilities")


def settings_of_then():
    """What the state was written with."""
    return {
        "head": an.heads.BinaryClass(),
        "generator": an.generators.Dense(4, [1]),
        "max_iterations": 2,
        "steps_per_iteration": 20,
        "ensemble_strategies": (an.adanet.Grow(), "solo", an.adanet.All()),
        "complexity": "std",
        "evaluator": an.adanet.Evaluator(metric="accuracy"),
        "seed": 0,
        "force_grow": True,
    }


def test_the_state_is_of_the_form_that_is_read_no_longer_written():
    (stored,) = OLD.glob("state-*.json")
    strategies = json.loads(stored.read_text())["settings"]["ensemble_strategies"]
    assert strategies[0]["class"] == "adaptive_nets.adanet.strategy.Grow"


def test_it_predicts_as_then_and_goes_on_as_it_would_have(folder, expected):
    search = an.AdaNet.load(folder)
    found = search.predict(expected["x"], output="probabilities")
    np.testing.assert_allclose(found, expected["predictions"], atol=1e-6)
    np.testing.assert_allclose(fit_on(search, expected), expected["after"], atol=1e-5)
    written = max(folder.glob("state-*.json")).read_text()
    assert '"class"' not in written and '"adaptive_nets>Grow"' in written
    again = an.AdaNet.load(folder).predict(expected["x"], output="probabilities")
    np.testing.assert_allclose(again, expected["after"], atol=1e-5)


def test_the_same_settings_go_on_where_it_stopped(folder, expected):
    search = an.AdaNet(**settings_of_then(), model_dir=folder)
    np.testing.assert_allclose(fit_on(search, expected), expected["after"], atol=1e-5)


def test_other_settings_are_refused(folder, expected):
    other = {**settings_of_then(), "training": "independent"}
    search = an.AdaNet(**other, model_dir=folder)
    with pytest.raises(ValueError, match="another configuration: training: stored"):
        fit_on(search, expected)
