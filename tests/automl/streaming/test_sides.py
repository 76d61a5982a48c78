"""Rows of a streamed table are held out by groups and by time as those of a table in memory are."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import adaptive_nets as an
from adaptive_nets.automl.clusters.shares import Shares
from adaptive_nets.automl.judging.division import Division
from adaptive_nets.automl.streaming.shuffled import shuffled
from adaptive_nets.automl.streaming.sides import make_sides
from adaptive_nets.automl.targets import Classes, Numbers
from adaptive_nets.data.tables import opening
from adaptive_nets.data.tables.source import TableSource

ROWS = 3000


def _table(seed=0):
    random = np.random.default_rng(seed)
    number = random.normal(size=ROWS)
    patient = random.integers(0, 120, ROWS)
    day = pd.Timestamp("1969-06-01") + pd.to_timedelta(random.integers(0, 700, ROWS), "D")
    return pd.DataFrame({
        "number": number,
        "row": np.arange(ROWS),
        "patient": [f"patient {each}" for each in patient],
        "code": patient,
        "day": day,
        "text": day.strftime("%d.%m.%Y"),
        "label": np.where(number > 0, "yes", "no"),
    })  # fmt: skip


def _write(folder, table, group=400):
    half = len(table) // 2
    for place, part in enumerate((table.iloc[:half], table.iloc[half:])):
        part.to_parquet(folder / f"part-{place}.parquet", index=False, row_group_size=group)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = _write(tmp_path_factory.mktemp("parts"), _table())
    return TableSource.of_files(sorted(map(str, folder.iterdir())), "parts")


def _target(name="label"):
    y = _table()[name].to_numpy()
    return (Classes if name == "label" else Numbers).learn(y, name)


def _sides(source, division, share=0.1, most=10**6, target="label"):
    return make_sides(Shares(source), _target(target), division, share, 3, most)


def _rows(source, sides):
    """Returns the row numbers that are held out, and those to train on."""
    held, trained = [], []
    for batch in source.batches():
        row = batch.table["row"].to_numpy()
        is_held, is_trained, drawn = sides.divide(batch)
        assert ((drawn[is_trained] >= 0) & (drawn[is_trained] < 1)).all()
        held.append(row[is_held])
        trained.append(row[is_trained])
    return np.concatenate(held), np.concatenate(trained)


@pytest.mark.parametrize("column", ["patient", "code"])
@pytest.mark.parametrize("target", ["label", "number"])
def test_a_group_is_on_one_side(source, column, target):
    sides = _sides(source, Division(groups=column), target=target)
    held, trained = _rows(source, sides)
    groups = _table()[column]
    assert len(held) + len(trained) == ROWS
    assert sides.rows == len(trained)
    assert not set(groups[held]) & set(groups[trained])
    assert abs(len(held) - 0.1 * ROWS) < 30


@pytest.mark.parametrize("column", ["day", "text"])
def test_the_last_rows_in_time_are_held_out_as_in_memory(source, column):
    division = Division(time=column, gap="30 days")
    sides = _sides(source, division)
    held, trained = _rows(source, sides)
    day = _table()["day"]
    assert day[trained].max() + pd.Timedelta("30 days") <= day[held].min()
    # A closed form: the day from which on the number of rows is nearest to a tenth.
    counts = day.value_counts().sort_index()
    later = counts[::-1].cumsum()[::-1]
    assert len(held) == later.iloc[(later - 0.1 * ROWS).abs().argmin()]
    between = (day < day[held].min()) & (day > day[held].min() - pd.Timedelta("30 days"))
    assert len(held) + len(trained) + between.sum() == ROWS
    assert sides.rows == len(trained)


def test_of_many_rows_to_hold_out_some_are_kept(source):
    held, trained = _rows(source, _sides(source, Division(groups="code"), most=50))
    assert 20 < len(held) < 90
    assert len(trained) > 2600


@pytest.mark.parametrize(
    "division", [Division(), Division(groups="code"), Division(time="day", gap="30 days")]
)
def test_training_rows_are_streamed_and_no_others(source, division):
    sides = _sides(source, division)
    _, trained = _rows(source, sides)
    seen, stream = set(), shuffled(source, ["row", "number"], sides, 0, source.pieces)
    while len(seen) < len(trained):
        table = next(stream)
        assert table.column_names == ["row", "number"]
        seen |= set(table["row"].to_pylist())
    assert seen == set(trained)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": "pateint"}, r"groups='pateint' .* \(is it 'patient'\?\)"),
        ({"groups": "label"}, "groups='label' must be the name of a column of X"),
        ({"time": "number", "gap": "7 days"}, "gap must be"),
        ({"time": "patient"}, "time='patient' must be dates or numbers"),
        ({"groups": "hole"}, "groups='hole' with 2 missing .* first in row 7"),
        ({"time": "hole"}, "time='hole' with 2 missing .* first in row 7"),
        ({"time": "day", "gap": "900 days"}, "Too few rows are left to train on: 0 of 3000"),
        ({"groups": np.arange(ROWS)}, "groups needs all rows in memory.*Pass the name of a column"),
    ],
)
def test_what_cannot_divide_rows_is_refused(tmp_path, monkeypatch, arguments, message):
    monkeypatch.setattr(opening, "MEMORY_LIMIT", 0)
    table = _table().assign(hole=np.arange(ROWS) % 50 + 0.0)
    table.loc[[7, 2000], "hole"] = np.nan
    model = an.AutoClassifier(time_limit=3, seed=0, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.fit(str(_write(tmp_path, table)), "label", **arguments)


def test_a_class_that_only_the_last_rows_have_is_refused(tmp_path):
    table = _table().assign(row=np.arange(ROWS))
    table.loc[table.index[-20:], "label"] = "late"
    folder = _write(tmp_path, table)
    source = TableSource.of_files(sorted(map(str, folder.iterdir())), "parts")
    target = Classes.learn(table["label"].to_numpy(), "label")
    with pytest.raises(ValueError, match="'late' is in none of the rows to train on"):
        make_sides(Shares(source), target, Division(time="row"), 0.1, 0, 10**6)


def test_values_that_are_coded_divide_rows_too(tmp_path):
    table = _table()
    table["patient"] = table["patient"].astype("category")
    whole = pa.Table.from_pandas(table, preserve_index=False)
    assert pa.types.is_dictionary(whole.schema.field("patient").type)
    source = TableSource.of_files(sorted(map(str, _write(tmp_path, table).iterdir())), "parts")
    held, trained = _rows(source, _sides(source, Division(groups="patient")))
    assert len(held) + len(trained) == ROWS


@pytest.mark.parametrize("arguments", [{"groups": "patient"}, {"time": "day"}])
def test_a_streamed_fit_by_groups_or_time(tmp_path, monkeypatch, arguments):
    monkeypatch.setattr(opening, "MEMORY_LIMIT", 0)
    model = an.AutoClassifier(time_limit=3, seed=0, verbose=0)
    model.fit(str(_write(tmp_path, _table())), "label", **arguments)
    assert model.evaluate(_table(1))["accuracy"] > 0.9
    used = {feature.name for feature in model.schema_.features}
    assert ("patient" in used) == ("groups" not in arguments)
