"""Weights of rows, in all their forms."""

import keras
import numpy as np
import pandas as pd
import pytest

from adaptive_nets import heads
from adaptive_nets.data.rows import make_rows
from adaptive_nets.data.weights import read_weights

X = np.arange(40.0).reshape(20, 2)
Y = np.arange(20) % 3
HEAD = heads.MultiClass(3)
W = np.linspace(0, 3, 20)


@pytest.mark.parametrize(
    "given",
    [W, W.tolist(), W[:, None], pd.Series(W, index=range(5, 25)), keras.ops.convert_to_tensor(W),
     W.astype(object), tuple(np.float64(w) for w in W)],
    ids=["array", "list", "column", "series", "tensor", "objects", "scalars"],
)  # fmt: skip
def test_weights_are_read_from_any_container(given):
    np.testing.assert_allclose(read_weights(given, 20), W, rtol=1e-6)


def test_masks_are_weights():
    np.testing.assert_array_equal(read_weights(W > 1, 20), (W > 1).astype(float))


def _with(value):
    return [1.0] * 7 + [value] + [1.0] * 12


@pytest.mark.parametrize(
    "given, message",
    [
        (np.ones(19), r"must be 20 finite numbers >= 0.*ndarray of shape \[19\]"),
        (np.ones((20, 2)), r"ndarray of shape \[20, 2\]"),
        (_with(-0.5), "Received: -0.5 in row 7"),
        (_with(np.nan), "Received: nan in row 7"),
        (_with(np.inf), "Received: inf in row 7"),
        (_with(None), "Received: None in row 7"),
        (_with("heavy"), "Received: 'heavy' in row 7"),
        (_with("2"), "Received: '2' in row 7"),
        (np.full(20, 1 + 1j), r"Received: \(1\+1j\) in row 0"),
        ("heavy", "Received: sample_weight='heavy'"),
        (2.0, "Received: sample_weight=float"),
        (np.zeros(20), "not all 0. Received: 0 in every row"),
        ({"a": np.ones(20)}, "only heads.Multi takes a dict.*Received.*'a'"),
        ([[1.0], [1.0, 2.0]], "must be 20 finite numbers"),
    ],
)
def test_bad_weights_are_refused_by_name_with_the_row(given, message):
    with pytest.raises(ValueError, match=r"\Asample_weight [^\n]*(" + message + r")[^\n]*\Z"):
        make_rows(X, Y, HEAD, given)


def test_class_weights_that_leave_no_row_are_refused():
    with pytest.raises(ValueError, match="class_weight must be greater than 0.*0 for every row"):
        make_rows(X, Y, HEAD, Y == 1, class_weight={1: 0.0})
