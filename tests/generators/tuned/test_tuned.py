"""Candidates that Optuna chooses: asked, told, resumed, copied to a storage, and refused."""

import sys

import keras
import numpy as np
import optuna
import pytest

import adaptive_nets as an

SPACE = {
    "units": optuna.distributions.IntDistribution(4, 64, log=True),
    "rate": optuna.distributions.FloatDistribution(1e-3, 1e-1, log=True),
}
X = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


class OneLayer(an.adanet.Builder):
    name = "one_layer"

    def __init__(self, units, rate):
        self.units, self.rate = units, rate

    def build(self, inputs, units, previous=None):
        hidden = keras.layers.Dense(self.units, activation="relu")(inputs)
        return an.adanet.Subnetwork(keras.layers.Dense(units)(hidden), hidden)

    def optimizer(self):
        return keras.optimizers.Adam(self.rate)


def _tuned(space=SPACE, **more):
    return an.generators.Tuned(space, lambda s: OneLayer(**s), candidates_per_round=2, **more)


def _search(rounds, folder):
    return an.AdaNet(
        an.heads.BinaryClass(), _tuned(), max_iterations=rounds, steps_per_iteration=10,
        force_grow=True, model_dir=folder, seed=0, jit_compile=False,
    )  # fmt: skip


def _tried(reports):
    return [(report.name, report.hyperparameters) for report in reports]


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned") / "search"
    return list(_search(2, folder).fit(X, Y, verbose=0).state.reports)


def _report(number, loss, status="trained", **settings):
    metrics = {"objective": loss}
    return an.adanet.Report(1, f"trial_{number}", settings, {}, metrics, False, status)


def test_the_sampler_is_told_what_candidates_gained(reports):
    study = _tuned().study(reports)
    assert [t.value for t in study.trials] == [r.metrics["objective"] for r in reports]
    assert study.best_params.items() <= study.trials[study.best_trial.number].params.items()
    # What is told decides what is asked: TPE, once its random trials are over.
    first = [b.hyperparameters() for b in _tuned().generate(None, 1, [])]
    asked = []
    for good in (0, 1):
        told = [_report(k, float(k != good), **first[k]) for k in (0, 1)]
        made = _tuned(sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=1))
        for k, builder in enumerate(made.generate(None, 1, [])):
            told[k] = _report(k, float(k != good), **builder.hyperparameters())
        asked.append([b.hyperparameters() for b in made.generate(None, 2, told)])
    assert asked[0] != asked[1]


def test_a_search_goes_on_with_its_study(reports, tmp_path):
    _search(1, tmp_path / "search").fit(X, Y, verbose=0)
    again = an.AdaNet.load(
        tmp_path / "search", generator=_tuned(), max_iterations=2, jit_compile=False
    )
    assert _tried(again.fit(X, Y, verbose=0).state.reports) == _tried(reports)


@pytest.mark.parametrize(
    "sampler", ["tpe", "random", "qmc", optuna.samplers.TPESampler(seed=3)], ids=str
)
def test_asked_again_it_proposes_the_same(sampler):
    made = _tuned(sampler=sampler)
    first, second = ([b.hyperparameters() for b in made.generate(None, 1, [])] for _ in range(2))
    assert first == second


def test_candidates_that_did_not_end_are_told_as_failed():
    first, _ = _tuned().generate(None, 1, [])
    states = {
        "diverged": [_report(0, 1.0, "diverged", **first.hyperparameters())],
        "nan": [_report(0, float("nan"), **first.hyperparameters())],
    }
    for name, told in states.items():
        assert [t.state.name for t in _tuned().study(told).trials] == ["FAIL", "FAIL"], name


def test_a_function_of_a_trial_may_return_other_settings():
    def define(trial):
        return {"units": 2 * trial.suggest_int("units", 4, 8), "rate": 0.01}

    made = _tuned(define)
    first = made.generate(None, 1, [])
    told = [_report(k, 1.0, **b.hyperparameters()) for k, b in enumerate(first)]
    assert first[0].builder.units == 2 * told[0].hyperparameters["units"]
    assert [b.name for b in made.generate(None, 2, told)] == ["trial_2", "trial_3"]


def test_trials_are_copied_to_a_storage_once(reports):
    storage = optuna.storages.InMemoryStorage()
    made = _tuned(storage=storage)
    made.generate(None, 2, reports[:2])
    made.study(reports)
    kept = optuna.load_study(study_name="adaptive_nets", storage=storage).trials
    assert [t.value for t in kept] == [r.metrics["objective"] for r in reports]
    assert "storage" not in made.get_config()


def test_the_space_of_realmlp_comes_back():
    made = an.generators.Tuned(candidates_per_round=1)
    again = type(made).from_config(made.get_config())
    with pytest.raises(ValueError, match="must learn from the features first"):
        made.generate(None, 1, [])
    found = []
    for each in (made, again):
        each.prepare(X)
        found.append(each.generate(None, 1, [])[0].hyperparameters())
    assert found[0] == found[1] and found[0]["kind"] == "realmlp"
    # What it tries first is what is tried without tuning.
    usual = an.generators.Tabular(["realmlp"])
    usual.prepare(X)
    wanted = usual.generate(None, 1, [])[0].hyperparameters()
    assert {name: found[0][name] for name in wanted} == wanted
    assert made.generate(None, 1, [])[0].hyperparameters() == found[0]


def test_what_it_refuses(reports, monkeypatch):
    with pytest.raises(ValueError, match="asks for other settings.*needs a seed.*Received"):
        _tuned(seed=5).generate(None, 3, reports)
    loaded = an.generators.Tuned.from_config(_tuned().get_config())
    assert loaded.get_config() == _tuned().get_config()
    with pytest.raises(ValueError, match="Pass the generator"):
        loaded.generate(None, 1, [])
    with pytest.raises(ValueError, match="build must be a function"):
        an.generators.Tuned(SPACE)
    with pytest.raises(TypeError, match="build must return an adanet.Builder. Received: 3"):
        an.generators.Tuned(SPACE, lambda settings: 3).generate(None, 1, [])
    with pytest.raises(TypeError, match="space must be 'realmlp'"):
        an.generators.Tuned({"a": 3}, OneLayer)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"adaptive-nets\[tune\]"):
        an.generators.Tuned()
