"""`benchmarks/predictions` runs in its quick mode; what it keeps, measures and shows is right."""

import importlib
import json
import math

import numpy as np
import pytest
from quick_runs import BENCHMARKS, positive


@pytest.fixture
def parts(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS.parent))
    main = importlib.import_module("benchmarks.predictions.__main__")
    return main, main.PARTS


def test_predictions(parts, capsys):
    main, modules = parts
    found = {(r["part"], r["system"]): r for r in main.main(["--quick"])}
    assert {part for part, _ in found} == set(modules)
    for system in ("boosting", "quantiles", "mean"):
        each = found["intervals", system]
        assert 0 < each["width_80"] < each["width_95"] and each["held"] == 32
        assert 0.3 < each["coverage_80"] <= each["coverage_95"] <= 1
    for system in ("boosting", "adaptive_nets"):
        each = found["calibration", system]
        names = ("ece_before", "ece_after", "log_loss_before", "log_loss_after")
        assert positive([each[name] for name in names])
    for system in ("linear", "boosting", "adaptive_nets"):
        assert positive(found["counts", system]["deviance"])
    assert positive(found["tuned", "tpe"]["loss"])
    printed = capsys.readouterr().out
    assert (
        "| 95 % | boosting | quantiles | mean |" in printed and "| claims_number poisson" in printed
    )


def test_predictions_are_kept_and_not_run_again(parts, tmp_path, monkeypatch):
    main, _ = parts
    monkeypatch.setattr(main, "RESULTS", tmp_path / "results.json")
    asked = []

    def in_process(script, each, data_dir):
        asked.append(each[1:3])
        part, table, system, seed, seconds = each
        given = {"part": part, "table": table, "system": system, "seed": seed, "seconds": seconds}
        return None if system == "linear" else {**given, "taken": 1.0, "deviance": 0.5}

    monkeypatch.setattr(main, "in_process", in_process)
    arguments = ["--parts", "counts", "--tables", "claims_number poisson"]
    found = main.main(arguments)
    assert [system for _, system in asked] == ["linear", "boosting", "adaptive_nets"]
    assert json.loads((tmp_path / "results.json").read_text()) == found and len(found) == 2
    asked.clear()
    main.main([*arguments, "--seconds", "5"])
    # What failed is asked for again, and what takes a time limit with another one.
    assert [system for _, system in asked] == ["linear", "adaptive_nets"]


def test_of_fits_in_different_time_the_longest_is_shown(parts):
    main, _ = parts
    fits = [
        {"part": "counts", "table": "t", "system": "adaptive_nets", "seed": 0, "seconds": s, **more}
        for s, more in ((20.0, {"processor": 9.0}), (40.0, {"processor": 5.0}), (5.0, {}))
    ]
    other = {**fits[0], "seed": 1}
    assert main.most_worked([*fits, other]) == [fits[0], other]


def test_tables_split_by_time_come_last_and_hold_out_by_time_too(parts, tmp_path):
    _, modules = parts
    (tmp_path / "tables").mkdir()
    about = {
        "later": {"target": "y", "task": "regression", "split_by_time": "day"},
        "drawn": {"target": "y", "task": "regression"},
        "classes": {"target": "y", "task": "binary"},
    }
    (tmp_path / "tables" / "tables.json").write_text(json.dumps(about))
    names = modules["intervals"].tables(tmp_path)
    assert names[0] == "drawn" and names[-1] == "later" and "classes" not in names
    suits = modules["intervals"].suits
    assert suits("quantiles_in_time", "later", tmp_path)
    assert not suits("quantiles_in_time", "drawn", tmp_path) and suits("mean", "drawn", tmp_path)
    assert "classes" in modules["calibration"].tables(tmp_path)


def test_coverages_beyond_two_standard_errors_have_a_star(parts):
    _, modules = parts
    intervals = modules["intervals"]
    result = {
        "table": "t", "system": "boosting", "seed": 0, "held": 400, "test": 400, "when": None,
        "coverage_80": 0.74, "width_80": 2.0, "coverage_95": 0.93, "width_95": 4.0,
    }  # fmt: skip
    assert intervals.error(0.8, result) == pytest.approx(math.sqrt(0.16 / 200))
    ours = {**result, "system": "quantiles", "coverage_80": 0.75, "width_80": 1.0}
    shown = intervals.show([result, ours])
    # 2 x 0.0283 below 0.8 is 0.743.
    assert "| t | 74.0* | 75.0 | 0.50 | - |" in shown and "| t | 93.0 | 93.0 | 1.00 | - |" in shown


def test_conformal_boosting_covers_drawn_rows(parts):
    _, modules = parts
    tasks = importlib.import_module("benchmarks.tabular.tasks")
    split = tasks.load("diabetes", 0, None)
    measured = modules["intervals"].fit("boosting", "diabetes", split, 1.0, 0)()
    for coverage in (0.8, 0.95):
        error = modules["intervals"].error(coverage, measured)
        assert abs(measured[f"coverage_{100 * coverage:g}"] - coverage) < 3 * error


def test_calibration_error_is_that_of_its_bins(parts):
    _, modules = parts
    predicted = np.array([[0.9, 0.1], [0.9, 0.1], [0.45, 0.55], [0.3, 0.7]])
    found = modules["calibration"].measured(np.array([0, 1, 1, 0]), predicted)
    # 13/15 to 14/15: 1 right of .9 and .9; 8/15 to 9/15: .55; 10/15 to 11/15: .7.
    assert found["ece"] == pytest.approx((0.8 + 0.45 + 0.7) / 4)
    logs = np.log(np.array([0.9, 0.1, 0.55, 0.3]))
    assert found["log_loss"] == pytest.approx(-logs.mean(), rel=1e-5)


def test_claims_are_mostly_none_and_their_sums_are_of_those_that_there_are(parts):
    tasks = importlib.import_module("benchmarks.tabular.tasks")
    table = tasks.claims_table(2000, 0)
    assert ((table["amount"] > 0) == (table["claims"] > 0)).all()
    assert 0.8 < (table["claims"] == 0).mean() < 0.95 and table["claims"].max() > 1
    split = tasks.load("claims_amount", 0, None, most=100)
    assert split.target == "amount" and "claims" not in split.train and len(split.test) == 20


def test_tuned_searches_are_compared_in_pairs(parts):
    _, modules = parts
    losses = {"tpe": [1.0, 2.0], "random": [2.0, 2.0], "usual": [1.0, 4.0]}
    found = [
        {"table": f"t{k}", "system": s, "seed": 0, "seconds": 20.0, "loss": v, "candidates": 6}
        for s, each in losses.items()
        for k, v in enumerate(each)
    ]
    shown = modules["tuned"].show(found)
    assert "| t0 | 1 | 2 | 1 | 6 / 6 / 6 |" in shown
    # Logarithms -log 2 and 0: their mean's standard error is log 2 / 2.
    assert "tpe / random: 0.707, standard error of its logarithm 0.347, lower on 1 of 2" in shown
