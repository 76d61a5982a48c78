"""A recorded search's architecture, trained on other data."""

import numpy as np
import pytest

import adaptive_nets as an
from adaptive_nets.adanet.candidates.generator import Report
from adaptive_nets.adanet.candidates.replay import ReplayGenerator
from adaptive_nets.adanet.candidates.strategy import Candidate


def settings():
    generator = an.generators.Dense(
        widths=[3, 5], depths=[1, 2], connect="all", optimizer="sgd", learning_rate=0.1
    )
    return {
        "generator": generator, "max_iterations": 3, "mixture_weights": "matrix",
        "ensemble_strategies": ("grow", "all"), "adanet_lambda": 1e-4,
    }  # fmt: skip


@pytest.fixture(scope="module")
def recorded(lc, tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    return lc.small(folder, **settings()).fit(*lc.blobs(120), verbose=0), folder


def test_on_the_same_data_it_is_the_same_ensemble(recorded, lc):
    """What was not chosen leaves no trace in what was."""
    search, folder = recorded
    before = lc.contents(folder)
    again = an.AdaNet.replay(folder, *lc.blobs(120), verbose=0)
    assert [m.name for m in again.ensemble.members] == [m.name for m in search.ensemble.members]
    x = lc.blobs(50, seed=1)[0]
    np.testing.assert_allclose(again.predict(x, "logits"), search.predict(x, "logits"), atol=1e-5)
    assert lc.contents(folder) == before


def test_on_other_data_it_is_the_same_architecture_with_other_weights(recorded, lc, tmp_path):
    search, folder = recorded
    other = lc.blobs(90, classes=4, seed=3)
    arguments = {"settings": {"model_dir": tmp_path, "steps_per_iteration": 8}, "verbose": 0}
    again = an.AdaNet.replay(folder, *other, **arguments)
    columns = ["subnetwork", "round", "depth", "reads", "member"]
    assert again.architecture()[columns].equals(search.architecture()[columns])
    assert again.head.units == 4 and again.leaderboard().steps.unique() == [8]
    chosen = again.leaderboard().query("candidate != 'previous'")
    assert chosen.status.tolist() == ["selected"] * 3
    # It can be loaded, and replayed itself.
    loaded = an.AdaNet.load(tmp_path)
    np.testing.assert_array_equal(
        loaded.predict(other[0], "logits"), again.predict(other[0], "logits")
    )
    lc.assert_same(loaded.fit(*other, verbose=0), again)
    third = an.AdaNet.replay(tmp_path, *other, verbose=0)
    assert third.architecture()[columns].equals(search.architecture()[columns])


def test_rounds_that_changed_nothing_are_not_replayed(lc, tmp_path):
    frozen = an.generators.Dense(widths=4, depths=[1], optimizer="sgd", learning_rate=1e-12)
    hopeless = {
        "generator": frozen, "mixture_weights": "uniform", "force_grow": False,
        "max_iterations": 4, "steps_per_iteration": 1, "adanet_lambda": 0.0,
    }  # fmt: skip
    search = lc.small(tmp_path, **hopeless).fit(*lc.blobs(), verbose=0)
    assert search.stop_reason == "no_improvement"
    again = an.AdaNet.replay(tmp_path, *lc.blobs(), verbose=0)
    assert len(again.ensemble.members) == len(search.ensemble.members) < search.state.iteration
    assert again.stop_reason == "max_iterations"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda x, y: (x[:, :5], y), r"expects features float32\[6\]. Received: float32\[5\]"),
        (lambda x, y: ({"a": x}, y), r"expects features float32\[6\]. Received: {a: float32\[6\]}"),
        (lambda x, y: (x, y[:-1]), "same number of rows"),
    ],
)
def test_other_shapes_are_refused_before_training(recorded, lc, tmp_path, change, error):
    _, folder = recorded
    target = tmp_path / "new"
    with pytest.raises(ValueError, match=error):
        an.AdaNet.replay(folder, *change(*lc.blobs(60)), settings={"model_dir": target}, verbose=0)
    assert not target.exists() or not lc.contents(target)


def test_there_must_be_something_to_replay(lc, tmp_path):
    with pytest.raises(ValueError, match="There is no search to load: no folder"):
        an.AdaNet.replay(tmp_path / "nowhere", *lc.blobs(20))
    lc.small(tmp_path).fit(*lc.blobs(), verbose=0, callbacks=[lc.StopAt(1, 1)])
    with pytest.raises(ValueError, match="no round has been completed"):
        an.AdaNet.replay(tmp_path, *lc.blobs(20))


def test_another_generator_is_refused(recorded, lc):
    _, folder = recorded
    other = {"generator": an.generators.Dense(widths=[7], depths=[1])}
    with pytest.raises(ValueError, match="Round 1 cannot be replayed: it selected"):
        an.AdaNet.replay(folder, *lc.blobs(60), settings=other, verbose=0)


def test_a_generator_is_asked_for_the_recorded_rounds(lc):
    """Rounds that changed nothing leave gaps, which a generator that counts must not notice."""

    class Counting(an.adanet.Generator):
        asked = ()

        def generate(self, previous, iteration, reports):
            self.asked = (*self.asked, (iteration, [r.iteration for r in reports]))
            return lc.small().settings.generator.generate(previous, iteration, reports)

    counting, winner = Counting(), Candidate("grow", False, ("1_layer_dense",))
    told = [Report(k, "1_layer_dense", {}, {}, {}, True, "trained") for k in (1, 2, 3)]
    replayed = ReplayGenerator(counting, [winner, winner], told, [1, 3])
    for number in (1, 2):
        replayed.generate(None, number, [])
    assert counting.asked == ((1, []), (3, [1, 2]))
    assert ReplayGenerator(counting, [winner, winner], told).rounds == [1, 2]


def test_only_arguments_of_the_constructor_are_settings(tmp_path):
    for name in ("defaults", "penalty", "widths"):
        with pytest.raises(ValueError, match=f"must be constructor arguments .* {name}\\.$"):
            an.AdaNet.replay(tmp_path, [[1.0]], [1], settings={name: 1})
