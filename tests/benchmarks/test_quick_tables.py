"""The benchmarks of tables run in their quick mode; what they keep and compare is right."""

import gzip
import importlib
import json
import math

import numpy as np
import pytest
from quick_runs import BENCHMARKS, load, positive, run

from adaptive_nets.data.tables import opening


def test_automl(capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS.parent))
    found = run("automl")
    assert {result["table"] for result in found} == {"mixed", "wine", "diabetes"}
    systems = {result["system"] for result in found}
    assert {"constant", "linear", "hist_gradient_boosting", "adaptive_nets"} <= systems
    assert positive([[result["loss"], 1 + result["taken"]] for result in found])
    (ours,) = [result for result in found if result["system"] == "adaptive_nets"]
    assert ours["bytes"] > 1000 and ours["microseconds"] > 0 and 0.5 <= ours["auc"] <= 1
    assert capsys.readouterr().out.count("hist_gradient_boosting") == 2


def test_automl_results_are_kept_and_not_run_again(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS.parent))
    automl = load("automl")
    monkeypatch.setattr(automl, "RESULTS", tmp_path / "automl.json")
    asked = []

    def job(script, each, data_dir):
        name, system, seed, seconds = each
        asked.append((name, system, seed, seconds))
        failed = system == "linear"
        return None if failed else {
            "table": name, "system": system, "seed": seed, "seconds": seconds, "task": "binary",
            "taken": 1.0, "loss": 0.5 if system == "constant" else 0.4 / seconds,
        }  # fmt: skip

    monkeypatch.setattr(automl, "in_process", job)
    names = "constant,hist_gradient_boosting,linear,adaptive_nets"
    arguments = ["--tables", "mixed", "--systems", names, "--seconds", "2,1", "--seeds", "0"]
    found = automl.main(arguments)
    # A system without a time limit runs once; one that failed is asked for again.
    assert [(s, t) for _, s, _, t in asked] == [
        ("constant", 2), ("hist_gradient_boosting", 2), ("linear", 2), ("linear", 1),
        ("adaptive_nets", 2), ("adaptive_nets", 1),
    ]  # fmt: skip
    assert json.loads((tmp_path / "automl.json").read_text()) == found and len(found) == 4
    asked.clear()
    automl.main(arguments)
    assert {s for _, s, _, _ in asked} == {"linear"}


def test_a_table_split_by_time_keeps_its_last_rows_for_the_test(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS.parent))
    from benchmarks.tabular import tasks

    (tmp_path / "tables").mkdir()
    about = {"t": {"target": "y", "task": "regression", "split_by_time": "day"}}
    (tmp_path / "tables" / "tables.json").write_text(json.dumps(about))
    days = [f"2024{m:02d}{d:02d}T000000" for m in (3, 1, 2) for d in range(1, 21)]
    rows = "\n".join(f"{day},{k}" for k, day in enumerate(days))
    (tmp_path / "tables" / "t.csv.gz").write_bytes(gzip.compress(f"day,y\n{rows}\n".encode()))
    split = tasks.load("t", 0, tmp_path)
    assert list(split.test["y"]) == list(range(8, 20))
    assert len(split.train) == 43 and split.train["day"].max() <= "20240308T000000"


def test_measures_know_classes_that_were_not_trained_on(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS.parent))
    from benchmarks.tabular import measures

    classes = np.array(["a", "b", "c"])
    found = measures.in_order(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array(["a", "c"]), classes)
    np.testing.assert_array_equal(found, [[0.5, 0, 0.5], [0, 0, 1]])
    measured = measures.measure("multiclass", np.array(["a", "b"]), found, classes)
    expected = -(math.log(0.5 / (1 + 1e-6)) + math.log(1e-6 / (1 + 2e-6))) / 2
    assert measured["loss"] == pytest.approx(expected, rel=1e-9)
    assert measured["accuracy"] == 0.5
    regression = measures.measure("regression", np.array([1.0, 3.0]), np.array([1.0, 1.0]), None)
    assert regression["loss"] == pytest.approx(math.sqrt(2)) and regression["mae"] == 1


def test_ablation(capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS.parent))
    found = {result["system"]: result for result in run("automl", "--ablation")}
    from benchmarks.tabular import ablation

    assert list(found) and set(found) == set(ablation.NAMES)
    assert all(0 < result["loss"] < 1 for result in found.values())
    tried = {name.partition(":")[2]: set(found[name]["candidates"]) for name in found}
    assert "grow_linear_baseline" in tried[""] and "grow_tabm_k8_pieces_codes_256-256" in tried[""]
    # Without codes and the linear model one network is left.
    (only,) = tried["no_codes"]
    assert only.startswith("solo_tabm_k8_pieces_") and "codes" not in only
    assert "grow_deepened" in tried["growth"] and not any(
        "tabm" in each for each in tried["no_tabm"]
    )
    printed = capsys.readouterr().out
    assert all(printed.count(f"| `{name}`: ") == 1 for name in ablation.VARIANTS)


def test_distilled(capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS.parent))
    (found,) = run("automl", "--distilled")
    names = ("loss", "distilled_loss", "parameters", "distilled_parameters", "distilled_bytes")
    assert positive([[found[name] for name in names]])
    assert "Loss within 0.5 % on" in capsys.readouterr().out


def test_a_variant_changes_the_search_and_nothing_is_left_of_it(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS.parent))
    import adaptive_nets as an
    from adaptive_nets.automl import searching
    from benchmarks.tabular import ablation

    def made(name):
        with ablation.changed(ablation.VARIANTS[name]):
            return searching.AdaNet(
                an.heads.BinaryClass(),
                searching.Tabular(),
                training="independent",
                mixture_weights="probability",
            )

    before = searching.AdaNet, searching.Tabular, searching.FirstRound
    assert made("no_tabm").settings.generator.kinds == ["realmlp", "wide"]
    assert made("energy").settings.generator.width == "energy"
    assert made("one_round").settings.max_iterations == 1
    assert made("equal_weights").settings.mixture_weights.shrinkage == 1e9
    assert isinstance(made("greedy_weights").settings.mixture_weights, an.adanet.GreedyEnsembler)
    assert isinstance(made("growth").settings.generator, an.generators.Growth)
    assert made("folds").settings.mixture_weights == "probability"
    assert (searching.AdaNet, searching.Tabular, searching.FirstRound) == before


def test_paired_figures_are_of_the_same_splits(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS.parent))
    from benchmarks.tabular import summary

    losses = {"": [1.0, 2.0, 4.0], ":no_tabm": [2.0, 2.0, 2.0], ":folds": [0.5, None, 1.0]}
    found = [
        {"table": "t", "seed": k, "seconds": 60, "system": f"adaptive_nets{name}", "loss": loss}
        for name, each in losses.items()
        for k, loss in enumerate(each)
        if loss is not None
    ]
    paired = summary.paired(found)
    assert list(paired.index) == ["no_tabm", "folds"]
    assert paired["ratio"].tolist() == pytest.approx([1.0, math.sqrt(1 / 8)])
    # Logarithms: log 2, 0, -log 2; and -log 2, -log 4.
    errors = [math.log(2) / math.sqrt(3), math.log(2) / 2]
    assert paired["error"].tolist() == pytest.approx(errors)
    assert paired[["worse", "better"]].to_numpy().tolist() == [[1, 1], [0, 2]]
    assert "| 0.354 | 0.347 | 0 : 2 |" in summary.ablation(found)


def test_a_summary_is_of_chosen_systems_and_splits(monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(str(BENCHMARKS.parent))
    from benchmarks import automl

    found = [
        {"table": "t", "seed": seed, "seconds": seconds, "system": system, "loss": loss, "taken": 1}
        for system, seconds, losses in (
            ("adaptive_nets", 120.0, (1, 4)), ("adaptive_nets", 20.0, (3, 3)),
            ("linear", 120.0, (2, 2)),
        )
        for seed, loss in enumerate(losses)
    ]  # fmt: skip
    monkeypatch.setattr(automl, "RESULTS", tmp_path / "automl.json")
    automl.RESULTS.write_text(json.dumps(found))
    assert automl.main(["--summary"]) == found
    assert automl.main(["--summary", "--seeds", "1", "--systems", "linear"]) == found[-1:]
    capsys.readouterr()
    # Without a limit, a system belongs to every one.
    assert automl.main(["--summary", "--seconds", "120"]) == [*found[:2], *found[-2:]]
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["t", "2.5", "2"] in printed
    # Better on one of two splits, by the same factor: the geometric mean is 1.
    assert ["linear", "2", "1.5", "1", "0.5", "1"] in printed


def test_a_table_of_any_size_has_columns_of_all_kinds(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS.parent))
    import adaptive_nets as an
    from benchmarks.tabular import tasks

    split = tasks.load("generated_500", 0, None)
    assert (len(split.train), len(split.test), split.train.shape[1]) == (400, 100, 21)
    schema = an.data.Schema.infer(split.train, target=split.target)
    kinds = {feature.kind for feature in schema.features}
    assert kinds == {"number", "boolean", "category", "date", "text"}
    assert list(tasks.load("generated_500", 0, None).train["note"]) == list(split.train["note"])


def test_newcomer(capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS.parent))
    (found,) = run("newcomer").values()
    steps = ["fit", "predict", "evaluate", "export", "show", "serve", "difference"]
    assert list(found) == steps and found["difference"] < 1e-6
    assert "mixed" in capsys.readouterr().out


def test_a_newcomer_follows_the_start_page(capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS.parent))
    (found,) = run("newcomer", "--pages").values()
    assert [step.partition(" ")[2] for step in found] == [
        "python", "adaptive-nets fit", "adaptive-nets evaluate", "adaptive-nets predict",
        "saved_model_cli show", "adaptive-nets predict", "python",
    ]  # fmt: skip
    assert "docs/start.md" in capsys.readouterr().out


def test_large(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS.parent))
    large = importlib.import_module("benchmarks.tabular.large")
    monkeypatch.setattr(opening, "MEMORY_LIMIT", 0)
    found = large.measure(2000, 2, 1.0)
    assert "rows streamed from 2,000" in found["streamed: note"]
    assert 0 < found["streamed: rmse"] < 2 and found["streamed: peak MiB"] > 0
