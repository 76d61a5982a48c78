"""`adaptive-nets fit`, and everything that can be asked of what it leaves; without a search."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from command_line import fails, run

from adaptive_nets.cli import app
from adaptive_nets.data.tables import opening

RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "zip": [f"{k:05d}" for k in RNG.integers(100, 105, 80)],
        "size": np.where(RNG.random(80) < 0.1, np.nan, RNG.normal(size=80).round(3)),
    }
)
TABLE["sold"] = np.where(TABLE["size"].fillna(0) > 0, "yes", "no")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("fit")
    TABLE.to_csv(path / "train.csv", index=False)
    TABLE.drop(columns="sold").to_csv(path / "new.csv", index=False)
    return path


@pytest.fixture(scope="module")
def model_dir(folder):
    given = ("--target=sold", "--time_limit=0.01", "--seed=0", "--noverbose")
    model_dir = folder / "run"
    line = ["fit", f"--table={folder / 'train.csv'}", f"--model_dir={model_dir}", *given]
    assert app.main(line) == 0
    return model_dir


def test_both_doors_predict_the_same(capsys, folder, model_dir):
    new = f"--table={folder / 'new.csv'}"
    first = pd.read_csv(io.StringIO(run(capsys, "predict", f"--model_dir={model_dir}", new)))
    assert list(first) == ["class", "probability_no", "probability_yes"] and len(first) == 80
    assert (first["class"] == TABLE["sold"]).mean() > 0.8
    out = folder / "out.csv"
    served = f"--saved_model={model_dir / 'export'}"
    assert run(capsys, "predict", served, new, f"--out={out}", "--rows=7") == ""
    second = pd.read_csv(out)
    assert second["class"].tolist() == first["class"].tolist()[:7]
    np.testing.assert_allclose(second["probability_no"], first["probability_no"][:7], atol=1e-6)


def test_rows_to_predict_may_have_the_target(capsys, folder, model_dir):
    # `run` allows no warning.
    given = f"--table={folder / 'train.csv'}"
    found = run(capsys, "predict", f"--model_dir={model_dir}", given, "--rows=3")
    served = run(capsys, "predict", f"--saved_model={model_dir / 'export'}", given, "--rows=3")
    assert len(found.splitlines()) == len(served.splitlines()) == 4


def test_it_is_evaluated_listed_and_exported(capsys, folder, model_dir):
    where = f"--model_dir={model_dir}"
    train = f"--table={folder / 'train.csv'}"
    (row,) = json.loads(run(capsys, "evaluate", where, train, "--format=json"))
    assert row["rows"] == 80 and row["accuracy"] > 0.8 and row["log_loss"] < 0.69
    board = pd.read_csv(io.StringIO(run(capsys, "leaderboard", where, "--format=csv")))
    assert board["model"].tolist() == ["served model"]
    path = folder / "again"
    assert run(capsys, "export", where, f"--path={path}").strip() == str(path)
    assert (path / "assets.extra" / "schema.json").is_file()


def test_columns_are_shown_before_training_and_can_be_chosen(capsys, folder):
    model_dir = folder / "chosen"
    given = [f"--table={folder / 'train.csv'}", "--target=sold", "--time_limit=0.01"]
    assert app.main(["fit", *given, "--kinds=zip=ignore", f"--model_dir={model_dir}"]) == 0
    out, err = capsys.readouterr()
    assert err.startswith("adaptive-nets: warning: From column 'size' alone the target can be")
    assert "80 rows, 2 columns, classification (the target is text" in out
    assert "as you have chosen" in out and "numbers with fractions" in out


BAD = [
    (("--target=Sold",), "has no column 'Sold' (is it 'sold'?)"),
    (("--target=sold", "--kinds=zip"), "--kinds must be COLUMN=KIND"),
    (("--target=sold", "--kinds=zip=soup"), "zip"),
    (("--target=size",), "is missing in"),
    (("--target=sold", "--metric=soup"), "metric must be 'auto' or a name of"),
    (("--target=sold", "--time_limit=0"), "greater than 0"),
    ((), "fit needs --target."),
]


@pytest.mark.parametrize(("given", "message"), BAD)
def test_bad_input_is_one_line(capsys, folder, given, message):
    line = ("fit", f"--table={folder / 'train.csv'}", f"--model_dir={folder / 'bad'}", *given)
    assert message in fails(capsys, *line, "--noverbose")
    assert not (folder / "bad").exists()


def test_doors_that_do_not_fit_are_named(capsys, folder, model_dir, tmp_path):
    where = f"--model_dir={model_dir}"
    assert "exactly one of --table and --data" in fails(capsys, "evaluate", where)
    assert "exactly one of --table and --data" in fails(
        capsys, "predict", where, "--table=a.csv", "--data=iris"
    )
    table = f"--table={folder / 'new.csv'}"
    assert "holds no fit that has ended" in fails(
        capsys, "predict", f"--model_dir={tmp_path}", table
    )
    assert "has no column 'sold'" in fails(capsys, "evaluate", where, table)


@pytest.mark.parametrize("limit", [1 << 30, 0])
def test_several_files_are_one_table(capsys, tmp_path, monkeypatch, limit):
    monkeypatch.setattr(opening, "MEMORY_LIMIT", limit)
    for part in range(2):
        TABLE.iloc[part::2].to_csv(tmp_path / f"part-{part}.csv", index=False)
    given, folder = tmp_path / "part-*.csv", tmp_path / "run"
    # In so little time a linear model is all.
    line = ["fit", f"--table={given}", "--target=sold", "--time_limit=1.5"]
    assert app.main([*line, f"--model_dir={folder}"]) == 0
    assert "80 rows, 2 columns, classification" in capsys.readouterr().out
    assert app.main(["evaluate", f"--table={given}", f"--model_dir={folder}"]) == 0
    capsys.readouterr()
    for more, rows in (([], 80), (["--rows=50"], 50)):
        by_fit, served = (
            pd.read_csv(io.StringIO(run(capsys, "predict", f"--table={given}", path, *more)))
            for path in (f"--model_dir={folder}", f"--saved_model={folder / 'export'}")
        )
        assert len(by_fit) == rows
        pd.testing.assert_frame_equal(served, by_fit, atol=1e-6)
