"""`SearchCallback`: the hooks of a search, and of `keras.Model.fit` where it is used there."""

import keras
import numpy as np

import adaptive_nets as an

X = np.random.default_rng(0).normal(size=(80, 3)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


def search(**settings):
    return an.AdaNet(
        an.heads.BinaryClass(),
        an.generators.Dense(2, [1], optimizer="sgd", learning_rate=0.1),
        max_iterations=3,
        steps_per_iteration=3,
        force_grow=True,
        seed=0,
        **settings,
    )


class Recorder(an.callbacks.SearchCallback):
    def __init__(self, stop_after=None):
        super().__init__()
        self.calls, self.stop_after = [], stop_after

    def on_round_begin(self, number, logs=None):
        self.calls.append(("begin", number, logs))

    def on_round_end(self, number, logs=None):
        self.calls.append(("end", number, logs))
        if number == self.stop_after:
            self.model.stop_training = True


def test_rounds_are_reported():
    recorder = Recorder()
    found = search().fit(X, Y, verbose=0, callbacks=[recorder])
    assert [call[:2] for call in recorder.calls] == [
        (when, round_) for round_ in (1, 2, 3) for when in ("begin", "end")
    ]
    assert recorder.model is found
    assert recorder.calls[0][2] == {"candidates": ["1_layer_dense"]}
    assert recorder.calls[-1][2]["objective"] == found.ensemble.objective
    assert recorder.calls[-1][2]["accuracy"] == found.state.measured["accuracy"]


def test_a_callback_ends_the_search():
    found = search().fit(X, Y, verbose=0, callbacks=[Recorder(stop_after=2)])
    assert found.stop_reason == "callback"
    assert found.leaderboard()["round"].max() == 2


def test_results_are_saved_when_a_round_ends(tmp_path):
    seen = []

    class Load(an.callbacks.SearchCallback):
        def on_round_end(self, number, logs=None):
            seen.append(len(an.AdaNet.load(tmp_path).ensemble.members))

    search(model_dir=tmp_path).fit(X, Y, verbose=0, callbacks=[Load()])
    assert seen == [1, 2, 3]


def test_the_base_class_does_nothing_and_fits_keras_models():
    search().fit(X, Y, verbose=0, callbacks=[an.callbacks.SearchCallback()])
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    recorder = Recorder()
    model.fit(X, Y, verbose=0, callbacks=[recorder])
    assert recorder.calls == []
