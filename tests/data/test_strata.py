"""Splits in which every class keeps its share, with rare classes on both sides."""

import numpy as np
import pytest

from adaptive_nets import heads
from adaptive_nets.data.rows import draw_rows, make_rows, split_indices, split_rows

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("held", [5, 20, 37, 90])
def test_shares_are_kept_and_nothing_is_lost(held):
    strata = RNG.permutation(np.repeat([0, 1, 2], [70, 25, 5]))
    kept, chosen = split_indices(strata, 100, held, 0)
    assert sorted([*kept, *chosen]) == list(range(100)) and len(chosen) == held
    found = np.bincount(strata[chosen], minlength=3)
    np.testing.assert_allclose(found, np.array([0.7, 0.25, 0.05]) * held, atol=1)
    assert found.min() >= 1 and np.bincount(strata[kept], minlength=3).min() >= 1


def test_another_seed_is_another_split_and_the_same_the_same():
    strata = np.repeat([0, 1], 50)
    one, again, other = (split_indices(strata, 100, 30, seed)[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert set(one) != set(other)
    # Rows of a class are drawn at random, not the first of them.
    assert set(one) != {*range(15), *range(50, 65)}


def test_a_class_of_one_row_is_trained_on():
    strata = np.array([0] * 9 + [1])
    kept, chosen = split_indices(strata, 10, 5, 3)
    assert 9 in kept and len(chosen) == 5
    # All classes have one row: there is nothing to keep.
    assert len(split_indices(np.arange(6), 6, 2, 0)[1]) == 2


def test_a_sample_has_rows_of_every_class():
    strata = np.array([0] * 990 + [1] * 10)
    for seed in range(5):
        drawn = draw_rows(strata, 1000, 20, seed)
        assert len(set(drawn)) == 20 and strata[drawn].sum() == 1
    assert len(draw_rows(None, 1000, 20, 0)) == 20
    assert len(draw_rows(np.arange(50), 50, 7, 0)) == 7


@pytest.mark.parametrize(
    ("head", "labels", "strata"),
    [
        (heads.BinaryClass(), ["no", "yes", "no"], [0, 1, 0]),
        (heads.MultiClass(), ["b", "a", "c"], [1, 0, 2]),
        (heads.MultiLabel(3), [[1, 1, 0], [1, 0, 0], [0, 0, 0]], [1, 0, -1]),
        (heads.Regression(), [0.5, 1.5, 0.5], None),
    ],
)
def test_the_strata_of_heads(head, labels, strata):
    found = head.strata(head.adapt(labels).encode(labels))
    assert (None if found is None else found.tolist()) == strata


def test_the_strata_of_several_heads_are_their_combinations():
    given = {"kind": ["a", "b", "a", "a"], "sick": [0, 1, 1, 0], "age": [1.0, 2.0, 3.0, 4.0]}
    head = heads.Multi(
        {"kind": heads.MultiClass(), "sick": heads.BinaryClass(), "age": heads.Regression()}
    ).adapt(given)
    assert head.strata(head.encode(given)).tolist() == [0, 2, 1, 0]
    alone = heads.Multi({"age": heads.Regression()}).adapt({"age": given["age"]})
    assert alone.strata(alone.encode({"age": given["age"]})) is None


def test_a_class_on_one_side_only_is_said(caplog):
    head = heads.MultiClass().adapt(labels := ["a"] * 10 + ["b"] * 10 + ["c"])
    rows = make_rows(np.arange(21.0)[:, None], labels, head)
    train, valid = split_rows(rows, 0.2, 0, head.strata(rows.y))
    assert (len(train), len(valid)) == (17, 4) and set(valid.y) == {0, 1}
    assert "leaves 1 of 3 classes on one side only; the rarest has 1 row" in caplog.text
    caplog.clear()
    common = rows.take(np.arange(20))
    split_rows(common, 0.2, 0, head.strata(common.y))
    assert not caplog.records
