"""Rows held out by groups and by time."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest

import adaptive_nets as an
from adaptive_nets.automl.judging.splits import split_groups, split_times

RNG = np.random.default_rng(0)
ROWS = 120
DAYS = pd.date_range("2024-01-01", periods=40, freq="D")
TABLE = pd.DataFrame(
    {
        "size": RNG.normal(size=ROWS),
        "person": RNG.integers(0, 20, ROWS).astype(str),
        "sold": RNG.permutation(DAYS.repeat(3)),
        "year": RNG.permutation(np.repeat(np.arange(2000, 2040), 3)),
    }
)
LABELS = np.where(TABLE["size"] + RNG.normal(size=ROWS) > 0, "dear", "cheap")


def fit(kind=an.AutoClassifier, table=TABLE, y=LABELS, settings=None, **given):
    settings = {"time_limit": 0.01, "seed": 0, "verbose": 0, **(settings or {})}
    return kind(**settings).fit(table, y, **given)


@pytest.fixture
def divided(monkeypatch):
    """The rows that a fit trains on, and those that it holds out."""
    from adaptive_nets.automl import fitting

    seen = []
    monkeypatch.setattr(
        fitting,
        "warn_of_leaks",
        lambda schema, train, held, *rest: seen.extend((train, held)) or [],
    )
    return seen


def test_groups_are_whole_and_of_the_usual_size_and_classes():
    groups, classes = RNG.integers(0, 60, 3000), RNG.integers(0, 3, 3000) // 2
    for strata in (None, classes):
        kept, held = split_groups(groups, strata, 0, np.array(["a", "b"]))
        assert not set(groups[kept]) & set(groups[held])
        assert sorted([*kept, *held]) == list(range(3000))
        assert abs(len(held) / 3000 - 1 / 6) < 0.02
    assert abs(classes[held].mean() - classes.mean()) < 0.02
    again, other = (split_groups(groups, classes, seed, None)[1] for seed in (0, 1))
    assert (held == again).all() and len(other) and not np.array_equal(held, other)


def test_a_class_of_one_group_stays_in_training():
    groups = np.arange(100) // 10
    for seed in range(20):
        kept, held = split_groups(groups, np.where(groups == 3, 1, 0), seed, np.array([0, 1]))
        assert 3 not in groups[held]
    pairs = np.array([0, 0, 1, 1]).repeat(10)
    classes = np.tile([0, 1], 20)
    assert all(len(split_groups(pairs, classes, seed, None)[1]) == 20 for seed in range(5))
    with pytest.raises(ValueError, match="class 'a' in one group alone"):
        split_groups(np.arange(20) // 10, np.arange(20) // 10, 0, np.array(["a", "b"]))


def test_the_last_rows_are_held_out_and_ties_stay_together():
    times = RNG.permutation(np.arange(200) // 7)
    kept, held = split_times(times, None, 0, None)
    assert times[kept].max() < times[held].min()
    assert len(kept) + len(held) == 200 and abs(len(held) - 40) <= 4
    near, same = split_times(times, None, 5, None)
    assert (same == held).all() and times[near].max() == times[held].min() - 5
    # Most rows are of the last time: they are held out, or training would be later than they.
    assert len(split_times(np.array([0] * 5 + [1] * 95), None, 0, None)[0]) == 5


@pytest.mark.parametrize(
    "given",
    [
        {"groups": "person"},
        {"groups": TABLE["person"]},
        {"groups": TABLE["person"].tolist()},
        {"groups": pl.Series(TABLE["person"].to_list())},
    ],
)
def test_no_group_is_on_both_sides(divided, given):
    fit(**given)
    train, held = divided
    assert not set(train.x["person"]) & set(held.x["person"]) and len(held.x) > 10


@pytest.mark.parametrize("kind", [an.AutoClassifier, an.AutoRegressor])
def test_the_column_of_groups_is_no_feature(kind, tmp_path):
    y = LABELS if kind is an.AutoClassifier else TABLE["size"] + RNG.normal(size=ROWS)
    model = fit(kind, y=y, groups="person")
    assert "person" not in model.schema_.names and "person" in fit(kind, y=y).schema_.names
    with_it = model.predict(TABLE[:5])
    same = an.automl.load(model.save(tmp_path / "kept"))
    assert (with_it == same.predict(TABLE[:5].drop(columns="person"))).all()
    # As rows beside the table, it stays one; and where the schema has it.
    assert "person" in fit(kind, y=y, groups=TABLE["person"]).schema_.names
    schema = an.data.Schema.infer(TABLE, kinds={})
    assert "person" in fit(kind, y=y, settings={"schema": schema}, groups="person").schema_.names


@pytest.mark.parametrize(
    ("time", "gap", "least"),
    [
        ("sold", None, 1),
        ("sold", "5 days", 5),
        ("sold", datetime.timedelta(5), 5),
        ("sold", np.timedelta64(5, "D"), 5),
        (TABLE["sold"].dt.strftime("%d.%m.%Y"), "5D", 5),
        (TABLE["sold"].dt.strftime("%Y%m%d").astype(int), "5D", 5),
        (TABLE["sold"].dt.tz_localize("CET"), "5D", 5),
        (TABLE["sold"].dt.date, "5D", 5),
        (TABLE["sold"].dt.to_period("D"), "5D", 5),
        ((TABLE["sold"] - DAYS[0]).dt.days, 5, 5),
        ((TABLE["sold"] - DAYS[0]).dt.days.to_numpy("float32"), 5.0, 5),
    ],
)
def test_training_ends_before_the_rows_held_out(divided, time, gap, least):
    fit(time=time, gap=gap)
    train, held = divided
    apart = (held.x["sold"].min() - train.x["sold"].max()).days
    assert apart == least
    assert len(held.x) == 24 and held.x["sold"].min() == DAYS[-8]


def test_rows_of_weight_0_have_no_say(divided):
    weights = (TABLE["sold"] < DAYS[20]).to_numpy("float64")
    fit(sample_weight=weights, time="sold")
    train, held = divided
    assert len(train.x) + len(held.x) == 60 and held.x["sold"].max() == DAYS[19]


def test_folds_are_left_out_unless_they_were_asked_for():
    assert fit(settings={"preset": "best"}, time="sold").folds == "auto"
    with pytest.raises(ValueError, match="folds=None or 'auto'.*Received: folds=3, repeats=1 with"):
        fit(settings={"folds": 3}, time="sold")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"groups": "perso"}, "groups='perso' must be .*is it 'person'.*Received: columns"),
        ({"time": "when"}, "time='when' must be the name of a column of X"),
        ({"groups": "person", "time": "sold"}, "pass one of them"),
        ({"groups": "person", "validation_data": (TABLE, LABELS)}, "both validation_data and gr"),
        ({"time": "sold", "validation_data": (TABLE, LABELS)}, "both validation_data and time"),
        ({"gap": 3}, "requires time. Received: gap=3"),
        ({"groups": ["a"] * ROWS}, "groups must be at least 2.*1 group in 120 rows"),
        ({"groups": LABELS}, "class 'cheap' in one group alone"),
        ({"groups": [1, 2]}, r"each of the 120 rows. Received: groups of shape \(2,\)"),
        ({"groups": TABLE[["person", "year"]]}, r"of shape \(120, 2\)"),
        ({"groups": 3}, "groups must hold one value a row. Received: groups=3"),
        ({"groups": [[1]] * ROWS}, "groups must be numbers, text or dates"),
        ({"groups": [None, *"ab" * 59, "a"]}, "1 missing .*first in row 0"),
        ({"groups": TABLE["person"].where(TABLE.index != 7)}, "first in row 7"),
        ({"groups": TABLE["person"][::-1]}, "groups have different row labels"),
        ({"time": TABLE["sold"].where(TABLE.index != 7)}, "first in row 7"),
        ({"time": "person", "gap": "1 day"}, "gap must be a finite number >= 0"),
        ({"time": LABELS}, "time must be dates or numbers. Received: '(dear|cheap)' in row 0"),
        ({"time": [True, False] * 60}, "time must be dates or numbers"),
        ({"time": [1.0] * ROWS}, "at least 2 different values"),
        ({"time": ["2024-01-02"] * ROWS}, "time must"),
        ({"time": [np.inf, *range(119)]}, "time must be finite"),
        ({"time": "sold", "gap": 3}, "gap must be a duration >= 0.*Received: gap=3"),
        ({"time": "sold", "gap": "3"}, "gap must be a duration"),
        ({"time": "sold", "gap": "soup"}, "gap must be a duration"),
        ({"time": "sold", "gap": "-3 days"}, "gap must be a duration"),
        ({"time": "sold", "gap": "90 days"}, "Too few rows are left to train on: 0 of 120"),
        ({"time": "year", "gap": -1}, "gap must be a finite number >= 0"),
        ({"time": LABELS == "dear"}, "time must be dates or numbers"),
        ({"time": (LABELS == "dear") * 1}, "Class 'dear' is in none of the rows to train on"),
    ],
)
def test_what_cannot_be_is_refused(given, message):
    with pytest.raises((ValueError, TypeError), match=message) as error:
        fit(**given)
    assert "\n" not in str(error.value)
