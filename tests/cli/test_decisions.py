"""Decisions, coverage, rows to hold out and importances on the command line; without a search."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from command_line import fails, run

from adaptive_nets import automl
from adaptive_nets.cli import app, table_flags

RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "shop": RNG.choice(["a", "b", "c", "d", "e", "f"], 240),
        "day": np.arange(240),
        "size": RNG.normal(size=240).round(3),
    }
)
TABLE["sold"] = np.where(TABLE["size"] + RNG.normal(size=240) > 0.5, "yes", "no")
TABLE["price"] = (3 * TABLE["size"] + RNG.normal(size=240)).round(4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("decisions")
    TABLE.drop(columns="price").to_csv(path / "sold.csv", index=False)
    TABLE.drop(columns="sold").to_csv(path / "price.csv", index=False)
    return path


def fit(folder, target, *given):
    where = f"--model_dir={folder / target}"
    line = ["fit", f"--table={folder / target}.csv", f"--target={target}", where]
    assert app.main([*line, "--time_limit=0.01", "--seed=0", "--noverbose", *given]) == 0
    return where


@pytest.fixture(scope="module")
def sold(folder):
    return fit(folder, "sold", "--groups=shop", "--costs=yes:no=4", "--class_weight=yes=2,no=1")


@pytest.fixture(scope="module")
def price(folder):
    return fit(folder, "price", "--time=day", "--gap=5", "--output=quantiles")


def test_classes_are_decided_by_costs_and_have_sets(capsys, folder, sold):
    model = automl.load(folder / "sold")
    assert model.costs == {("yes", "no"): 4.0} and model.threshold_ == 0.2
    assert model.class_weight == {"yes": 2.0, "no": 1.0}
    assert "shop" not in [f.name for f in model.schema_.features]
    new = f"--table={folder / 'sold.csv'}"
    text = run(capsys, "predict", sold, new, "--coverage=0.8")
    found = pd.read_csv(io.StringIO(text))
    expected = ["class", "probability_no", "probability_yes", "set_no", "set_yes"]
    assert list(found) == expected
    assert ((found["class"] == "yes") == (found["probability_yes"] >= 0.2)).all()
    table = TABLE.drop(columns=["sold", "price"])
    sets = model.predict_set(table, 0.8).to_numpy()
    np.testing.assert_array_equal(found[["set_no", "set_yes"]], sets)
    served = f"--saved_model={folder / 'sold' / 'export'}"
    again = pd.read_csv(io.StringIO(run(capsys, "predict", served, new)))
    assert (again["class"] == found["class"]).all() and list(again) == expected[:3]
    path = folder / "with_sets"
    run(capsys, "export", sold, f"--path={path}", "--coverage=0.8")
    third = pd.read_csv(io.StringIO(run(capsys, "predict", f"--saved_model={path}", new)))
    assert set(expected) == set(third) and (third["set_yes"] == found["set_yes"]).mean() > 0.99


def test_numbers_have_intervals(capsys, folder, price):
    new = f"--table={folder / 'price.csv'}"
    found = pd.read_csv(io.StringIO(run(capsys, "predict", price, new, "--coverage=0.5")))
    assert list(found) == ["prediction", "lower", "upper"]
    assert (found["lower"] <= found["upper"]).all()
    model = automl.load(folder / "price")
    expected = model.predict_interval(TABLE.drop(columns=["sold", "price"]), 0.5)
    np.testing.assert_allclose(found[["lower", "upper"]], expected, rtol=1e-6)
    assert model.output == "quantiles"


def test_importances_of_columns(capsys, folder, sold):
    given = (f"--table={folder / 'sold.csv'}", "--repeats=2", "--rows=100", "--format=json")
    found = json.loads(run(capsys, "importances", sold, *given))
    assert found[0]["feature"] == "size" and found[0]["repeats"] == 2


BAD = [
    ("fit", "sold", ("--groups=soup",), "groups='soup' must be the name of a column"),
    ("fit", "sold", ("--time=shop",), "must be dates or numbers"),
    ("fit", "sold", ("--gap=5",), "requires time"),
    ("fit", "sold", ("--time=day", "--gap=soup"), "gap must be"),
    ("fit", "sold", ("--folds=1",), "folds"),
    ("fit", "sold", ("--folds=3", "--repeats=0"), "repeats"),
    ("fit", "sold", ("--repeats=2",), "requires folds"),
    ("fit", "sold", ("--folds=3", "--repeats=2", "--time=day"), "does not go with time"),
    ("fit", "sold", ("--output=quantiles",), "--output is for targets of numbers"),
    ("fit", "price", ("--costs=a:b=1",), "--costs is for targets of classes"),
    ("fit", "price", ("--output=soup",), "output"),
    ("fit", "sold", ("--costs=yes=4",), "TRUE:PREDICTED=COST"),
    ("fit", "sold", ("--costs=yes:maybe=4",), "classes of the target: "),
    ("fit", "sold", ("--costs=yes:no=-4",), "finite number >= 0"),
    ("fit", "sold", ("--class_weight=maybe=4",), "classes of the target: "),
    ("fit", "sold", ("--class_weight=soup",), "balanced, or CLASS=WEIGHT"),
    ("predict", "sold", ("--coverage=1.2",), "less than 1"),
    ("predict", "sold", ("--coverage=0.8", "--by=size"), "by must be the name of a column"),
    ("predict", "sold", ("--by=shop",), "--by needs --coverage"),
    ("predict", "sold", ("--coverage=0.9999",), "coverage must be at most"),
    ("importances", "sold", ("--metric=soup",), "metric must be"),
    ("importances", "sold", ("--repeats=0",), "repeats"),
]


@pytest.mark.parametrize(("command", "target", "given", "message"), BAD)
def test_bad_input_is_one_line(capsys, folder, sold, command, target, given, message):
    line = [command, f"--table={folder / target}.csv", *given]
    if command == "fit":
        line += [f"--model_dir={folder / 'bad'}", f"--target={target}", "--noverbose"]
    else:
        line.append(sold)
    assert message in fails(capsys, *line)
    assert not (folder / "bad").exists()


def test_classes_are_named_as_the_target_has_them():
    assert table_flags.costs_of(["0:1=5"], [0, 1]) == {(0, 1): 5.0}
    assert table_flags.costs_of(["a:b:c=2"], ["a:b", "c"]) == {("a:b", "c"): 2.0}
    assert table_flags.class_weight_of(["True=3"], [True, False]) == {True: 3.0}
    with pytest.raises(ValueError, match="TRUE:PREDICTED=COST"):
        table_flags.costs_of(["a:b:c=2"], ["a:b", "c", "a", "b:c"])
