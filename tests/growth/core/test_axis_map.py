"""Axis maps against what can be enumerated by hand; segments and how ties split them."""

import numpy as np
import pytest

from adaptive_nets.growth.core.axis_map import FRESH, SHARED, SILENT, AxisMap
from adaptive_nets.growth.core.segments import Axis, Segment

pytestmark = pytest.mark.backend_agnostic


def source_features(grown, source):
    """What stands at each place of the grown axis, as (place, feature) pairs."""
    places, features = grown.positions(source)
    return list(zip(places.tolist(), features.tolist(), strict=True))


def test_side_by_side_puts_sources_in_a_row():
    grown = AxisMap.side_by_side([2, 3])
    assert grown.lineage.tolist() == [0, 0, 1, 1, 1]
    assert source_features(grown, 0) == [(0, 0), (1, 1)]
    assert source_features(grown, 1) == [(2, 0), (3, 1), (4, 2)]


def test_concatenation_shifts_indices_by_each_source_s_own_sizes():
    grown = AxisMap.concatenate(
        [AxisMap.side_by_side([2, 3]), AxisMap.shared(2, 2), AxisMap.side_by_side([1, 1])]
    )
    assert grown.sizes == (5, 6)
    # Source 0 stacks [2, 2, 1] features, source 1 [3, 2, 1].
    assert source_features(grown, 0) == [(0, 0), (1, 1), (5, 2), (6, 3), (7, 4)]
    assert source_features(grown, 1) == [(2, 0), (3, 1), (4, 2), (5, 3), (6, 4), (8, 5)]


def test_repeat_makes_runs():
    grown = AxisMap.identity(2).replicated(3).repeat(2)
    assert grown.index[0].tolist() == [0, 1, 2, 3, 0, 1]
    assert grown.sizes == (4,)


@pytest.mark.parametrize(("size", "copies"), [(4, [2, 2]), (6, [3, 3]), (5, [3, 2])])
def test_copies_are_spread_evenly(size, copies):
    grown = AxisMap.identity(2).replicated(size)
    assert grown.copies(0).tolist() == copies
    assert grown.is_uniform == (len(set(copies)) == 1)


def test_copies_are_taken_in_whole_blocks():
    grown = AxisMap.identity(6).replicated(10, block=2, rng=np.random.default_rng(0))
    pairs = grown.index[0].reshape(-1, 2)
    assert (pairs[:, 0] % 2 == 0).all() and (pairs[:, 1] == pairs[:, 0] + 1).all()
    assert grown.copies(0).sum() == 10 and grown.copies(0).min() == 1


def test_new_features_belong_to_nobody():
    grown = AxisMap.identity(2).widened(4)
    assert grown.lineage.tolist() == [0, 0, FRESH, FRESH]
    assert AxisMap.identity(2).widened(3, silent=True).lineage.tolist() == [0, 0, SILENT]
    assert grown.copies(0).tolist() == [1, 1]
    assert not grown.is_identity and not grown.is_uniform


def test_identity_is_known():
    assert AxisMap.identity(3).is_identity
    assert AxisMap.shared(3, 2).is_identity
    assert not AxisMap.side_by_side([3, 3]).is_identity
    assert AxisMap.shared(3).lineage.tolist() == [SHARED] * 3


def axis(*sizes):
    return Axis(tuple((Segment((size,), f"layer_{i}"), 1) for i, size in enumerate(sizes)))


def test_tied_axes_become_one_segment():
    one, other = axis(4), axis(4)
    one.tie(other)
    assert one.segments() == other.segments()
    assert one.segments()[0].owners == ["layer_0"]


def test_a_sum_of_a_whole_and_of_parts_splits_the_whole():
    whole, parts = axis(6), axis(2, 4)
    whole.tie(parts)
    assert [s.sizes for s in whole.segments()] == [(2,), (4,)]
    assert whole.segments() == parts.segments()


def test_ties_at_other_boundaries_refine_both():
    one, other = axis(2, 4), axis(3, 3)
    one.tie(other)
    assert [s.sizes[0] for s in one.segments()] == [2, 1, 3]
    assert one.segments() == other.segments()


def test_ties_are_transitive_through_splits():
    a, b, c = axis(6), axis(2, 4), axis(3, 3)
    a.tie(b)
    c.tie(a)
    assert a.segments() == b.segments() == c.segments()
    assert [s.sizes[0] for s in b.segments()] == [2, 1, 3]


def test_what_is_fixed_stays_fixed_through_ties():
    a, b = axis(4), axis(4)
    b.fix("it is an input")
    a.tie(b)
    assert a.segments()[0].fixed == "it is an input"


def test_features_in_another_order_cannot_grow():
    a = axis(2).repeat_inner(3)
    b = axis(2).tile(3)
    a.tie(b)
    assert a.segments()[0].fixed and b.segments()[0].fixed


def test_sources_of_unequal_proportion_cannot_meet():
    whole = Axis(((Segment((4, 4), "whole"), 1),))
    parts = Axis(((Segment((2, 4), "a"), 1), (Segment((2, 0), "b"), 1)))
    with pytest.raises(ValueError, match="another proportion"):
        whole.tie(parts)
