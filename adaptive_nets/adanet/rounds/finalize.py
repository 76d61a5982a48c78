"""Converts a trained subnetwork to the member that is frozen, weighed and stored."""

import keras
import numpy as np

from adaptive_nets._pieces import gather
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.ensembles.output_cache import OutputCache
from adaptive_nets.adanet.objective.norm_ball import remove_norm_balls_in_place
from adaptive_nets.majority import collapse
from adaptive_nets.majority.convert import has_majority
from adaptive_nets.majority.recalibrate import estimate_statistics_in_place, normalizations

# Number of rows on which batch statistics are estimated again.
RECALIBRATION_ROWS = 8192


def finalize_member(member: Member, train: OutputCache) -> None:
    """Reduces a trained member to stock layers, which load without this package.

    Norm balls are removed. k-fold kernels are replaced by their mean. Batch statistics are
    estimated again on the training rows: after a short round the moving averages still hold
    values from the beginning, and those of sampled kernels belong to none.

    Args:
        member: A trained member. Its model is replaced, or changed in place.
        train: Training `OutputCache`.
    """
    if has_majority(member.model):
        member.model, _ = collapse(member.model)
    if normalizations(member.model):
        given = member.feed(train.rows.x, train.hidden([member]))
        few = _sample(len(train.rows))
        estimate_statistics_in_place(
            member.model, keras.tree.map_structure(lambda x: gather(x, few), given)
        )
    remove_norm_balls_in_place(member.model)


def _sample(rows):
    """Returns rows in an order of chance, as rows may be sorted, but the same each time."""
    return np.random.default_rng(0).permutation(rows)[:RECALIBRATION_ROWS]
