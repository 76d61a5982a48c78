"""A candidate that diverges leaves no trace in the others."""

import dataclasses

import keras
import numpy as np
import pytest

import adaptive_nets as an


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs()


class Net(an.adanet.Builder):
    def __init__(self, name, rate=0.1):
        self.name, self.rate = name, rate

    def build(self, inputs, units, previous=None):
        x = keras.layers.Dense(8, activation="relu")(inputs)
        x = keras.layers.Dropout(0.2)(x)
        return an.adanet.Subnetwork(keras.layers.Dense(units)(x), last_layer=x)

    def optimizer(self):
        return keras.optimizers.SGD(self.rate, momentum=0.9)


class Nets(an.adanet.Generator):
    """Proposes `names`; those in `bad`, a dict from name to rounds, diverge in these rounds."""

    def __init__(self, names, bad=None):
        self.names, self.bad, self.reports = names, bad or {}, []

    def generate(self, previous, iteration, reports):
        self.reports = reports
        return [
            Net(name, 1e30 if iteration in self.bad.get(name, ()) else 0.1) for name in self.names
        ]


@pytest.mark.parametrize(
    ("names", "jit_compile"), [(["bad", "good"], True), (["good", "bad"], False)]
)
def test_others_are_bit_identical(lc, data, names, jit_compile):
    settings = {"steps_per_iteration": 20, "jit_compile": jit_compile}
    generator = Nets(names, {"bad": (1, 2)})
    with_bad = lc.small(generator=generator, **settings).fit(*data, verbose=0)
    alone = lc.small(generator=Nets(["good"]), **settings).fit(*data, verbose=0)
    board = with_bad.leaderboard().drop(columns="seconds")
    bad = board[board.candidate == "bad"]
    assert bad["round"].tolist() == [1, 2]
    for row in bad.itertuples():
        assert row.status == f"diverged at step {row.steps}"
        assert 1 < row.steps < 20
        assert np.isnan(row.objective)
        assert row.parameters > 0
    rest = board[board.candidate != "bad"].reset_index(drop=True)
    expected = alone.leaderboard().drop(columns="seconds")
    assert rest.to_json(double_precision=15) == expected.to_json(double_precision=15)
    for a, b in zip(with_bad.model.get_weights(), alone.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    # The generator is told.
    told = {(r.iteration, r.name): r.status for r in with_bad.state.reports}
    assert told[1, "bad"] == told[2, "bad"] == "diverged"
    assert told[1, "good"] == told[2, "good"] == "trained"
    assert [r.name for r in generator.reports] == names


def test_weights_that_end_non_finite_are_noticed(lc, data):
    """The loss is taken before a step's update: the last update's harm shows in the weights."""
    generator = Nets(["good", "bad"])
    generator.generate = lambda *_: [Net("good"), Net("bad", float("inf"))]
    search = lc.small(generator=generator, max_iterations=1, steps_per_iteration=1)
    search.fit(*data, verbose=0)
    board = search.leaderboard()
    assert board.status.tolist() == ["selected", "diverged at step 1"]
    assert np.isfinite(search.predict(data[0], "logits")).all()


def test_quarantine_survives_an_interruption(lc, data, tmp_path, one_step_calls):
    def search(folder=None):
        generator = Nets(["bad", "good"], {"bad": (1, 2)})
        return lc.small(folder, generator=generator, steps_per_iteration=8)

    whole = search().fit(*data, verbose=0)
    search(tmp_path).fit(*data, verbose=0, callbacks=[lc.StopAt(1, 6)])
    steps = []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: steps.append(step))
    resumed = search(tmp_path).fit(*data, verbose=0, callbacks=[count])
    assert steps[0] == 6
    lc.assert_same(resumed, whole)


def test_losses_shown_to_callbacks_are_those_of_the_living(lc, data):
    losses = []
    see = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda step, logs: losses.append(logs["loss"])
    )
    generator = Nets(["bad", "good"], {"bad": (1,)})
    search = lc.small(generator=generator, max_iterations=1, steps_per_iteration=20)
    search.fit(*data, verbose=0, callbacks=[see, keras.callbacks.TerminateOnNaN()])
    assert search.stop_reason == "max_iterations"
    assert np.isfinite(losses).all()


def test_all_diverging_in_the_first_round(lc, data):
    search = lc.small(generator=Nets(["a", "b"], {"a": (1,), "b": (1,)}), steps_per_iteration=9)
    with pytest.raises(an.adanet.DivergedError, match=r"round 1 .*: a \(step \d\), b \(step \d\)"):
        search.fit(*data, verbose=0)
    with pytest.raises(ValueError, match="no ensemble yet"):
        search.predict(data[0])


def test_all_diverging_later_leaves_the_previous_ensemble(lc, data, tmp_path):
    bad = {"a": (2,), "b": (2,)}
    search = lc.small(tmp_path, generator=Nets(["a", "b"], bad), steps_per_iteration=9)
    with pytest.raises(an.adanet.DivergedError) as caught:
        search.fit(*data, verbose=0)
    assert "round 2" in str(caught.value)
    assert "previous ensemble" in str(caught.value)
    assert "\n" not in str(caught.value)
    good = lc.small(generator=Nets(["a", "b"]), steps_per_iteration=9, max_iterations=1)
    good.fit(*data, verbose=0)
    assert search.leaderboard()["round"].unique().tolist() == [1]
    loaded = an.AdaNet.load(tmp_path, generator=Nets(["a", "b"]))
    for found in (search, loaded):
        np.testing.assert_array_equal(
            found.predict(data[0], "logits"), good.predict(data[0], "logits")
        )
    # A better generator may go on.
    loaded.fit(*data, verbose=0)
    assert len(loaded.ensemble.members) == 2


def test_all_diverging_leaves_an_earlier_partial_result(lc, data, one_step_calls):
    class Later(Nets):
        def generate(self, previous, iteration, reports):
            return [Net("a", self.bad)]

    search = lc.small(generator=Later(["a"], 0.1))
    search.fit(*data, verbose=0, callbacks=[lc.StopAt(1, 3)])
    logits = search.predict(data[0], "logits")
    search.generator.bad = 1e30
    search.adopt(search.context, dataclasses.replace(search.state, paused=None))
    with pytest.raises(an.adanet.DivergedError):
        search.fit(*data, verbose=0)
    np.testing.assert_array_equal(search.predict(data[0], "logits"), logits)
