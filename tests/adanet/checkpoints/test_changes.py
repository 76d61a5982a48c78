"""Settings with which a search that has begun goes on, and what is refused."""

import numpy as np
import pytest

import adaptive_nets as an


@pytest.fixture(scope="module")
def data(lc):
    return lc.blobs()


@pytest.fixture
def finished(lc, data, tmp_path):
    """The folder of a search of two rounds."""
    lc.small(tmp_path / "finished").fit(*data, verbose=0)
    return tmp_path / "finished"


def test_it_goes_on_with_other_settings_which_are_recorded(lc, data, finished):
    before = an.AdaNet.load(finished)
    assert before.changes == ()
    settings = {
        "max_iterations": 3, "seed": 1, "steps_per_iteration": 7, "adanet_lambda": 0.5,
        "adanet_beta": 0.1, "force_grow": False, "ensemble_strategies": ("grow", "solo"),
        "generator": an.generators.Dense(widths=5, depths=[1]),
    }  # fmt: skip
    search = lc.small(finished, **settings).fit(*data, verbose=0, batch_size=16)
    told = {change.setting: change for change in search.changes}
    expected = {*settings, "fit.batch_size"} - {"max_iterations"}
    assert told.keys() == expected and {c.iteration for c in told.values()} == {2}
    assert (told["seed"].before, told["seed"].after) == (0, 1)
    assert str(told["steps_per_iteration"]) == "steps_per_iteration: 6 up to round 2, then 7"
    loaded = an.AdaNet.load(finished)
    assert loaded.changes == search.changes
    board = loaded.leaderboard()
    assert board[board["round"] == 3]["steps"].max() == 7
    # The next call changes nothing more, and AdaNet.load knows the settings of the last one.
    files = lc.contents(finished)
    lc.small(finished, **settings).fit(*data, verbose=0, batch_size=16)
    assert lc.contents(finished) == files
    with pytest.raises(ValueError, match="This object holds a search with another configuration"):
        an.AdaNet.load(finished, training="independent").fit(*data, verbose=0, batch_size=16)


def test_the_ensemble_so_far_is_priced_and_measured_by_the_new_objective(lc, data, finished):
    first = an.AdaNet.load(finished).state
    again = lc.small(finished, adanet_lambda=0.5, adanet_beta=0.25).fit(*data, verbose=0).state
    expected = sum(
        (0.5 * member.complexity + 0.25) * norm
        for member, norm in zip(again.ensemble.members, again.ensemble.mixture.norms(), strict=True)
    )
    assert again.ensemble.mixture.penalty == pytest.approx(expected, rel=1e-12)
    assert again.measured["loss"] == pytest.approx(first.measured["loss"], abs=1e-7)
    objective = again.measured["loss"] + expected
    assert again.ensemble.objective == pytest.approx(objective, rel=1e-9)
    assert an.AdaNet.load(finished).state.ensemble.objective == again.ensemble.objective
    assert [c.setting for c in again.changes] == ["adanet_beta", "adanet_lambda"]


def test_a_round_that_is_half_trained_begins_again_with_another_generator(lc, data, tmp_path):
    """As a search that has never begun to train it with the first one."""

    def fitted(folder, rate, **limits):
        generator = an.generators.Dense(widths=4, depths=[1], learning_rate=rate)
        search = lc.small(folder, generator=generator, max_iterations=1, steps_per_iteration=8)
        return search.fit(*data, verbose=0, **limits)

    fitted(tmp_path / "other", 0.05, max_steps=4)
    assert list((tmp_path / "other").glob("checkpoint-*"))
    found = fitted(tmp_path / "other", 0.2)
    expected = fitted(tmp_path / "plain", 0.2)
    for one, other in zip(found.model.get_weights(), expected.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    (change,) = found.changes
    assert change.setting == "generator" and change.trains
