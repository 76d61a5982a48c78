"""Rows in folds."""

import numpy as np
import pytest

from adaptive_nets.data.folds import fold_numbers, group_fold_numbers


@pytest.mark.parametrize(("rows", "folds"), [(10, 5), (103, 4), (7, 7)])
def test_folds_are_of_equal_size_and_follow_from_the_seed(rows, folds):
    found = fold_numbers(None, rows, folds, 0)
    sizes = np.bincount(found, minlength=folds)
    assert sizes.sum() == rows and sizes.max() - sizes.min() <= 1
    assert np.array_equal(found, fold_numbers(None, rows, folds, 0))
    assert rows < 10 or not np.array_equal(found, fold_numbers(None, rows, folds, 1))


def test_every_fold_has_its_share_of_every_class():
    strata = np.repeat([0, 1, 2], [90, 20, 4])
    found = fold_numbers(strata, 114, 4, 3)
    table = np.array([np.bincount(found[strata == c], minlength=4) for c in range(3)])
    assert (table.max(axis=1) - table.min(axis=1) <= 1).all() and (table[2] == 1).all()
    sizes = table.sum(axis=0)
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("seed", range(5))
def test_as_many_groups_as_folds_are_the_folds(seed):
    chosen = np.repeat([3, 0, 4, 1, 2], [50, 1, 7, 20, 20])
    strata = np.arange(98) % 3
    for classes in (None, strata):
        found = group_fold_numbers(classes, chosen, 5, seed)
        pairs = set(zip(chosen.tolist(), found.tolist(), strict=True))
        assert len(pairs) == 5 and {fold for _, fold in pairs} == set(range(5))
