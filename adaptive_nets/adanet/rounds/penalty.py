"""What a member's training minimises besides its loss, and the unit that it is measured in."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.ensembles.member import Member
from adaptive_nets.adanet.rounds.build_member import TARGET_SCALE
from adaptive_nets.keras_internals import call_of


def loss_units(context: SearchContext, members: list[Member]) -> list[float]:
    """Returns what the loss of each member is measured in while it is trained.

    A network whose logits are brought to the scale of the targets learns the same whatever their
    unit. Any other one is trained as `keras.Model.fit` trains it, so that a learning rate, and the
    weight of a regularizer, mean what they mean there.
    """
    return [context.loss_unit if _is_rescaled(member) else 1.0 for member in members]


def _is_rescaled(member):
    kind = keras.layers.Rescaling
    return any(isinstance(x, kind) and x.name == TARGET_SCALE for x in member.model.layers)


def penalties(
    context: SearchContext, members: list[Member]
) -> list[Callable[[], tf.Tensor]] | None:
    """Returns the penalty on each member's output weights (AdaNet.R), or `None` without one."""
    if not context.settings.penalize_training:
        return None
    gamma = context.settings.ensembler.gamma
    return [_penalty(gamma(m.complexity), *_output_layer(m), context.loss_scale) for m in members]


def _penalty(gamma, layer, rescaled, scale):
    """Returns the penalty in the unit of the loss, as `RoundTrainer` sees it; see `loss_units`."""
    each = 1.0
    if scale is not None:
        # Behind a target scale a kernel has no unit.
        unit = scale.overall if rescaled else np.asarray(scale.deviation)
        each = np.asarray(scale.each) / unit
    # The kernel of a majority layer is the mean of several, and is read again in each step.
    return lambda: gamma * tf.reduce_sum(each * tf.abs(tf.convert_to_tensor(layer.kernel)))


def _output_layer(member: Member):
    """Returns the layer from a subnetwork's last layer to its logits, and if they are rescaled."""
    call = call_of(member.model.output["logits"])
    rescaled = call.operation.name == TARGET_SCALE
    if rescaled:
        call = call_of(call.input_tensors[0])
    operation, read = call.operation, call.input_tensors
    last = member.model.output["last_layer"]
    if not isinstance(operation, keras.layers.Dense) or read[0] is not last:
        raise ValueError(
            "penalize_training requires logits that a Dense layer computes from last_layer. "
            f"Received: builder '{member.builder}', which ends with {type(operation).__name__} "
            f"'{operation.name}'."
        )
    return operation, rescaled
