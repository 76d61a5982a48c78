"""The leaderboard as a table."""

import numpy as np
import pandas as pd

from adaptive_nets.adanet.inspection.leaderboard import LEADING, TRAILING, to_frame
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
