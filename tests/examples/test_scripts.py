"""The scripts of examples/ run, in this process and with few steps, and show what they promise."""

import ast
import pathlib
import re
import runpy
import sys
import tempfile

import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("few_chunks")

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


def test_raw_table(tmp_path, capsys):
    found = load("raw_table")["main"](tmp_path, rows=300, time_limit=0.01)
    assert found["r2"] > 0
    printed = capsys.readouterr().out
    assert "dates as text" in printed and "served model" in printed
    assert (tmp_path / "export" / "saved_model.pb").is_file()
    assert len((tmp_path / "new.csv").read_text().splitlines()) == 6


def test_custom_builder(capsys):
    search = load("custom_builder")["main"](steps=25)
    reports = search.state.reports
    rounds = {i: [r for r in reports if r.iteration == i] for i in (1, 2, 3)}
    assert [r.hyperparameters["width"] for r in rounds[1]] == [16, 64]
    for i in (2, 3):
        # The best of all rounds before, by the objective.
        earlier = [r for r in reports if r.iteration < i]
        best = min(earlier, key=lambda r: r.metrics["objective"]).hyperparameters["width"]
        assert [r.hyperparameters["width"] for r in rounds[i]] == [best // 2, best * 2]
    assert [r.hyperparameters["layers"] for r in reports[:4]] == [1, 1, 2, 2]
    assert [r.attributes["joins"] for r in reports[:4]] == [0, 0, 1, 1]
    read = search.architecture().set_index("round")["reads"]
    assert read[1] == []
    assert read[2] == [search.ensemble.members[0].name]
    assert "held-out accuracy" in capsys.readouterr().out


def test_adanet_walkthrough(tmp_path, capsys, monkeypatch):
    source = (EXAMPLES / "adanet_walkthrough.py").read_text(encoding="utf-8")
    short = source
    for name, number in {"ROUNDS": 2, "STEPS": 25}.items():
        short, found = re.subn(rf"^{name} = \d+", f"{name} = {number}", short, flags=re.MULTILINE)
        assert found == 1
    script = tmp_path / "adanet_walkthrough.py"
    script.write_text(short, encoding="utf-8")
    # What the page writes goes where the test cleans up.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names = runpy.run_path(str(script))
    search, final, folder = names["search"], names["final"], names["FOLDER"]
    assert search.stop_reason in ("max_iterations", "no_improvement")
    assert [m.builder for m in final.ensemble.members] == [
        m.builder for m in search.ensemble.members
    ]
    # The server's answer is the search's, and the folder's search the one that was left.
    x = names["x_test"][:5]
    served = names["answer"]["probabilities"].numpy()
    np.testing.assert_allclose(served, final.predict(x, output="probabilities"), atol=1e-5)
    np.testing.assert_array_equal(
        names["loaded"].predict(x, output="logits"), search.predict(x, output="logits")
    )
    assert names["accuracies"]["AdaNet"] > 0.8
    assert (folder / "report" / "index.html").is_file()
    assert (folder / "ensemble.keras").is_file()
    assert "bound on the probability of an error" in capsys.readouterr().out


def test_the_walkthrough_is_made_of_cells():
    source = (EXAMPLES / "adanet_walkthrough.py").read_text(encoding="utf-8")
    cells = re.split(r"^# %%", source, flags=re.MULTILINE)[1:]
    for cell in cells:
        kind, _, text = cell.partition("\n")
        if kind == " [markdown]":
            assert all(line.startswith("#") for line in text.splitlines() if line), text
        else:
            assert kind == ""
            assert ast.parse(text).body, "a cell without code"


def test_keras_pool(capsys):
    search, accuracies = load("keras_pool")["main"](steps=25)
    members = {member.builder for member in search.ensemble.members}
    assert members <= {"row_reader", "dense", "convolutional"}
    assert accuracies["ensemble"] > accuracies["row_reader as given"]
    assert "held-out accuracy" in capsys.readouterr().out


def test_every_script_is_tested():
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    tested |= {f"estimator_{name}" for name in ESTIMATORS}
    assert {path.stem for path in EXAMPLES.glob("*.py")} <= tested


def test_fuse_digits(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["fuse_digits.py", "--epochs=2", "--seeds=1"])
    runpy.run_path(str(EXAMPLES / "fuse_digits.py"), run_name="__main__")
    header, values = capsys.readouterr().out.strip().splitlines()[-2:]
    assert "fine-tuned" in header
    assert len(header.split("gap")) == 2
    (gap,) = (float(value) for value in values.split() if "e-" in value)
    assert gap <= 1e-6


# The metric each prints, what it must be above, and the steps it ends at.
ESTIMATORS = {
    "binary": ("accuracy", 0.9, 600),
    "multiclass": ("accuracy", 0.93, 600),
    "regression": ("r2", 0.1, 600),
    "custom_builder": ("r2", 0.1, 600),
    "auto_ensemble": ("accuracy", 0.93, 400),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators(name, tmp_path, capsys):
    metric, least, steps = ESTIMATORS[name]
    found = load(f"estimator_{name}")["main"](model_dir=str(tmp_path))
    assert found[metric] > least and found["global_step"] == steps
    assert metric in capsys.readouterr().out
