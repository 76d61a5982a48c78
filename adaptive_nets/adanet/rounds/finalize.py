"""From a subnetwork as it was trained to the member that is frozen, weighed and stored."""

import keras

from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.ensembles.output_cache import OutputCache
from adaptive_nets.adanet.objective.norm_ball import remove_norm_balls_in_place
from adaptive_nets.keras_internals import layers_in
from adaptive_nets.majority import collapse, recalibrate_in_place
from adaptive_nets.majority.convert import has_majority

# Rows on which batch statistics are estimated anew.
RECALIBRATION_ROWS = 8192


def finalize_member(member: Member, train: OutputCache) -> None:
    """Leaves a trained member with stock layers only, which load without this package.

    Norm balls are removed. k-fold kernels become their mean, for which batch statistics are
    estimated anew: those of training are of the kernels that were drawn.

    Args:
        member: A member whose training has ended; its model is replaced, or changed in place.
        train: Training `OutputCache`.
    """
    if has_majority(member.model):
        member.model, _ = collapse(member.model)
        norms = keras.layers.BatchNormalization
        if any(isinstance(layer, norms) for layer in layers_in(member.model)):
            given = member.feed(train.rows.x, train.hidden([member]))
            few = keras.tree.map_structure(lambda x: x[:RECALIBRATION_ROWS], given)
            recalibrate_in_place(member.model, few)
    remove_norm_balls_in_place(member.model)
