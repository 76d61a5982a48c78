"""Tables that strangers bring: learnt and read with the right values, or refused in a line."""

import json
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import adaptive_nets as an
from adaptive_nets.automl.judging.splits import split
from adaptive_nets.automl.targets import Classes, Numbers
from adaptive_nets.data import containers
from adaptive_nets.data.tables.table import read_table, split_target

RNG = np.random.default_rng(0)
ROWS = 60
NUMBERS = RNG.normal(size=ROWS)
LABELS = np.where(NUMBERS > 0, "high", "low")


def quick(**settings):
    return an.AutoClassifier(**{"time_limit": 0.01, "seed": 0, "verbose": 0, **settings})


@pytest.fixture(scope="module")
def mixed():
    """A table of every kind, with names that cannot be names of inputs."""
    days = pd.to_datetime("1960-03-01") + pd.to_timedelta(np.arange(ROWS) * 97, "D")
    return pd.DataFrame({
        "a b": np.where(NUMBERS < -1, np.nan, NUMBERS),
        "A_B": [f"({-n * 1e3:,.2f})" if n < 0 else f"${n * 1e3:,.2f}" for n in NUMBERS],
        "numbers": RNG.choice(["x", "y", "é", "😀"], ROWS),
        "": pd.array([None, *(2**53 + 1 + 3 * np.arange(ROWS - 1)).tolist()], "Int64"),
        "day": [int(f"{day:%Y%m%d}") for day in days],
        "weight": [f"{k / 4} kg" if k % 9 else "-" for k in range(ROWS)],
        "month": [f"{1999 + k // 12}-{k % 12 + 1:02d}" for k in range(ROWS)],
        "elapsed": [f"{k % 3} days {k % 24:02d}:{k:02d}:00" for k in range(ROWS)],
        "clock": [f"{k % 24}:{k:02d}" for k in range(ROWS)],
        "things": pd.Series([1, "a", None, 2.5, True] * 12, dtype=object),
    })  # fmt: skip


@pytest.fixture(scope="module")
def fitted(mixed):
    with pytest.warns(UserWarning, match="Columns without a name are called column_3"):
        return quick().fit(mixed, LABELS)


@pytest.mark.filterwarnings("ignore:Columns without a name")
def test_every_kind_in_one_table_is_served_as_it_is_predicted(fitted, mixed, tmp_path):
    kinds = [(f.key, f.kind, f.dtype) for f in fitted.schema_.features]
    assert kinds == [
        ("a_b_2", "number", "float64"), ("A_B", "number", "string"),
        ("numbers", "category", "string"), ("column_3", "number", "int64"),
        ("day", "date", "float64"), ("weight", "number", "string"), ("month", "date", "string"),
        ("elapsed", "number", "string"), ("clock", "number", "string"),
        ("things", "category", "string"),
    ]  # fmt: skip
    expected = fitted.predict_proba(mixed)
    serve = tf.saved_model.load(fitted.export(tmp_path / "served")).signatures["serving_default"]
    specs = serve.structured_input_signature[1]
    given = {
        key: tf.constant(array[:, 0].tolist(), specs[key].dtype)
        for key, array in fitted.schema_.read(mixed).items()
    }
    found = serve(**given)["probabilities"].numpy()
    np.testing.assert_allclose(found.reshape(ROWS, -1)[:, -1], expected[:, 1], atol=1e-6)
    loaded = an.automl.load(fitted.save(tmp_path / "saved"))
    np.testing.assert_allclose(loaded.predict_proba(mixed), expected, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Columns without a name")
def test_a_row_of_holes_is_a_row(fitted, mixed):
    nothing = pd.DataFrame({name: [None] * 3 for name in mixed})
    found = fitted.predict_proba(nothing)
    assert np.isfinite(found).all() and (found == found[0]).all()


def test_a_column_without_a_name_is_found_at_another_place(fitted, mixed):
    expected = fitted.predict_proba(mixed)
    turned = mixed.assign(target=LABELS)[["target", *mixed.columns[::-1]]]
    np.testing.assert_array_equal(fitted.predict_proba(turned), expected)


@pytest.mark.filterwarnings("ignore:Columns without a name")
def test_categories_that_are_written_differently_are_named_at_every_door(fitted, mixed):
    other = mixed.assign(numbers=mixed["numbers"] + "!")
    for door in (
        lambda: fitted.predict(other),
        lambda: fitted.evaluate(other, LABELS),
        lambda: fitted.predict_proba(other.rename(columns={"": "column_3"}).to_dict("list")),
    ):
        with pytest.warns(UserWarning, match="'numbers' has no value .* Are they written"):
            door()


def test_a_name_that_is_no_text_is_asked_for_as_text():
    table = pd.DataFrame({0: NUMBERS, 1: LABELS, ("y", ""): LABELS})
    for name in (1, ("y", "")):
        with pytest.raises(ValueError, match=f"must be text.*Pass y={re.escape(repr(str(name)))}"):
            quick().fit(table, name)


@pytest.mark.filterwarnings("ignore:From column")
def test_columns_are_explained_whatever_their_names_are():
    # What pandas' own methods take by these names.
    names = ["self", "class", "index", "columns", "inplace"]
    table = pd.DataFrame({name: RNG.normal(size=ROWS) for name in names})
    table["class"] = NUMBERS
    model = quick().fit(table, LABELS)
    found = model.importances(table, LABELS).set_index("feature")["importance"]
    assert sorted(found.index) == sorted(names) and found.idxmax() == "class"
    curve = model.partial_dependence(table, "self")
    moved = table.copy()
    moved["self"] = curve["value"].iloc[0]
    right = model.predict_proba(moved)[:, 1].mean()
    np.testing.assert_allclose(curve["mean"].iloc[0], right, atol=1e-6)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "a"], "a table with 'a' twice"),
        (["", ""], "a table with '' twice"),
        ([0, "0"], "a table with '0' twice"),
        (["column_1", ""], "must differ. Received: 'column_1' twice"),
    ],
)
def test_names_that_are_there_twice_are_refused(names, message):
    table = pd.DataFrame(np.stack([NUMBERS, NUMBERS**2], 1), columns=names)
    with pytest.raises(ValueError, match=message):
        quick().fit(table, LABELS)


def test_a_row_of_a_thousand_columns_is_read_once(monkeypatch):
    names = [f"c{k}" for k in range(1000)]
    table = pd.DataFrame(RNG.normal(size=(ROWS, 1000)), columns=names)
    schema = an.data.Schema.infer(table, kinds={})
    read, column = Counter(), containers._column
    monkeypatch.setattr(
        containers, "_column", lambda series: (read.update([series.name]), column(series))[1]
    )
    found = schema.read(read_table(table[:1][names[::-1]]))
    assert set(read) == set(names) and max(read.values()) == 1
    assert [found[name].item() for name in names] == table.loc[0, names].tolist()


@pytest.mark.parametrize(
    ("name", "classes", "least"),
    [("nursery", 5, 2), ("mammography", 2, 260), ("nass_crash", 2, 1000)],
)
def test_rare_and_quoted_classes_of_real_tables(name, classes, least, data_dir):
    folder = data_dir / "tables"
    column = json.loads((folder / "tables.json").read_text("utf-8"))[name]["target"]
    _, labels = split_target(read_table(folder / f"{name}.csv.gz"), column)
    target = Classes.learn(labels.to_numpy(), column)
    codes = target.codes(labels.to_numpy())
    counts = np.bincount(codes)
    assert len(target.labels) == classes and counts.min() >= least
    kept, held = split(len(codes), codes, 0)
    assert set(codes[kept]) == set(codes[held]) == set(range(classes))


@pytest.mark.parametrize("scale", [1e308, 1e30, 1e-310])
def test_numbers_at_the_ends_of_float64_are_learnt(scale):
    # The least of them is 0 to TensorFlow, and says nothing.
    table = pd.DataFrame({"far": np.clip(NUMBERS / 3, -1, 1) * scale, "near": NUMBERS})
    model = quick().fit(table, LABELS)
    assert np.isfinite(model.predict_proba(table)).all() and model.score(table, LABELS) > 0.9


def test_a_target_with_a_tail_comes_back_as_it_was(data_dir):
    charges = read_table(data_dir / "tables" / "insurance.csv.gz")["charges"].to_numpy()
    target = Numbers.learn(charges, "charges")
    encoded = target.encode(charges)
    assert encoded.max() > 4 and encoded.mean() == pytest.approx(0, abs=1e-6)
    again = encoded[:, 0] * target.scale + target.mean
    np.testing.assert_allclose(again, charges, rtol=1e-4)
