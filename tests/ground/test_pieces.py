"""Arrays that are computed where they are read, in pieces of bounded size."""

import os
import pathlib

import numpy as np
import pytest

from adaptive_nets import _pieces as module
from adaptive_nets._pieces import ChosenRows, RowWise, blocks, choose_rows, gather, pieces, release

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


def test_many_chosen_rows_are_a_view_and_few_a_copy(monkeypatch):
    index = np.array([4, 0, 0, 5])
    assert isinstance(choose_rows(A, index), np.ndarray)
    monkeypatch.setattr(module, "VIEW_BYTES", 0)
    view = choose_rows(A, index)
    assert isinstance(view, ChosenRows) and view.source is A
    assert (len(view), view.shape, view.ndim, view.size) == (4, (4, 2), 2, 8)
    assert (view.dtype, view.nbytes) == (A.dtype, 64)
    np.testing.assert_array_equal(np.asarray(view), A[index])
    np.testing.assert_array_equal(view[1:3], A[index][1:3])
    np.testing.assert_array_equal(gather(view, np.array([3, 0])), A[[5, 4]])
    again = choose_rows(view, np.array([True, False, False, True]))
    assert again.source is A and again.index.tolist() == [4, 5]
    assert choose_rows(A, slice(1, 3)).base is not None
    text = choose_rows(np.array(["a", "b"], object), np.array([1]))
    assert text.tolist() == ["b"]


def test_blocks_cover_all_rows_once(monkeypatch):
    monkeypatch.setattr(module, "PIECE_NUMBERS", 1)
    found = list(blocks(A, 100))
    assert [len(block) for block in found] == [4, 2]
    np.testing.assert_array_equal(np.concatenate(found), A)
    assert [len(block) for block in blocks(A, 3)] == [3, 3]


def mapped(tmp_path, mode="r+"):
    """A memory map of 64 MiB, and the bytes of it that are in this process."""
    path = tmp_path / "rows"
    np.arange(1 << 24, dtype="float32").tofile(path)
    array = np.memmap(path, "float32", mode, shape=(1 << 14, 1 << 10))

    def held():
        inside, found = False, 0
        for line in pathlib.Path("/proc/self/smaps").read_text().splitlines():
            if "-" in line.split()[0]:
                inside = line.rstrip().endswith(str(path))
            elif inside and line.startswith("Rss:"):
                found += int(line.split()[1]) << 10
        return found

    return array, held


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps"), reason="reads /proc")
def test_a_memory_map_that_is_read_is_not_held(tmp_path, monkeypatch):
    array, held = mapped(tmp_path)
    monkeypatch.setattr(module, "MAPPED_BYTES", 1 << 22)
    monkeypatch.setattr(module, "PIECE_NUMBERS", 1 << 17)
    most = max(held() for block in blocks(array, 1 << 14) if block.sum() > 0)
    assert 0 < most < 24 << 20
    index = np.random.default_rng(0).permutation(len(array))
    found = gather(array, index)
    assert held() < 24 << 20
    assert float(array.sum()) > 0 and held() > 48 << 20
    np.testing.assert_array_equal(found[:, 0], array[:, 0][index])
    release(array)
    assert held() < 1 << 20


def test_changes_that_are_in_memory_only_are_not_let_go_of(tmp_path):
    array, _ = mapped(tmp_path, "c")
    array[0, 0] = -1.0
    release(array)
    assert array[0, 0] == -1.0
    shared, _ = mapped(tmp_path)
    shared[0, 0] = -2.0
    release(shared[1:])
    assert shared[0, 0] == -2.0
