"""Rows in memory up to a limit and on disk above it."""

import os

import numpy as np
import pytest

from adaptive_nets.data.spool import Spool, as_tensor

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("limit, on_disk", [(10**6, False), (50, True), (0, True)])
def test_what_goes_in_comes_out(limit, on_disk, dtype, tmp_path):
    batches = [(RNG.normal(size=(n, 3, 2)) * 5).astype(dtype) for n in (4, 1, 7, 4)]
    spool = Spool(limit, str(tmp_path))
    for batch in batches:
        spool.append(batch)
    assert spool.rows == 16 and spool.bytes == sum(b.nbytes for b in batches)
    rows = spool.close()
    assert isinstance(rows, np.memmap) == on_disk
    assert rows.dtype == dtype
    np.testing.assert_array_equal(rows, np.concatenate(batches))
    # The file has no name, so a killed process leaves nothing behind.
    assert os.listdir(tmp_path) == []
    # As a tensor it is the file itself, not a copy, and outlives the array.
    tensor, values, address = as_tensor(rows), np.array(rows), rows.ctypes.data
    if on_disk and dtype != "bool":
        assert tensor._numpy_internal().ctypes.data == address
    del rows
    np.testing.assert_array_equal(tensor, values)


def test_the_limit_is_exact():
    exact, over = Spool(24), Spool(23)
    for spool in (exact, over):
        spool.append(np.zeros((3, 2), "float32"))
    assert not isinstance(exact.close(), np.memmap) and isinstance(over.close(), np.memmap)


def test_strided_batches_keep_their_order():
    batch = np.arange(24.0).reshape(4, 6)[:, ::2]
    spool = Spool(0)
    spool.append(batch)
    np.testing.assert_array_equal(spool.close(), batch)


def test_text_stays_in_memory():
    spool = Spool(0)
    for words in (["a", "ü"], ["longer"]):
        spool.append(np.array(words, object))
    assert spool.close().tolist() == ["a", "ü", "longer"]


def test_rows_of_another_shape_are_refused():
    spool = Spool(100)
    spool.append(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"rows of the same shape.*\(4,\) after \(3,\)"):
        spool.append(np.zeros((2, 4)))
