"""`adaptive-nets report`, of what a fit and what a search has found."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

import adaptive_nets as an
from adaptive_nets.cli import app
from adaptive_nets.data.tables import opening

RNG = np.random.default_rng(0)
TABLE = pd.DataFrame({"city": RNG.choice(["Bonn", "Graz"], 90), "size": RNG.normal(size=90)})
TABLE["sold"] = np.where(TABLE["size"] > 0, "yes", "no")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds a fit, a search, and the data of both."""
    folder = tmp_path_factory.mktemp("report")
    TABLE.to_csv(folder / "table.csv", index=False)
    model = an.AutoClassifier(time_limit=0.01, seed=0, verbose=0, model_dir=folder / "fit")
    model.fit(TABLE, "sold")
    x = TABLE[["size"]].to_numpy("float32")
    y = (x[:, 0] > 0).astype(int)
    np.savez(folder / "data.npz", x=x[:60], y=y[:60], x_test=x[60:], y_test=y[60:])
    search = an.AdaNet(
        an.heads.BinaryClass(), max_iterations=1, steps_per_iteration=3, seed=0,
        model_dir=folder / "search",
    )  # fmt: skip
    search.fit(x[:60], y[:60], verbose=0)
    return folder


def run(capsys, folder, *arguments):
    """Runs the command; what it has written, and what it has said."""
    out = folder / "r.json"
    assert app.main(["report", *arguments, f"--out={out}"]) == 0
    said, err = capsys.readouterr()
    assert err == ""
    found = json.loads(out.read_text("utf-8"))
    assert said == f"{found['title']}\n{found['verdict']}\n\nWrote {out}\n"
    blocks = [block for section in found["sections"] for block in section["blocks"]]
    return {block["name"]: block for block in blocks if "name" in block}


def test_a_fit(capsys, folder):
    where = f"--model_dir={folder / 'fit'}"
    known = run(capsys, folder, where)
    assert {"leaderboard", "columns"} <= set(known) and "test" not in known
    model = an.automl.load(folder / "fit")
    table = f"--table={folder / 'table.csv'}"
    found = run(capsys, folder, where, table, "--time_limit=0.5")
    wanted = model.evaluate(folder / "table.csv")
    assert dict(found["test"]["data"]) == pytest.approx(wanted)
    assert {"importances", "confusion"} <= set(found)


def test_a_table_that_does_not_fit_into_memory(capsys, folder, monkeypatch):
    where, table = f"--model_dir={folder / 'fit'}", f"--table={folder / 'table.csv'}"
    found = run(capsys, folder, where, table, "--time_limit=0.5")
    monkeypatch.setattr(opening, "MEMORY_LIMIT", 0)
    streamed = run(capsys, folder, where, table, "--time_limit=0.5")
    assert dict(streamed["test"]["data"]) == pytest.approx(dict(found["test"]["data"]))
    assert "confusion" in streamed and set(streamed["importances"]) == set(found["importances"])


def test_a_search(capsys, folder):
    where = f"--model_dir={folder / 'search'}"
    assert {"leaderboard", "rounds"} <= set(run(capsys, folder, where))
    found = run(capsys, folder, where, f"--data=npz:{folder / 'data.npz'}")
    arrays = np.load(folder / "data.npz")
    search = an.AdaNet.load(folder / "search")
    wanted = search.evaluate(arrays["x_test"], arrays["y_test"])
    assert dict(found["test"]["data"]) == pytest.approx(wanted)


WRONG = [
    ("fit", ("--out=r.pdf",), "ends in .html or .json, or a folder. Received: path="),
    ("fit", ("--data=iris", "--out=r.json"), "--data is for the folder of a search"),
    ("search", ("--table={}/table.csv", "--out=r.json"), "For a search, use --data"),
    ("search", ("--time_limit=3", "--out=r.json"), "--time_limit is for the folder of a fit"),
    ("search", ("--table=a", "--data=iris", "--out=r.json"), "one of --table and --data"),
    ("search", ("--out={}/search",), "would overwrite"),
    ("search", ("--data=iris", "--out=r.json"), "Cannot encode labels"),
    ("nowhere", ("--out=r.json",), "nowhere"),
    ("fit", (), "report needs --out."),
]


@pytest.mark.parametrize(("name", "arguments", "message"), WRONG)
def test_wrong_command_lines(capsys, folder, tmp_path, monkeypatch, name, arguments, message):
    monkeypatch.chdir(tmp_path)
    given = [each.format(folder) for each in arguments]
    assert app.main(["report", f"--model_dir={folder / name}", *given]) in (1, 2)
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.count("\n") == 1 and "--debug" not in err
    assert not list(tmp_path.iterdir())


def test_what_is_not_installed_is_said_before_work(capsys, folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    nowhere = f"--model_dir={tmp_path / 'nowhere'}"
    assert app.main(["report", nowhere, f"--out={tmp_path / 'r.html'}"]) == 1
    assert "pip install 'adaptive-nets[report]'" in capsys.readouterr().err
