"""Convolutions: plain, transposed, grouped, depthwise and separable."""

from typing import Any

import numpy as np
from keras import layers

from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call
from adaptive_nets.growth.core.segments import Axis, Features, Segment, UnruledError
from adaptive_nets.growth.core.weight_roles import (
    Dimension,
    Keeps,
    LayerRecord,
    Reads,
    Scales,
    Writes,
    without_adapters,
)
from adaptive_nets.growth.rules.kernels.adapters import adapted_weight
from adaptive_nets.growth.rules.kernels.dense import (
    KernelRule,
    identity_kernel,
    kernel_and_bias,
)
from adaptive_nets.keras_internals import KERNEL


def channel_axis(layer: Any, rank: int) -> int:
    """Where a layer expects the features."""
    return 1 if getattr(layer, "data_format", None) == "channels_first" else rank - 1


def fix_positions(call: Call, x: Features, channels: int) -> None:
    """A layer that mixes or counts positions cannot take new ones."""
    for number, axis in enumerate(x.axes):
        if number != channels:
            call.fix(axis, "it works over the positions in which these features stand")


def _window(call: Call) -> list[Dimension]:
    return [Keeps() for _ in call.layer.kernel_size]


def _convolved(call: Call, number: int, axis: Axis | None) -> Features:
    """The output of a convolution with the given features, and its activation."""
    return call.activate(call.output().with_axis(number, axis), call.layer.activation)


@register_rule(layers.Conv1D, layers.Conv2D, layers.Conv3D)
class ConvRule(KernelRule):
    """Kernel [window, features, filters]: as a Dense layer at each position.

    With groups, each group of filters reads its own features. Where a group has one feature, the
    layer is depthwise and grows with its input. Larger groups are kept whole: sources are fused
    group beside group, and no group is widened.
    """

    def trace(self, call: Call) -> Features:
        x, number = call.inputs, channel_axis(call.layer, call.inputs.rank)
        fix_positions(call, x, number)
        if call.layer.groups > 1:
            return self._grouped(call, number)
        filters = call.axis("filters", call.config_of("filters"))
        adapted_weight(call, KERNEL, *_window(call), Reads(x.axis(number)), Writes(filters))
        if call.layer.use_bias:
            call.weight("bias", Writes(filters))
        return _convolved(call, number, filters)

    def _grouped(self, call: Call, number: int) -> Features:
        x = call.separate(call.inputs, number)
        channels = x.axis(number)
        groups = call.config_of("groups")
        reads = [size // count for size, count in zip(x.sizes(number), groups, strict=True)]
        makes = [f // g for f, g in zip(call.config_of("filters"), groups, strict=True)]
        if len(set(reads)) > 1 or len(set(makes)) > 1:
            raise ValueError(
                f"Cannot fuse at {call.record.path!r}: its groups read {reads} and make {makes} "
                "features in the sources. Expected the same numbers in every source."
            )
        if channels is None:
            filters = call.axis("filters", call.config_of("filters"))
            filters.fix(f"{call.record.path!r} has groups, which are kept whole")
        elif reads[0] == 1:
            filters = channels.repeat_inner(makes[0])
            call.record.axes.setdefault("channels", channels)
        else:
            filters = self._whole(call, channels, reads[0], makes[0])
        call.record.inner = (reads[0], makes[0])
        adapted_weight(call, KERNEL, *_window(call), Keeps(), Scales(filters))
        if call.layer.use_bias:
            call.weight("bias", Writes(filters))
        return _convolved(call, number, filters)

    def _whole(self, call: Call, channels: Axis, reads: int, makes: int) -> Axis:
        """The filters of groups of several features each."""
        if "filters" in call.record.axes:
            return call.record.axes["filters"]
        reason = f"its groups of {reads} features are kept whole"
        if call.sources == 1:
            call.fix(channels, reason)
        runs = []
        for segment, inner in channels.resolved():
            if segment.shared and call.sources > 1:
                reason = "its groups read features that all sources have in common"
                raise UnruledError(
                    f"Cannot fuse at {call.record.path!r}: {reason}. Expected features of each "
                    "source.",
                    reason,
                )
            sizes = [size * inner for size in segment.sizes]
            if any(size % reads for size in sizes):
                call.fix(channels, f"{reason}, and features of several layers share a group")
            run = Segment(tuple(size // reads * makes for size in sizes), call.record.path)
            run.fixed = f"{call.record.path!r}: {reason}" if call.sources == 1 else None
            runs.append((run, 1))
        call.record.axes["channels"] = channels
        call.record.axes["filters"] = Axis(tuple(runs))
        return call.record.axes["filters"]

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        if "channels" not in sizes:
            return {"filters": sizes["filters"].size} if "filters" in sizes else {}
        reads, makes = record.inner
        groups = sizes["channels"].size // reads
        if "filters" in sizes:
            self._check_order(record, sizes, reads, makes)
        return {"filters": groups * makes, "groups": groups}

    def identity(self, layer: Any) -> dict[str, Any]:
        # A causal kernel of one position is the same as an uncausal one.
        causal = layer.padding == "causal"
        size = (1,) * len(layer.kernel_size) if causal else layer.kernel_size
        window = {"strides": 1, "dilation_rate": 1, "padding": "same", "kernel_size": size}
        return {"use_bias": True, **window, **without_adapters(layer)}

    def identity_values(self, layer: Any) -> dict[int, np.ndarray]:
        return identity_kernel(layer)

    def _check_order(
        self, record: LayerRecord, sizes: dict[str, AxisMap], reads: int, makes: int
    ) -> None:
        """Features that were split after the layer was traced could stand in another order."""
        one, two = sizes["channels"], sizes["filters"]
        same = np.array_equal(one.lineage[::reads], two.lineage[::makes]) and np.array_equal(
            one.index[:, ::reads] // reads, two.index[:, ::makes] // makes
        )
        if not same:
            raise ValueError(
                f"Cannot fuse at {record.path!r}: its groups would meet features of another "
                "order. Expected its filters to be joined with others in the order of its "
                "inputs. Replace the layer by one without groups."
            )


@register_rule(layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
class ConvTransposeRule(KernelRule):
    """Kernel [window, filters, features]."""

    def trace(self, call: Call) -> Features:
        x, number = call.inputs, channel_axis(call.layer, call.inputs.rank)
        fix_positions(call, x, number)
        filters = call.axis("filters", call.config_of("filters"))
        call.weight("kernel", *_window(call), Writes(filters), Reads(x.axis(number)))
        if call.layer.use_bias:
            call.weight("bias", Writes(filters))
        return _convolved(call, number, filters)

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        return {"filters": sizes["filters"].size}


@register_rule(layers.DepthwiseConv1D, layers.DepthwiseConv2D)
class DepthwiseConvRule(KernelRule):
    """Kernel [window, features, multiplier]: each feature alone, so the input says how many."""

    def trace(self, call: Call) -> Features:
        number = channel_axis(call.layer, call.inputs.rank)
        x = call.separate(call.inputs, number)
        fix_positions(call, x, number)
        channels = x.axis(number)
        made = channels and channels.repeat_inner(call.layer.depth_multiplier)
        call.weight("kernel", *_window(call), Scales(channels), Keeps())
        if call.layer.use_bias:
            call.weight("bias", Writes(made))
        return _convolved(call, number, made)


@register_rule(layers.SeparableConv1D, layers.SeparableConv2D)
class SeparableConvRule(KernelRule):
    """A depthwise kernel [window, features, multiplier], then one [1, features, filters]."""

    def trace(self, call: Call) -> Features:
        number = channel_axis(call.layer, call.inputs.rank)
        x = call.separate(call.inputs, number)
        fix_positions(call, x, number)
        channels = x.axis(number)
        made = channels and channels.repeat_inner(call.layer.depth_multiplier)
        filters = call.axis("filters", call.config_of("filters"))
        call.weight("depthwise_kernel", *_window(call), Scales(channels), Keeps())
        call.weight("pointwise_kernel", *_window(call), Reads(made), Writes(filters))
        if call.layer.use_bias:
            call.weight("bias", Writes(filters))
        return _convolved(call, number, filters)

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        return {"filters": sizes["filters"].size}

    def zero_weights(self, layer: Any) -> list[Any] | None:
        return kernel_and_bias(layer, "pointwise_kernel")
