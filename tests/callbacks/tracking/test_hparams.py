"""TensorBoard's own reader finds the candidates of a search."""

import numpy as np
import pytest

import adaptive_nets as an

X = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


def read(folder):
    """Sessions as TensorBoard's HParams tab lists them, and the names of its columns."""
    from tensorboard.backend.event_processing import data_provider
    from tensorboard.backend.event_processing import plugin_event_multiplexer as multiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.hparams import (
        api_pb2,
        backend_context,
        get_experiment,
        list_session_groups,
    )

    events = multiplexer.EventMultiplexer()
    events.AddRunsFromDirectory(str(folder))
    events.Reload()
    provider = data_provider.MultiplexerDataProvider(events, str(folder))
    context = backend_context.Context(base_plugin.TBContext(data_provider=provider))
    request, name = RequestContext(), ""
    experiment = get_experiment.Handler(
        request, context, name, api_pb2.GetExperimentRequest(include_metrics=True)
    ).run()
    columns = [info.name for info in experiment.hparam_infos]
    wanted = api_pb2.ListSessionGroupsRequest(
        start_index=0, slice_size=100, include_metrics=True,
        allowed_statuses=[api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE],
    )  # fmt: skip
    found = list_session_groups.Handler(request, context, name, wanted).run()
    return found.session_groups, columns


def test_each_candidate_is_a_session_with_its_metrics(tmp_path):
    search = an.AdaNet(
        an.heads.BinaryClass(), an.generators.Dense(widths=[3, 4], depths=[1]),
        max_iterations=2, steps_per_iteration=5, seed=0, force_grow=True,
    )  # fmt: skip
    search.fit(X, Y, verbose=0, callbacks=[an.callbacks.HParams(tmp_path)])
    groups, columns = read(tmp_path)
    reports = {f"round_{r.iteration}/{r.name}": r for r in search.state.reports}
    assert {group.name for group in groups} == reports.keys() and len(reports) == 4
    for group in groups:
        report = reports[group.name]
        found = {value.name.tag: value.value for value in group.metric_values}
        assert found == pytest.approx(report.metrics, rel=1e-6)
        assert group.hparams["round"].number_value == report.iteration
        for name, value in report.hyperparameters.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                assert group.hparams[name].number_value == value
    assert {"round", *next(iter(reports.values())).hyperparameters} == {*columns}


def test_candidates_that_diverge_are_marked(tmp_path):
    import keras
    from tensorboard.plugins.hparams import api_pb2

    class Bad(an.adanet.Builder):
        def __init__(self, name, rate):
            self.name, self.rate = name, rate

        def build(self, inputs, units, previous=None):
            return an.adanet.Subnetwork(keras.layers.Dense(units)(inputs), depth=1)

        def optimizer(self):
            return keras.optimizers.SGD(self.rate)

        def hyperparameters(self):
            return {"rate": self.rate, "sizes": [1, 2]}

    class Two(an.adanet.Generator):
        def generate(self, previous, iteration, reports):
            return [Bad("good", 0.1), Bad("bad", 1e38)]

    search = an.AdaNet(an.heads.Regression(), Two(), max_iterations=1, steps_per_iteration=8)
    search.fit(X, 1e3 * X[:, 0], verbose=0, callbacks=[an.callbacks.HParams(tmp_path)])
    groups, _ = read(tmp_path)
    states = {group.name: group.sessions[0].status for group in groups}
    assert states == {
        "round_1/good": api_pb2.STATUS_SUCCESS,
        "round_1/bad": api_pb2.STATUS_FAILURE,
    }
    assert {group.hparams["sizes"].string_value for group in groups} == {"[1, 2]"}


def test_a_folder_that_cannot_be_written_stops_no_search(tmp_path):
    (tmp_path / "file").touch()
    search = an.AdaNet(an.heads.BinaryClass(), max_iterations=1, steps_per_iteration=5)
    search.fit(X, Y, verbose=0, callbacks=[an.callbacks.HParams(tmp_path / "file")])
    assert search.state.iteration == 1


def test_a_keras_model_is_refused_before_training(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="candidates of a search"):
        model.fit(X, Y, verbose=0, callbacks=[an.callbacks.HParams(tmp_path)])
    assert not list(tmp_path.iterdir())


def test_without_tensorboard_it_is_named(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        an.callbacks.HParams(tmp_path)
