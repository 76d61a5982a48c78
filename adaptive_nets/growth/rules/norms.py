"""Norms over features: what is new, or of another source, changes what is old."""

import dataclasses
import math
from typing import Any

import keras
from keras import layers

from adaptive_nets.growth.core.axis_map import SHARED, AxisMap
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.core.segments import Axis, Features, Segment
from adaptive_nets.growth.core.weight_roles import LayerRecord, Scales, Writes


@dataclasses.dataclass(frozen=True)
class NormalisedTogether:
    """All features of an axis are normalised by one layer.

    Args:
        path: The layer.
        axis: Its axis.
        silent: Whether new features may be zero, as a root mean square allows.
    """

    path: str
    axis: Axis
    silent: bool

    def segments(self) -> list[Segment]:
        """What the axis is made of."""
        return self.axis.segments()

    def broken(self, maps: dict[Segment, AxisMap]) -> str | None:
        """Why the grown axis would not be normalised as the old one was."""
        grown = self.axis.map(maps)
        if len(grown.sizes) > 1:
            common = grown.lineage == SHARED
            if common.any() and not common.all():
                return (
                    f"{self.path!r} normalises features of each source with some that all share, "
                    "such as an input, and would see these once only; expected it before they are "
                    "joined"
                )
            return None
        if grown.is_identity or grown.is_uniform:
            return None
        zero = self.silent and not grown.fresh.any() and self.axis.zero_kept
        if zero and len(set(grown.copies(0).tolist())) == 1:
            return None
        return (
            f"{self.path!r} normalises over all of {grown.sizes[0]} features, so each must be "
            "copied equally often" + (", or the new ones be zero" if self.silent else "")
        )


@dataclasses.dataclass(frozen=True)
class WholeGroups:
    """Groups of channels that stand in a row are normalised, each alone.

    Args:
        path: The layer.
        axis: Its axis.
        wide: Channels a group.
    """

    path: str
    axis: Axis
    wide: int

    def segments(self) -> list[Segment]:
        """What the axis is made of."""
        return self.axis.segments()

    def broken(self, maps: dict[Segment, AxisMap]) -> str | None:
        """Why old channels would not stand in the groups in which they stood."""
        runs = self.axis.resolved()
        if all(maps[segment].is_identity for segment, _ in runs):
            return None
        if all(size * inner % self.wide == 0 for each, inner in runs for size in each.sizes):
            return None
        return f"{self.path!r} has groups of {self.wide} channels that belong to several layers"


def normalised(call: Call, x: Features, silent: bool) -> bool:
    """Settles what a norm over the last axis allows; False if each source keeps its own layer."""
    axis = x.axis(-1)
    if axis is None:
        return True
    call.record.axes.setdefault("features", axis)
    call.trace.constraints.append(NormalisedTogether(call.record.path, axis, silent))
    if call.sources > 1:
        if call.trace.norm == "grouped" and not call.trace.identical:
            call.record.copies = call.sources
            return False
        if not call.trace.identical:
            call.inexact("normalises the features of all sources together (norm='grouped' keeps "
                         "one norm a source)")  # fmt: skip
        return True
    for segment in axis.segments():
        if silent and axis.zero_kept:
            segment.only_silent = segment.only_silent or call.record.path
        else:
            segment.only_uniform = segment.only_uniform or call.record.path
    return True


def last_axis_only(call: Call, x: Features) -> None:
    """Norms over positions too would mix what grows with what does not."""
    axis = call.layer.axis
    axes = list(axis) if isinstance(axis, list | tuple) else [axis]
    if [number % x.rank for number in axes] != [x.rank - 1]:
        for each in x.axes:
            call.fix(each, f"it normalises over axes {axes}, not over the last alone")


def root_mean_square_scale(maps: tuple[AxisMap, ...]) -> float:
    """What zeros do to a root mean square: it shrinks by sqrt(old / new)."""
    (grown,) = maps
    return float(((grown.size - grown.silent.sum()) / grown.size) ** 0.5)


def gain_and_offset(layer: Any, gain: str) -> list[Any] | None:
    """What makes a layer's output zero if it multiplies by a gain; None if it has none."""
    multiplied = getattr(layer, gain, None)
    if not isinstance(multiplied, keras.Variable):
        return None
    added = getattr(layer, "beta", None)
    return [multiplied] if added is None else [multiplied, added]


class NormRule(Rule):
    """A norm: zero where its gain and offset are; without a gain it lets zeros pass."""

    gain = "gamma"

    def zero_weights(self, layer: Any) -> list[Any] | None:
        return gain_and_offset(layer, self.gain)

    def zero_inputs(self, layer: Any) -> str:
        return "all"

    def zero_offsets(self, layer: Any) -> list[Any]:
        found = (getattr(layer, name, None) for name in ("beta", "moving_mean"))
        return [variable for variable in found if variable is not None]


@register_rule(layers.LayerNormalization)
class LayerNormalizationRule(NormRule):
    """Mean and variance over features: only equal copies keep them."""

    def trace(self, call: Call) -> Features:
        x = call.separate(call.inputs, -1)
        last_axis_only(call, x)
        layer = call.layer
        if normalised(call, x, silent=False):
            if layer.gamma is not None:
                call.weight("gamma", Scales(x.axis(-1)))
            if layer.beta is not None:
                call.weight("beta", Writes(x.axis(-1)))
        return behind_norm(call, x)


@register_rule(layers.RMSNormalization)
class RMSNormalizationRule(NormRule):
    """Root mean square over features: zeros scale it by a known factor."""

    gain = "scale"

    def trace(self, call: Call) -> Features:
        x = call.separate(call.inputs, -1)
        last_axis_only(call, x)
        if normalised(call, x, silent=True):
            call.weight("scale", Scales(x.axis(-1)), scale=root_mean_square_scale)
        return behind_norm(call, x)

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        if "features" not in sizes:
            return {}
        return {
            "epsilon": record.layers[0].epsilon * root_mean_square_scale((sizes["features"],)) ** 2
        }


def behind_norm(call: Call, x: Features) -> Features:
    """The output of a norm: no mixture of sources passes it."""
    result = call.output(x)
    axis = x.axis(-1)
    return result.with_axis(-1, axis and axis.after("a norm", True))


@register_rule(layers.GroupNormalization)
class GroupNormalizationRule(NormRule):
    """Groups of channels grow whole, or stand side by side."""

    def trace(self, call: Call) -> Features:
        layer, number = call.layer, call.layer.axis
        x = call.separate(call.inputs, number % call.inputs.rank)
        axis = x.axis(number)
        groups = [
            n if g == -1 else g
            for g, n in zip(call.config_of("groups"), x.sizes(number), strict=True)
        ]
        each = [n // g for g, n in zip(groups, x.sizes(number), strict=True)]
        wide = math.gcd(*each)
        if len(set(each)) > 1:
            call.inexact(f"has groups of {sorted(set(each))} channels in the sources")
        if axis is not None:
            call.record.axes.setdefault("channels", axis)
            for segment, inner in axis.resolved():
                segment.block = math.lcm(segment.block, wide // math.gcd(wide, inner))
            if wide > 1:
                call.trace.constraints.append(WholeGroups(call.record.path, axis, wide))
        if layer.scale:
            call.weight("gamma", Scales(axis))
        if layer.center:
            call.weight("beta", Writes(axis))
        call.record.inner = wide
        result = call.output(x)
        return result.with_axis(number, axis and axis.after("a norm", True))

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        if "channels" not in sizes or record.layers[0].groups == -1:
            return {}
        return {"groups": sizes["channels"].size // record.inner}


@register_rule(layers.UnitNormalization)
class UnitNormalizationRule(Rule):
    """A length over features: zeros keep it, copies do not."""

    def trace(self, call: Call) -> Features:
        x = call.output(call.inputs)
        over = call.layer.axis
        over = [over] if isinstance(over, int) else over
        for number in over:
            call.fix(x.axis(number), "it divides by the length over all features")
        return dataclasses.replace(x, axes=tuple(a and a.after("length", True) for a in x.axes))
