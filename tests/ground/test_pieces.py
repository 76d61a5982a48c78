"""Arrays that are computed where they are read, in pieces of bounded size."""

import numpy as np
import pytest

from adaptive_nets import _pieces as module
from adaptive_nets._pieces import RowWise, pieces

A = np.arange(12.0).reshape(6, 2)


@pytest.mark.parametrize("rows", [0, 1, 5, 6, 7])
@pytest.mark.parametrize("width", [0, 1, 4, 9])
def test_pieces_cover_all_rows_once(rows, width, monkeypatch):
    monkeypatch.setattr(module, "PIECE_NUMBERS", 8)
    found = list(pieces(rows, width))
    assert [k for s in found for k in range(rows)[s]] == list(range(rows))
    assert all((s.stop - s.start) * max(width, 1) <= 8 or s.stop - s.start == 1 for s in found)


def test_rows_are_computed_where_they_are_read(monkeypatch):
    monkeypatch.setattr(module, "PIECE_NUMBERS", 4)
    read = []

    def compute(sources):
        read.append(len(sources[0]["a"]))
        return sources[0]["a"] + sources[1]["a"]

    array = RowWise(compute, [{"a": A}, {"a": 2 * A}])
    assert len(array) == 6 and not read
    np.testing.assert_array_equal(array[2:3], 3 * A[2:3])
    np.testing.assert_array_equal(array[::4], 3 * A[::4])
    read.clear()
    whole = array.whole(2)
    assert whole.dtype == "float32" and read == [2, 2, 2]
    np.testing.assert_array_equal(whole, 3 * A)
    halves = array.divided(np.array([2.0, 4.0]))
    np.testing.assert_array_equal(halves[1:], 3 * A[1:] / [2, 4])
