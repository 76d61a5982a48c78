"""No stored file that is damaged changes a result without a word; `damage.py` has the sweep."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import damage

WHOLE = bool(os.environ.get("WHOLE_DAMAGE"))


def test_a_damaged_file_is_recovered_from_or_named(tmp_path):
    if WHOLE:
        found = list(damage.sweep(tmp_path, flips=200, loads=10, fits=2))
    else:
        found = list(damage.sweep(tmp_path, 60, 0, 0, scenes=[damage.stopped], sample=45))
    print(damage.table(found))
    assert not damage.faults(found)
    assert {outcome.kind for outcome in found} >= {"recovered", "refused"}


@pytest.mark.parametrize("seed", range(8 if WHOLE else 1))
def test_a_damaged_share_goes_on_from_an_older_checkpoint(tmp_path, seed):
    found = list(damage.sweep_share(tmp_path, 200 if WHOLE else 40, seed))
    assert not damage.faults(found)
    assert {outcome.kind for outcome in found} == {"harmless", "recovered"}
