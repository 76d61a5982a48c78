"""The scripts of examples/ run, in this process and with few steps, and show what they promise."""

import pathlib
import runpy
import sys

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"


def load(name):
    """The names of a script, without what its main guard keeps from running."""
    return runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="example")


def test_search_a_table(tmp_path, capsys, monkeypatch):
    arguments = ["search_a_table.py", "--steps=30", f"--folder={tmp_path}"]
    monkeypatch.setattr(sys, "argv", arguments)
    runpy.run_path(str(EXAMPLES / "search_a_table.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert "first predictions: malignant benign benign" in printed
    assert "loaded: max_iterations" in printed or "loaded: no_improvement" in printed
    assert (tmp_path / "export" / "1" / "saved_model.pb").is_file()
    assert (tmp_path / "ensemble.keras").is_file()


def test_custom_builder(capsys):
    search = load("custom_builder")["main"](steps=25)
    reports = search.record.reports
    widths = {i: [r.hyperparameters["width"] for r in reports if r.iteration == i] for i in (1, 2)}
    best = min(
        (r for r in reports if r.iteration == 1), key=lambda report: report.metrics["objective"]
    ).hyperparameters["width"]
    assert widths == {1: [16, 64], 2: [best // 2, best * 2]}
    assert [r.attributes["joins"] for r in reports[:4]] == [0, 0, 1, 1]
    assert all(r.hyperparameters["blocks"] == 1 for r in reports if r.iteration == 2)
    assert "held-out accuracy" in capsys.readouterr().out


def test_keras_pool(capsys):
    search, accuracies = load("keras_pool")["main"](steps=25)
    members = {member.builder for member in search.ensemble.members}
    assert members <= {"row_reader", "dense", "convolutional"}
    assert accuracies["ensemble"] > accuracies["row_reader as given"]
    assert "held-out accuracy" in capsys.readouterr().out


def test_every_script_is_tested():
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {path.stem for path in EXAMPLES.glob("*.py")} <= tested
