"""Which kinds of networks a front tries, given the time and the rows."""

import types

from adaptive_nets.automl.fitting import Fitting
from adaptive_nets.automl.searching import kinds_within


def test_what_learns_soonest_comes_first_if_time_is_short():
    assert kinds_within(120, 20_000)[0] == kinds_within(float("inf"), 10**7)[0] == "tabm"
    assert kinds_within(20, 20_000)[0] == "realmlp"
    assert set(kinds_within(20, 20_000)) == set(kinds_within(120, 20_000))


def test_what_there_is_no_time_to_set_up_is_left_out():
    assert kinds_within(20, 1000, traces=12) == kinds_within(10, 1000, traces=7) == ["tabm"]
    assert kinds_within(20, 20_000, traces=16) == ["realmlp"]
    assert kinds_within(20, 20_000, traces=12) == ["wide"]
    assert kinds_within(20, 20_000, traces=9) == kinds_within(10, 1000, traces=6) == []


def test_with_a_folder_they_do_not_depend_on_the_time_limit():
    def kinds(seconds, model_dir, traces=50):
        settings = types.SimpleNamespace(seconds=seconds, model_dir=model_dir, seed=0)
        return Fitting(settings, None).kinds(20_000, traces)

    assert kinds(20, None) != kinds(120, None)
    assert kinds(20, "folder") == kinds(5, "folder", traces=11) == kinds(120, "folder")
