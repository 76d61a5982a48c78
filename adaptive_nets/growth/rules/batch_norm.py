"""Batch normalization: each feature is normalised over the batch, on its own."""

import keras

from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call
from adaptive_nets.growth.core.segments import Features
from adaptive_nets.growth.core.weight_roles import Scales, Writes
from adaptive_nets.growth.rules.norms import NormRule


@register_rule(keras.layers.BatchNormalization)
class BatchNormalizationRule(NormRule):
    """Gain, bias and moving statistics of each feature; new ones begin as a new layer's.

    The bias and the mean are said to write their axis, so that they are zero where a new feature
    is: such a feature stays zero behind the norm, in training and at inference.
    """

    def trace(self, call: Call) -> Features:
        layer = call.layer
        x = call.separate(call.inputs, layer.axis)
        axis = x.axis(layer.axis)
        if layer.scale:
            call.weight("gamma", Scales(axis))
        if layer.center:
            call.weight("beta", Writes(axis))
        call.weight("moving_mean", Writes(axis), fresh=0.0)
        call.weight("moving_variance", Scales(axis), fresh=1.0)
        if getattr(layer, "renorm", False):
            call.weight("moving_stddev", Scales(axis), fresh=1.0)
            call.weight("renorm_mean", Writes(axis), fresh=0.0)
            call.weight("renorm_stddev", Scales(axis), fresh=1.0)
        return call.output(x)
