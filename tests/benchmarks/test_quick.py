"""Every script of benchmarks/ runs in its quick mode, in this process; figures have their form."""

import contextlib
import gzip
import importlib.util
import io
import json
import math
import pathlib
import types

import numpy as np
import pytest

BENCHMARKS = pathlib.Path(__file__).resolve().parents[2] / "benchmarks"


def load(name):
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name, *arguments):
    """What a script's `main` returns for `--quick`."""
    return load(name).main(["--quick", *arguments])


def numbers(found):
    """All numbers within dicts and lists."""
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, (list, tuple)):
        return [number for each in found for number in numbers(each)]
    return [float(found)]


def positive(found):
    """Whether there are figures, all finite and above 0."""
    return bool(numbers(found)) and all(math.isfinite(v) and v > 0 for v in numbers(found))


def test_search(capsys):
    found = run("search", "--connect=previous")
    assert list(found) == ["steady", "rounds", "age", "mnist_dense"]
    assert positive(found)
    assert set(found["steady"]["auto"]) == {"rates", "outside", "steady"}
    assert len(found["steady"]["auto"]["rates"]) == len(found["steady"]["auto"]["outside"]) == 1
    assert len(found["steady"]["model.fit"]["rates"]) == 1
    assert len(found["rounds"]["d, d + 1"]["memory"]) == 2
    assert set(found["age"]) == {"medians", "last / first", "on disk / in memory"}
    assert found["mnist_dense"]["accuracy"] <= 1
    printed = capsys.readouterr().out
    assert printed.count("outside training") == 1 and "memory after each round, MiB" in printed


def test_search_budget(capsys):
    (cell,) = run("search", "--part", "budget")["budget"].values()
    assert set(cell) == {"used", "rounds", "accuracy", "reason", "within"}
    assert cell["used"] > 0 and cell["rounds"] >= 1 and 0 <= cell["accuracy"] <= 1
    assert cell["reason"] and cell["reason"] in capsys.readouterr().out


def test_limits(capsys):
    found = run("limits")
    assert list(found) == [
        "mixture", "classes", "rows", "predict", "leaderboard", "searches", "rounds", "candidates",
    ]  # fmt: skip
    assert all(math.isfinite(number) for number in numbers(found))
    assert positive(found["mixture"]) and positive(found["rows"]) and positive(found["candidates"])
    assert found["searches"]["kernels"]["files"] == found["searches"]["kernels"]["threads"] == 0
    assert found["rounds"]["bytes"] > 1000
    assert len(found["predict"]) == 4
    assert capsys.readouterr().out.count("asked 120, measured") == 1


def test_limits_are_measured_in_a_process_of_their_own(capsys, monkeypatch):
    limits = load("limits")
    done = types.SimpleNamespace(stdout='a figure\n{"seconds": 1.5}\n')
    asked = []
    monkeypatch.setattr(
        limits.subprocess, "run", lambda command, **_: asked.append(command) or done
    )
    assert limits.main(["--part", "rows"]) == {"rows": {"seconds": 1.5}}
    assert asked[0][1:] == [str(BENCHMARKS / "limits.py"), "--alone", "rows"]
    assert capsys.readouterr().out == "a figure\n"


def test_accuracy(capsys):
    found = run("accuracy")
    sets = {"breast_cancer", "wine"}
    settings = {
        "default settings",
        "AdamW(weight_decay=30)",
        "average of small independent networks",
    }
    assert set(found) == sets | settings and positive(found)
    assert all(set(found[name]) == {"values", "logistic regression"} for name in sets)
    assert all(len(found[name]["values"]) == 1 for name in found)
    assert capsys.readouterr().out.count("ridge with chosen penalty 3167.6") == 3


def test_convex(capsys):
    found = run("convex")
    assert list(found) == ["1 or 8"] and all(map(math.isfinite, numbers(found)))
    assert "behind by more than a standard error" in capsys.readouterr().out


def test_energy(capsys):
    found = run("energy")
    beside, products, growth, table = found
    assert beside.startswith("PCD-1, 16 x 12, batch 64") and products.startswith("PCD-10, 16 x 12")
    assert growth.startswith("growth from 1 to ") and growth.endswith(
        "in 2 epochs of 256 rows, PCD-1"
    )
    assert {"scikit-learn", "this package", "ratio"} < set(found[beside])
    assert table == "diabetes, 88 of 442 rows held out, seed 0"
    assert found[table]["units trained"] <= 80
    assert positive(found) and len(numbers(found)) == 11
    assert "time / time of its 24 products a step" in capsys.readouterr().out


def test_growth(capsys):
    found = run("growth")
    assert list(found) == ["zero", 0.1, "plans_without_values", "verification"]
    fusions = [found.pop(cross) for cross in ("zero", 0.1)]
    for figures in found.values():
        assert positive({k: v for k, v in figures.items() if "memory" not in k})
    for figures in fusions:
        assert figures["parameters"] > 2 * figures["parameters before"]
        assert positive({k: v for k, v in figures.items() if "memory" not in k})
        assert math.isfinite(figures["extra peak memory / new weights"])
    assert capsys.readouterr().out.count("plan and apply / first copy") == 2


def test_majority(capsys):
    found = run("majority")
    assert list(found) == ["mlp, batch 2, no XLA, k = 3", "t5, batch 2, no XLA, k = 3"]
    assert positive(found)
    for figures in found.values():
        assert list(map(len, figures.values())) == [2, 4, 1, 4, 2, 1]
        held, predicted = figures["weights and slots, bytes: held, predicted"]
        assert held == predicted
    assert "inference after the collapse" in capsys.readouterr().out


def test_serving(capsys):
    found = run("serving")
    assert list(found) == [1] and positive(found)
    times, ratios = (
        {"ensemble", "fused", "by hand"},
        {"fused / ensemble", "fastest tenth", "fused / by hand"},
    )
    assert set(found[1]) == times | ratios
    assert "ensemble of 2 members of width 8" in capsys.readouterr().out


def test_serving_in_threads(capsys):
    found = run("serving", "--part=threads", "--seconds=0.3", "--threads=3")
    assert {"serving_default", "predict", "classify"} <= set(found)
    for figures in found.values():
        assert figures["calls"] >= 6 and figures["errors"] == []
        assert 0 < figures["p50, ms"] <= figures["p99, ms"]
    assert capsys.readouterr().out.count("3 threads, 0.3 s") == len(found)


def test_leases(capsys):
    found = run("leases")
    for part in ("starts", "locks"):
        figures = found[part]
        assert figures["starts"] == figures["one won"] == figures["loads"] == 1
        assert 0 < figures["slowest refusal, s"] < 60
    assert found["kills"] == {"kills": 1, "equal": [True]}
    assert {kind: (each["calls"], each["errors"]) for kind, each in found["reads"].items()} == {
        "evaluate": (2, []), "export": (2, []),
    }  # fmt: skip
    printed = capsys.readouterr().out
    assert printed.count("1 of 2 refused") == 2 and "1 kills, 1 searches" in printed


def test_kill_resume(capsys):
    found = run("kill_resume")
    assert found["kills"] == 1 and found["files"] > 3
    assert found["equal"] and all(found["equal"])
    assert "1 kills, " in capsys.readouterr().out


def test_machines(capsys):
    assert run("machines") == {"usual": "equal"}
    assert "usual" in capsys.readouterr().out


def test_steps(tmp_path, capsys, monkeypatch):
    steps = load("steps")
    # A process of each would import TensorFlow anew; what they run is run here, and once.
    found = {}

    def measure(code, checkout):
        assert checkout == steps.HERE
        if code not in found:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "child", "exec"), {"__name__": "__main__"})
            found[code] = json.loads(printed.getvalue().splitlines()[-1])
        return found[code]

    monkeypatch.setattr(steps, "measure", measure)
    figures = steps.main(["--quick", f"--json={tmp_path / 'figures.json'}"])
    assert json.loads((tmp_path / "figures.json").read_text()) == figures
    assert list(figures) == [
        "import adaptive_nets, ms",
        "import adaptive_nets, processor ms",
        "import adaptive_nets.adanet, s",
        "import adaptive_nets.adanet, processor s",
        "without TensorFlow, Keras and pandas, s",
        "without TensorFlow, Keras and pandas, processor s",
        "search, training steps a second",
        "search, steps a processor second",
        "search of 1 rounds of 40 steps, s",
        "search of 1 rounds of 40 steps, processor s",
    ]
    for each in figures.values():
        assert positive(each) and each["this"] == each["other"]
        assert each["ratio"] == each["low"] == each["high"] == 1
    assert "this / other 1.000 (95 %: 1.000 to 1.000)" in capsys.readouterr().out


def test_steps_takes_the_package_of_the_checkout_it_is_given(tmp_path):
    steps = load("steps")
    (tmp_path / "adaptive_nets").mkdir()
    (tmp_path / "adaptive_nets/__init__.py").write_text("where = 'there'")
    code = "import adaptive_nets, json\nprint(json.dumps({{'a': adaptive_nets.{}}}))"
    assert steps.measure(code.format("where"), tmp_path) == {"a": "there"}
    here = steps.measure(code.format("__file__"), steps.HERE)
    assert here == {"a": str(steps.HERE / "adaptive_nets/__init__.py")}
    with pytest.raises(RuntimeError, match="has no attribute 'where'"):
        steps.measure(code.format("where"), steps.HERE)


def test_steps_alternate_and_their_ratio_is_of_medians(monkeypatch):
    steps = load("steps")
    asked = []
    numbers = {"a": iter([1.0, 2.0, 30.0]), "b": iter([2.0, 4.0, 4.0])}

    def measure(code, checkout):
        asked.append(checkout)
        return {"x": next(numbers[checkout])}

    monkeypatch.setattr(steps, "measure", measure)
    found = steps.in_turns("", ("a", "b"), 3)["x"]
    assert "".join(asked) == "abbaab"
    assert found.tolist() == [[1, 2], [2, 4], [30, 4]]
    ratio = steps.ratio_of_medians(found)
    assert ratio["ratio"] == 0.5 and ratio["low"] <= 0.5 < ratio["high"] == 7.5


def test_every_benchmark_is_tested():
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {path.stem for path in BENCHMARKS.glob("*.py")} <= tested


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

    def job(name, system, seed, seconds, data_dir):
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
