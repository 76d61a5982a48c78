"""What gives the target away is said before training, and nothing else is."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

import adaptive_nets as an
from adaptive_nets.automl import fitting
from adaptive_nets.automl.judging.leaks import follows

RNG = np.random.default_rng(0)
ROWS = 600


@pytest.fixture
def table():
    frame = pd.DataFrame(RNG.normal(size=(ROWS, 3)), columns=["a", "b", "c"])
    frame["town"] = RNG.choice(["Bonn", "Graz", "Lyon"], ROWS)
    frame["y"] = np.where(frame["a"] + RNG.normal(size=ROWS) > 0, "yes", "no")
    return frame


class DividedError(Exception):
    """Ends a fit once rows are divided and looked at."""


@pytest.fixture
def said(monkeypatch):
    """Returns what a fit warns of before it trains."""

    def stop(*given):
        raise DividedError

    monkeypatch.setattr(fitting, "fit_encoding", stop)

    def fit(frame, kind=an.AutoClassifier, target="y", **given):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            with pytest.raises(DividedError):
                kind(seed=0, verbose=0).fit(frame, target, **given)
        return [str(each.message) for each in found]

    return fit


def test_a_column_that_gives_the_target_away(table, said):
    assert said(table) == []
    wrong = RNG.random(ROWS) < 0.005
    code = table["y"].map({"yes": "K7", "no": "K9"}).where(~wrong, "K7")
    number = (table["y"] == "yes") + 0.01 * RNG.normal(size=ROWS)
    closed = pd.Series(pd.Timestamp("2024-05-01"), table.index).where(table["y"] == "yes")
    for column in (code, number, closed):
        (message,) = said(table.assign(leak=column))
        assert message.startswith("From column 'leak' alone the target can be predicted")
    (message,) = said(table.assign(code=code, number=number))
    assert message.startswith("From each of")


def test_one_that_gives_numbers_away(table, said):
    y = table["a"] ** 3 + RNG.normal(size=ROWS)
    assert said(table.assign(y=y), an.AutoRegressor) == []
    for leak in (100 - 2 * y, np.exp(y), y + 0.05 * y.std() * RNG.normal(size=ROWS)):
        (message,) = said(table.assign(y=y, leak=leak), an.AutoRegressor)
        assert "'leak' alone" in message
    (message,) = said(table.assign(y=y**2, leak=y), an.AutoRegressor)
    assert "'leak' alone" in message


def test_a_number_of_the_rows_that_orders_the_target(table, said):
    ordered = table.sort_values("y")
    for number in (np.arange(ROWS), np.arange(ROWS) * 2 + 7):
        for frame in (ordered.assign(number=number), ordered.assign(number=number).sample(frac=1)):
            (message,) = said(frame)
            assert "ordered by the target" in message and "time='number'" in message
    assert said(table.assign(number=np.arange(ROWS))) == []
    assert said(ordered.assign(number=np.arange(ROWS)), time="a") != []


def test_copies_across_the_split(table, said):
    twice = pd.concat([table, table[:200]], ignore_index=True)
    (message,) = said(twice)
    copies, held = map(int, re.match(r"(\d+) of (\d+) held-out rows", message).groups())
    # A third of the rows has a copy or is one, five sixths of which are in training.
    assert held == 160 and 40 < copies < 90
    assert said(twice, groups=np.concatenate([np.arange(ROWS), np.arange(200)])) == []
    (message,) = said(table, validation_data=table[:50])
    assert message.startswith("50 of 50 held-out rows (100%)")
    # Of few values rows are equal by chance.
    assert said(twice[["town", "y"]].assign(more=twice["a"] > 0)) == []
    # With another target they are not copies.
    other = twice.assign(y=np.r_[table["y"], np.where(table["y"][:200] == "yes", "no", "yes")])
    assert said(other) == []


def test_with_groups_a_group_counts_once(table, said):
    person = RNG.integers(0, 60, ROWS)
    frame = table.assign(y=np.where(RNG.random(60) < 0.5, "yes", "no")[person], person=person)
    frame["name"] = [f"N{p:02d}" for p in person]
    (message,) = said(frame)
    assert "person" in message and "name" in message and "groups=" in message
    assert said(frame, groups="person") == []


@pytest.mark.parametrize(
    "name", ["iris", "wine", "breast_cancer", "digits", "diabetes", "linnerud"]
)
def test_clean_tables_are_quiet(said, name):
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True, as_frame=True)
    kind = an.AutoRegressor if name in ("diabetes", "linnerud") else an.AutoClassifier
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        with pytest.raises(DividedError):
            kind(seed=0, verbose=0).fit(x, y)
    assert [str(each.message) for each in found] == []


def test_how_well_a_target_follows():
    x = RNG.normal(size=4000)
    assert follows(x, (x > 0).astype(int)) == 1 and follows(x, np.argsort(np.argsort(x))) < 1
    assert follows(x, pd.Series(x).rank().to_numpy()) == pytest.approx(1)
    assert abs(follows(x, RNG.integers(0, 2, 4000))) < 0.06
    assert abs(follows(x, pd.Series(RNG.normal(size=4000)).rank().to_numpy())) < 0.06
    # Chatterjee's correlation, as it was defined.
    ranks = pd.Series(x + RNG.normal(size=4000)).rank().to_numpy()
    jumps = np.abs(np.diff(ranks[np.argsort(x)])).sum()
    assert follows(x, ranks) == pytest.approx(1 - 3 * jumps / (4000**2 - 1), abs=2e-3)
    assert follows(x, np.zeros(4000)) == 0
