"""Layers of keras-hub's networks for images: one gain and offset, and a norm over channels."""

import dataclasses
from typing import Any

from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.core.segments import Features, UnruledError
from adaptive_nets.growth.core.weight_roles import LayerRecord, Scales
from adaptive_nets.growth.rules import norms
from adaptive_nets.growth.rules.hub.inner_width import known_classes


class AffineRule(Rule):
    """One gain and one offset for all features; in a fusion each source keeps its own."""

    def trace(self, call: Call) -> Features:
        if call.sources > 1:
            reason = "it has one gain and one offset for all features"
            raise UnruledError(
                f"Cannot fuse at {call.record.path!r}: {reason}. Expected one layer a source.",
                reason,
            )
        call.weight("scale")
        call.weight("bias")
        x = call.output(call.inputs)
        return dataclasses.replace(x, axes=tuple(a and a.after("offset", False) for a in x.axes))


class RmsNorm2dRule(norms.NormRule):
    """Root mean square over channels, which stand last: zeros scale it by a known factor."""

    def trace(self, call: Call) -> Features:
        x = call.separate(call.inputs, -1)
        if call.layer.data_format == "channels_first":
            for axis in x.axes:
                call.fix(axis, "it normalises over channels that stand first")
        if norms.normalised(call, x, silent=True):
            scale = norms.root_mean_square_scale
            call.weight("gamma", Scales(x.axis(-1)), scale=scale)
        return norms.behind_norm(call, x)

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        if "features" not in sizes:
            return {}
        share = norms.root_mean_square_scale((sizes["features"],)) ** 2
        return {"dim": sizes["features"].size, "eps": record.layers[0].eps * share}


# Each is only in some versions of keras-hub.
for module, name, rule in (
    ("models.hgnetv2.hgnetv2_layers", "HGNetV2LearnableAffineBlock", AffineRule),
    ("models.mobilenetv5.mobilenetv5_layers", "RmsNorm2d", RmsNorm2dRule),
):
    for kind in known_classes({module: [name]}):
        register_rule(kind)(rule)
