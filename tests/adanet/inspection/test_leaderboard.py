"""The leaderboard as a table."""

import copy
import io
import pickle
import types

import numpy as np
import pandas as pd
import pytest

import adaptive_nets as an
from adaptive_nets.adanet.inspection.leaderboard import LEADING, TRAILING, Leaderboard, to_frame
from adaptive_nets.adanet.rounds.records import Entry


def entry(round_, candidate, objective, status="rejected", measured=None):
    measured = {"loss": 0.5, "accuracy": 0.9, "penalty": 0.1} if measured is None else measured
    return Entry(round_, candidate, status, objective, measured, 10, 20, 1.5, 2.0, 0.2, 0.7, "1/a")


def test_rows_are_sorted_by_round_and_objective():
    nan = float("nan")
    frame = to_frame(
        [
            entry(2, "c", 0.3),
            entry(2, "bad", nan, "diverged at step 7", {}),
            entry(2, "d", 0.1, "selected"),
            entry(1, "b", 0.2),
            entry(1, "a", 0.2),
        ]
    )
    # Equals stay in their order, and what diverged is last in its round.
    assert frame.candidate.tolist() == ["b", "a", "d", "c", "bad"]
    assert frame.index.tolist() == list(range(5))
    assert frame.status[4] == "diverged at step 7"
    assert frame.iloc[4][["objective", "loss", "accuracy", "penalty"]].isna().all()
    assert frame.accuracy[:4].eq(0.9).all()


def test_columns_stand_in_one_order_with_the_metrics_amid():
    frame = to_frame([entry(1, "a", 0.2, measured={"accuracy": 1, "val_loss": 2, "loss": 3})])
    leading = [c for c in LEADING if c != "penalty"]
    assert frame.columns.tolist() == [*leading, "accuracy", "val_loss", *TRAILING]
    row = frame.iloc[0]
    assert (row["round"], row.parameters, row.steps, row.seconds) == (1, 10, 20, 1.5)
    assert (row.complexity, row.gamma) == (2.0, 0.2)
    assert (row.mixture_weight, row.parent, row.loss, row.val_loss) == (0.7, "1/a", 3, 2)


def test_an_empty_leaderboard_has_its_columns():
    frame = to_frame([])
    assert isinstance(frame, pd.DataFrame) and len(frame) == 0
    assert frame.columns.tolist() == [*LEADING, *TRAILING]


def test_measurements_of_later_rounds_leave_gaps_in_earlier_ones():
    frame = to_frame(
        [entry(1, "a", 0.2), entry(2, "b", 0.1, measured={"loss": 0.1, "val_loss": 0.4})]
    )
    assert np.isnan(frame.val_loss[0]) and frame.val_loss[1] == 0.4


NAMES = ("loss", "penalty", "auc", "accuracy", "val_loss", "val_auc", "val_accuracy")
MEASURED = dict.fromkeys(NAMES, 0.123456789)


def board(rows, head=None, name="2_layer_dense"):
    given = [entry(1 + k // 5, f"{name}_{k}", k / 7, measured=MEASURED) for k in range(rows)]
    settings = types.SimpleNamespace(objective_of="train")
    context = types.SimpleNamespace(head=head or an.heads.BinaryClass(), settings=settings)
    return to_frame(given, context)


@pytest.mark.parametrize("width", [60, 80, 132])
@pytest.mark.parametrize("rows", [3, 5000])
def test_it_prints_the_metric_first_and_fits_the_terminal(monkeypatch, width, rows):
    monkeypatch.setenv("COLUMNS", str(width))
    frame = board(rows)
    lines = str(frame).splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0].split()[:4] == ["val_accuracy", "accuracy", "round", "candidate"]
    assert lines[1].split()[:5] == ["0", "0.12346", "0.12346", "1", "2_layer_dense_0"]
    assert len(lines) < 25
    # What has no room is named, in no two places.
    size = lines.index(f"[{rows} rows x {len(frame.columns)} columns]")
    hidden = " ".join(lines[size + 1 :]).removeprefix("not shown: ").split(", ")
    assert sorted([*lines[0].split(), *hidden]) == sorted(frame.columns)
    last = lines[size - 2].split()
    assert last[0] == str(rows - 1) and last[4] == frame.candidate.iloc[-1]
    assert (lines[6].split()[0] == "...") == (rows == 5000)


def test_a_wide_terminal_shows_all_columns_and_a_narrow_one_still_fits(monkeypatch):
    frame = board(3)
    monkeypatch.setenv("COLUMNS", "400")
    header = str(frame).splitlines()[0].split()
    assert sorted(header) == sorted(frame.columns) and "not shown" not in str(frame)
    for width in (10, 20, 40):
        monkeypatch.setenv("COLUMNS", str(width))
        assert max(map(len, str(board(3, name="long" * 30)).splitlines())) <= max(width, 24)


def test_long_names_keep_both_ends(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = str(board(3, name="long" * 30)).splitlines()
    assert lines[2].split()[4].startswith("longlong") and lines[2].split()[4].endswith("long_1")


def test_the_rows_that_pandas_would_show_are_shown(monkeypatch):
    with pd.option_context("display.max_rows", 8, "display.min_rows", 4):
        shown = [line.split()[0] for line in str(board(9)).splitlines()[1:6]]
    assert shown == ["0", "1", "...", "7", "8"]
    with pd.option_context("display.max_rows", None):
        assert len(str(board(100)).splitlines()) > 100


def test_what_is_made_of_it_prints_so_too():
    frame = board(7)
    made = [
        frame.head(2), frame[frame["round"] == 2], frame.sort_values("loss"), frame.copy(),
        pickle.loads(pickle.dumps(frame)), copy.deepcopy(frame), frame.drop(columns="seconds"),
    ]  # fmt: skip
    for each in made:
        assert type(each) is Leaderboard
        assert str(each).split()[:2] == ["val_accuracy", "accuracy"]
    assert str(frame[["round", "loss"]]).split()[:2] == ["round", "loss"]
    # Statistics have names of rows; columns of one name are left in their order.
    assert "candidate" in str(frame.set_index("candidate")).split()[0]
    assert str(frame.describe()).splitlines()[1].split()[0] == "count"
    assert str(pd.concat([frame, frame], axis=1)).split()[:2] == ["round", "candidate"]
    assert str(frame.T) and str(to_frame([]))
    assert str(board(2, an.heads.Regression())).split()[:2] == ["round", "candidate"]


def test_it_is_a_frame_like_any_other(tmp_path):
    frame = board(7)
    plain = pd.DataFrame(frame)
    assert type(plain) is pd.DataFrame and plain.columns[0] == "round"
    assert frame.to_csv() == plain.to_csv()
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(frame)), frame)
    again = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
    pd.testing.assert_frame_equal(again, frame, check_dtype=False)
    pd.testing.assert_frame_equal(frame, again, check_dtype=False)
    assert frame.groupby("round").size().tolist() == [5, 2]
    with pd.option_context("display.notebook_repr_html", False):
        assert frame._repr_html_() is None
    html = frame._repr_html_()
    assert html.index("<th>val_accuracy") < html.index("<th>accuracy") < html.index("<th>round")
    assert all(f"<th>{column}</th>" in html for column in frame.columns)
