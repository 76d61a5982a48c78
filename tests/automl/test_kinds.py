"""Which kinds of networks a front tries, given the time and the rows."""

import types

from adaptive_nets.automl.fitting import Fitting
from adaptive_nets.automl.searching import kinds_within


def test_what_learns_soonest_comes_first_if_time_is_short():
    assert kinds_within(120, 20_000)[0] == kinds_within(float("inf"), 10**7)[0] == "tabm"
    assert kinds_within(20, 20_000)[0] == "realmlp"
    assert kinds_within(20, 1000, several=False) == ["tabm"]
    assert set(kinds_within(20, 20_000)) == set(kinds_within(120, 20_000))


def test_with_a_folder_they_do_not_depend_on_the_time_limit():
    def kinds(seconds, model_dir, several=True):
        settings = types.SimpleNamespace(seconds=seconds, model_dir=model_dir, seed=0)
        return Fitting(settings, None).kinds(20_000, several)

    assert kinds(20, None) != kinds(120, None)
    assert kinds(20, "folder") == kinds(5, "folder", several=False) == kinds(120, "folder")
