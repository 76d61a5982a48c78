"""Accounting, jobs and tables of research/deep_fusion; nothing here trains."""

import json
import pathlib

import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "research" / "deep_fusion"


@pytest.fixture
def load(load_from):
    """Imports a file of the folder."""
    return load_from("deep_fusion")


def test_compute_to_reach_interpolates(load):
    reach = load("accounting").compute_to_reach
    spent, losses = np.array([0.0, 10, 20, 30]), np.array([4.0, 3.0, 3.5, 2.0])
    assert reach(3.5, spent, losses) == pytest.approx(5)
    assert reach(3.0, spent, losses) == pytest.approx(10)
    # The rise at 20 does not count against it: the lowest loss so far goes from 3 to 2.
    assert reach(2.5, spent, losses) == pytest.approx(25)
    assert reach(4.5, spent, losses) == 0
    assert reach(1.9, spent, losses) is None


def test_saved_by_hand(load):
    accounting = load("accounting")
    scratch = {"steps": [0, 10, 20, 40], "flops_per_step": 2.0, "loss": [4.0, 3.0, 2.0, 1.0]}
    grown = {"steps": [0, 5, 10, 15], "flops_per_step": 2.0, "loss": [2.5, 2.0, 1.5, 0.5]}
    other = accounting.compute(scratch)
    charged = accounting.compute(grown, before=10.0)
    assert charged.tolist() == [10, 20, 30, 40]
    found = accounting.saved(charged, grown["loss"], other, scratch["loss"])
    # Scratch reaches 2.5 at 30, 2 at 40 and 1.5 at 60 FLOPs, and 0.5 never.
    assert found[:3] == pytest.approx([1 - 10 / 30, 0.5, 0.5])
    assert found[3] is None
    assert accounting.last_known(found) == (2, pytest.approx(0.5))
    free = accounting.saved(accounting.compute(grown), grown["loss"], other, scratch["loss"])
    assert free[1] == pytest.approx(0.75)
    assert accounting.last_known([None, None]) is None


def test_mean_and_standard_error(load):
    mean, error = load("accounting").mean_and_error([1.0, 2.0, 3.0])
    assert (mean, error) == (2.0, pytest.approx(1 / np.sqrt(3)))


def test_sources_are_charged_once_each_or_the_longest_alone(load):
    report = load("report")
    cost = {"flops_per_step": 3.0}
    curves = {"a": cost, "b": cost, "both": {"sources": [["a", 10], ["b", 20]]}}
    assert report.before({"curves": curves}, "both", parallel=False) == 90
    assert report.before({"curves": curves}, "both", parallel=True) == 60
    assert report.before({"curves": {"a": {"sources": []}}}, "a", parallel=False) == 0


def test_every_job_has_its_own_name_and_its_sources_come_first(load):
    protocol = load("protocol")
    jobs = protocol.jobs()
    names = [job.name for job in jobs]
    assert len(set(names)) == len(names)
    by_name = {job.name: job for job in jobs}
    for job in jobs:
        for name, step in job.sources:
            assert names.index(name) < names.index(job.name)
            assert step in by_name[name].keep and step <= by_name[name].steps
        assert all(names.index(name) < names.index(job.name) for name in job.needs)
        assert job.rate in protocol.GRIDS[job.arm] or job.rate is None
    for arm in (*protocol.ARMS, *protocol.SCRATCH):
        assert {f"{arm}_{seed}" for seed in protocol.SEEDS} <= set(names)


def test_flops_by_hand(load):
    model = load("model")
    found = model.language_model(size=5, width=32, depth=1, seed=0)
    width, hidden = 32, 128
    attention = 4 * (width * width + width)
    mlp = 2 * width * hidden + hidden + width
    rest = 3 * width + width * 5 + 5
    expected = 6 * (attention + mlp + rest) + 12 * width * 64
    assert model.flops_per_token(found) == expected


def test_grown_models_are_the_large_one(load):
    model, arms = load("model"), load("arms")
    small = model.language_model(7, 64, 3, 0)
    large = model.language_model(7, 128, 3, 0)
    x = [np.random.default_rng(0).integers(0, 7, (2, 64)), np.tile(np.arange(64), (2, 1))]
    for arm, sources in (("widen_zero", [small]), ("fused", [small, small])):
        grown = arms.grow(arm, sources, 0)
        assert grown.count_params() == large.count_params()
        assert model.flops_per_token(grown) == model.flops_per_token(large)
        # The same source twice: the fused model's mean is the source itself.
        np.testing.assert_allclose(grown(x), small(x), atol=1e-4)
    assert model.flops_per_token(arms.grow("stack", [small], 0)) == model.flops_per_token(
        model.language_model(7, 64, 6, 0)
    )


def test_the_moment_is_the_first_that_is_ready(load):
    report = load("report")
    ready = np.array([[0.1, 0.6, 0.5, 0.9], [0.7, 0.2, 0.2, 0.2]])
    losses = np.array([[4.0, 2.0, 3.0, 1.0], [5.0, 6.0, 7.0, 8.0]])
    found = [report.picked(losses, ready, t).tolist() for t in (0.0, 0.5, 0.8, 0.95)]
    assert found == [[4, 5], [2, 5], [1, 8], [1, 8]]
    # 0.6 and 0.7 stop the first model at 2 and 1, and the second at once.
    assert report.best_threshold(losses, ready) == 0.7


def test_against_a_falling_rate_by_hand(load):
    report = load("report")
    report.SEEDS, report.FALLING_STEPS = (1,), (10, 20, 40)
    ends = {10: 3.0, 20: 2.0, 40: 1.0}
    curves = {
        f"large_falling_{n}_1": {"steps": [0, n], "flops_per_step": 1.0, "loss": [4.0, end]}
        for n, end in ends.items()
    }
    sources = [["a", 5], ["b", 5]]
    curves["a"] = curves["b"] = {"flops_per_step": 0.5}
    curves["fused_falling_1"] = {
        "steps": [0, 15], "flops_per_step": 1.0, "loss": [3.0, 1.5], "sources": sources
    }  # fmt: skip
    # 20 with both sources, at a loss that scratch reaches at 30.
    found = report.against_falling({"curves": curves}, parallel=False)
    assert found["saved"] == [pytest.approx(1 - 20 / 30)]
    assert found["at_equal_compute"] == [pytest.approx(2.0)]


def test_committed_results_fill_the_readme(load):
    report = load("report")
    results = json.loads((FOLDER / "results.json").read_text())
    assert report.tables(results) in (FOLDER / "README.md").read_text()
    assert {row.split("_")[0] for row in results["curves"]} >= {"large", "fused"}
