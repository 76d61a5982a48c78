"""Layers that work over positions and leave features apart, and layers for inputs."""

import dataclasses
from typing import Any

import numpy as np
from keras import layers

from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.core.segments import Features
from adaptive_nets.growth.core.weight_roles import Keeps, LayerRecord, Scales
from adaptive_nets.growth.rules.kernels.conv import channel_axis, fix_positions
from adaptive_nets.keras_internals import statistics_axes


def _existing(*names: str) -> list[type]:
    """Layers that the installed Keras has."""
    return [getattr(layers, name) for name in names if hasattr(layers, name)]


def _each(*stems: str) -> list[type]:
    return _existing(*(f"{stem}{rank}D" for stem in stems for rank in (1, 2, 3)))


def over_positions(call: Call) -> Features:
    """The output of a layer that treats each feature alike, and positions as they are."""
    x, result = call.inputs, call.output()
    number = channel_axis(call.layer, x.rank)
    fix_positions(call, x, number)
    if result.rank < x.rank:
        return result.with_axis(result.rank - 1, x.axis(number))
    return result.with_axis(number, x.axis(number))


@register_rule(
    *_each("AveragePooling", "GlobalAveragePooling", "AdaptiveAveragePooling"),
    *_each("ZeroPadding", "Cropping", "UpSampling"),
)
class LinearSpatialRule(Rule):
    """Means, zeros and copies of positions."""

    def trace(self, call: Call) -> Features:
        return over_positions(call)

    def zero_inputs(self, layer: Any) -> str:
        return "all"


@register_rule(*_each("MaxPooling", "GlobalMaxPooling", "AdaptiveMaxPooling"))
class MaxPoolingRule(Rule):
    """The largest of several positions: zero where all are."""

    def trace(self, call: Call) -> Features:
        x = over_positions(call)
        return dataclasses.replace(x, axes=tuple(a and a.after("maximum", True) for a in x.axes))

    def zero_inputs(self, layer: Any) -> str:
        return "all"


@register_rule(*_existing("Resizing", "CenterCrop", "RandomFlip", "RandomCrop"))
@register_rule(*_existing("RandomRotation", "RandomTranslation", "RandomZoom"))
class ImageRule(Rule):
    """Geometry of images, with or without a batch axis in front."""

    def trace(self, call: Call) -> Features:
        x = over_positions(call)
        if getattr(call.layer, "fill_mode", "constant") == "constant" and getattr(
            call.layer, "fill_value", 0
        ):
            # What is filled in is not zero.
            kept = (a and dataclasses.replace(a, zero_kept=False) for a in x.axes)
            x = dataclasses.replace(x, axes=tuple(kept))
        return x


@register_rule(layers.PReLU)
class PReLURule(Rule):
    """A slope for each feature, at each position or for all."""

    def trace(self, call: Call) -> Features:
        shared = {axis % call.inputs.rank for axis in call.layer.shared_axes or ()}
        number = call.inputs.rank - 1
        growing = [n for n, axis in enumerate(call.inputs.axes) if axis is not None]
        x = call.inputs
        if not growing and number not in shared:
            x = call.separate(x, number)
        apart = [n for n in range(1, x.rank) if x.axis(n) is not None and n not in shared]
        if call.sources > 1 and not apart and not call.trace.identical:
            raise ValueError(
                f"Cannot fuse at {call.record.path!r}: all features of a source share a slope. "
                "Expected a slope for each feature: PReLU without the features' axis among "
                f"shared_axes. Received: shared_axes={call.layer.shared_axes}."
            )
        dimensions = [Keeps() if n in shared else Scales(x.axis(n)) for n in range(1, x.rank)]
        call.weight("alpha", *dimensions)
        x = call.output(x)
        return dataclasses.replace(x, axes=tuple(a and a.after("prelu", True) for a in x.axes))

    def zero_inputs(self, layer: Any) -> str:
        return "all"


@register_rule(layers.Normalization)
class NormalizationRule(Rule):
    """Known statistics of inputs. Sources that agree on them share one layer."""

    def trace(self, call: Call) -> Features:
        layer, x = call.layer, call.inputs
        if not self._agree(call) and not any(x.axes):
            x = call.separate(x, self._only_axis(call))
        kept = statistics_axes(layer)
        growing = [number for number, axis in enumerate(x.axes) if axis is not None]
        for number in growing:
            if number not in kept:
                call.fix(x.axis(number), "its statistics do not tell these features apart")
        if layer.input_mean is None:
            dimensions = [Scales(x.axis(number)) for number in kept]
            call.weight("adapt_mean", *dimensions, fresh=0.0)
            call.weight("adapt_variance", *dimensions, fresh=1.0)
            call.weight("count")
        else:
            for axis in (x.axis(number) for number in growing if number in kept):
                if call.sources == 1 or len(kept) > 1:
                    call.fix(axis, "its statistics are settings, one for each feature")
                if len(kept) == 1:
                    call.record.axes.setdefault("features", axis)
        axes = [a and dataclasses.replace(a, zero_kept=False) for a in x.axes]
        return dataclasses.replace(call.output(), axes=tuple(axes))

    def _only_axis(self, call: Call) -> int:
        kept = statistics_axes(call.layer)
        if len(kept) != 1:
            raise ValueError(
                f"Cannot fuse at {call.record.path!r}: the sources' statistics differ, and are "
                f"kept for axes {kept}. Expected one axis. Normalise the data before the model, or "
                "give all sources the same statistics."
            )
        return kept[0]

    def _agree(self, call: Call) -> bool:
        if call.sources == 1 or call.trace.identical:
            return True
        first = _statistics(call.layer)
        others = [_statistics(layer) for layer in call.layers[1:]]
        return all(
            a.shape == b.shape and np.array_equal(a, b)
            for other in others
            for a, b in zip(first, other, strict=True)
        )

    def config(self, record: LayerRecord, sizes: dict[str, AxisMap]) -> dict[str, Any]:
        if "features" not in sizes:
            return {}
        grown, settings = sizes["features"], {}
        for name, number in (("mean", 0), ("variance", 1)):
            value = np.zeros(grown.size)
            for source, layer in enumerate(record.layers):
                given = np.broadcast_to(_statistics(layer)[number].ravel(), grown.sizes[source])
                place, taken = grown.positions(source)
                value[place] = given[taken]
            settings[name] = value.tolist()
        return settings

    def finish(self, record: LayerRecord, layer: Any) -> None:
        layer.finalize_state()


def _statistics(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    if layer.input_mean is None:
        return np.asarray(layer.adapt_mean), np.asarray(layer.adapt_variance)
    return np.asarray(layer.input_mean), np.asarray(layer.input_variance)
