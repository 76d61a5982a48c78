"""Row labels of pandas objects: rows are paired by position only where the labels allow it."""

import warnings

import numpy as np
import pandas as pd
import pytest

from adaptive_nets import heads
from adaptive_nets.data.columns.alignment import check_aligned
from adaptive_nets.data.rows import make_rows

FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]}, index=[7, 3, 9])
Y = pd.Series([0, 1, 0], index=FRAME.index)


def read(x, y, weight=None):
    return make_rows(x, y, heads.BinaryClass(), weight)


@pytest.mark.parametrize(
    ("x", "y", "weight"),
    [
        (FRAME, Y, None),
        (FRAME, Y.to_frame(), Y + 1),
        (FRAME, Y.to_numpy(), [1, 2, 3]),
        (FRAME.to_numpy(), Y, None),
        (dict(FRAME), Y, None),
        (FRAME.reset_index(drop=True), Y.reset_index(drop=True), None),
        (FRAME.set_axis(["x", "x", "y"]), Y.set_axis(["x", "x", "y"]), None),
    ],
)
def test_the_same_labels_are_read_without_a_word(x, y, weight):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(x, y, weight).y[:, 0].tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("x", "y", "weight", "message"),
    [
        (FRAME, Y[::-1], None, "Features and labels .* same labels in another order"),
        (FRAME, Y.set_axis([7, 3, 8]), None, "Features and labels .*: other labels"),
        (FRAME, Y, Y[::-1] + 1, "Features and sample_weight .* in another order"),
        ({"a": FRAME["a"], "b": FRAME["b"][::-1]}, [0, 1, 0], None, "'a' and feature 'b' have"),
        (FRAME.to_numpy(), Y, Y[::-1] + 1, "Labels and sample_weight"),
        (FRAME.sort_index().set_axis([0, 1, 2]), Y.set_axis([2, 0, 1]), None, "another order"),
    ],
)
def test_rows_that_would_be_paired_wrongly_are_refused(x, y, weight, message):
    with pytest.raises(ValueError, match=r"\A[^\n]*" + message + r"[^\n]*\.loc[^\n]*\Z"):
        read(x, y, weight)


@pytest.mark.parametrize(
    ("x", "y"), [(FRAME.reset_index(drop=True), Y), (FRAME, Y.to_frame().set_axis([0, 1, 2]))]
)
def test_rows_without_labels_of_their_own_are_read_in_order_with_a_note(x, y):
    with pytest.warns(UserWarning, match=r"are read by position.*Received: \[.*\] and \["):
        rows = read(x, y)
    np.testing.assert_array_equal(rows.x, FRAME.to_numpy())
    assert rows.y[:, 0].tolist() == [0, 1, 0]


def test_labels_of_several_heads_are_compared_one_by_one():
    check_aligned(FRAME, {"one": Y, "two": {"three": Y}})
    with pytest.raises(ValueError, match="Features and labels 'three' have"):
        check_aligned(FRAME, {"one": Y, "two": {"three": Y[::-1]}})


def test_other_numbers_of_rows_are_left_to_where_they_are_counted():
    with pytest.raises(ValueError, match="features with 3 rows, labels with 2"):
        read(FRAME, Y[:2])
