"""Every script of benchmarks/ runs in its quick mode, in this process; figures have their form."""

import contextlib
import io
import json
import math
import pathlib
import re
import types

import pytest
from quick_runs import BENCHMARKS, load, numbers, positive, run


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
    # Files and threads of the tests before may end meanwhile.
    assert found["searches"]["kernels"]["files"] <= 0
    assert found["searches"]["kernels"]["threads"] <= 0
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
    splits = found.pop("splits")
    assert len(splits["values"]) == 2 and positive(splits)
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
    files = pathlib.Path(__file__).parent.glob("test_*.py")
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    tested = set(re.findall(r"^def test_(\w+)\(", text, re.MULTILINE))
    folders = {path.parent.name for path in BENCHMARKS.glob("*/__main__.py")}
    assert folders | {path.stem for path in BENCHMARKS.glob("*.py")} <= tested
