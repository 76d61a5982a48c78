"""Layers around layers: the rule of the inner one does the work."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from adaptive_nets.graphs.scope import make_states
from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.registry import register_rule, rule_inside
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.core.segments import Features, Segment, UnruledError
from adaptive_nets.growth.core.weight_roles import Keeps, LayerRecord, Scales
from adaptive_nets.growth.rules.elementwise import concatenated, merged
from adaptive_nets.keras_internals import EMBEDDINGS, KERNEL


def delegate(
    call: Call,
    attribute: str,
    change: Callable[[Features], Features] = lambda x: x,
    shapes: list | None = None,
) -> Any:
    """Traces the layer inside by its own rule; its weights and axes become the wrapper's.

    Args:
        call: The wrapper's call.
        attribute: Where the inner layer is found.
        change: What the inner layer sees of each of the call's tensors.
        shapes: The inner layer's output shapes, where they are not the wrapper's.
    """
    record = call.record
    record.inner = record.inner or {}
    if attribute not in record.inner:
        if id(getattr(call.layer, attribute)) in call.trace.in_several:
            reason = "the layer inside is called elsewhere too"
            raise UnruledError(
                f"Cannot grow {record.path!r}: {reason}. Expected a layer of its own.", reason
            )
        inside = tuple(getattr(layer, attribute) for layer in call.layers)
        path = f"{record.path}/{inside[0].name}"
        if len({type(layer) for layer in inside}) > 1:
            shown = ", ".join(type(layer).__name__ for layer in inside)
            raise UnruledError(
                f"Cannot fuse at {path!r}: the sources have other layers there. Expected the same "
                f"class in every source. Received: {shown}.",
                "there is another layer in it in each source",
            )
        record.inner[attribute] = LayerRecord(inside, rule_inside(inside[0], path), path)
    inner = record.inner[attribute]
    args, kwargs = keras.tree.map_structure(
        lambda x: change(x) if isinstance(x, Features) else x, (call.args, call.kwargs)
    )
    within = dataclasses.replace(
        call,
        record=inner,
        args=args,
        kwargs=kwargs,
        shapes=call.shapes if shapes is None else shapes,
        separated={},
    )
    outputs = inner.rule.trace(within)
    call.separated.update(within.separated)
    for name, weight in inner.weights.items():
        moved = f"{attribute}.{name}"
        record.weights.setdefault(moved, dataclasses.replace(weight, attribute=moved))
    for role, axis in inner.axes.items():
        record.axes.setdefault(role, axis)
    record.inexact = record.inexact or inner.inexact
    return outputs


@register_rule(layers.TimeDistributed)
class TimeDistributedRule(Rule):
    """The inner layer at every step: axis 1 is taken out, and put back."""

    def trace(self, call: Call) -> Any:
        steps = call.flat_inputs[0].axis(1)
        shapes = [tuple(_without(shape) for shape in sources) for sources in call.shapes]
        outputs = delegate(call, "layer", _step, shapes)
        call.record.copies = call.record.inner["layer"].copies
        # What the inner layer separates has one axis less than what the wrapper is given.
        call.separated = {i: d + 1 if d >= 1 else d for i, d in call.separated.items()}
        if steps is not None:
            steps = steps.after("steps", False)
        flat = keras.tree.flatten(outputs)
        found = [
            dataclasses.replace(call.output(number=i), axes=(y.axes[0], steps, *y.axes[1:]))
            for i, y in enumerate(flat)
        ]
        return keras.tree.pack_sequence_as(outputs, found)

    def rebuild(self, record: LayerRecord, maps: dict[Segment, AxisMap], rebuilder: Any) -> Any:
        inner = record.inner["layer"]
        config = record.layers[0].get_config()
        config.pop("layer")
        return layers.TimeDistributed(inner.rule.rebuild(inner, maps, rebuilder), **config)

    def finish(self, record: LayerRecord, layer: Any) -> None:
        inner = record.inner["layer"]
        inner.rule.finish(inner, layer.layer)


def _without(shape: tuple) -> tuple:
    return (shape[0], *shape[2:])


def _step(x: Features) -> Features:
    if x.rank < 2:
        return x
    shapes = tuple(_without(shape) for shape in x.shapes)
    return dataclasses.replace(x, shapes=shapes, axes=(x.axes[0], *x.axes[2:]))


@register_rule(layers.SpectralNormalization)
class SpectralNormalizationRule(Rule):
    """The inner layer by its rule, and the vector by which its kernel's norm is estimated.

    The kernel is divided by its norm in training only; at inference it is as it is.
    """

    def trace(self, call: Call) -> Any:
        if call.sources > 1:
            reason = "each source's kernel is divided by a norm of its own"
            raise UnruledError(
                f"Cannot fuse at {call.record.path!r}: {reason}. Expected one layer a source.",
                reason,
            )
        outputs = delegate(call, "layer")
        weights = call.record.inner["layer"].weights
        names = [name for name in (KERNEL, EMBEDDINGS, "kernel") if name in weights]
        if not names:
            raise UnruledError(
                f"Cannot grow {call.record.path!r}: the layer inside has several kernels. Expected "
                "a layer with one, such as Dense or Conv2D.",
                "the layer inside has several kernels",
            )
        call.weight("vector_u", Keeps(), Scales(weights[names[0]].dimensions[-1].axis))
        return outputs

    def rebuild(self, record: LayerRecord, maps: dict[Segment, AxisMap], rebuilder: Any) -> Any:
        inner, config = record.inner["layer"], record.layers[0].get_config()
        config.pop("layer")
        return layers.SpectralNormalization(inner.rule.rebuild(inner, maps, rebuilder), **config)

    def note(self, record: LayerRecord, maps: dict[Segment, AxisMap], trace: Any) -> str | None:
        if all(axis.map(maps).is_identity for axis in record.axes.values()):
            return None
        return f"{record.path!r}: new units change the norm by which training divides its kernel"


@register_rule(layers.Bidirectional)
class BidirectionalRule(Rule):
    """Two recurrent layers, one of them from the end: both directions grow together.

    Their widths are equal, for Keras takes twice the first's for the width of both.
    """

    def trace(self, call: Call) -> Any:
        if len({layer.merge_mode for layer in call.layers}) > 1:
            raise ValueError(
                f"Cannot fuse at {call.record.path!r}: the sources differ in merge_mode. Expected "
                f"the same. Received: {', '.join(str(x.merge_mode) for x in call.layers)}."
            )
        given = call.kwargs.get("initial_state", call.args[1] if len(call.args) > 1 else None)
        states = list(given) if given is not None else []
        half = len(states) // 2
        sides = [
            self._side(call, "forward_layer", states[:half]),
            self._side(call, "backward_layer", states[half:]),
        ]
        for left, right in zip(*sides, strict=True):
            call.tie(left.axis(-1), right.axis(-1))
        inner = [call.record.inner[name] for name in ("forward_layer", "backward_layer")]
        for role, axis in inner[0].axes.items():
            call.tie(axis, inner[1].axes.get(role))
        ends, rest = [side[0] for side in sides], [y for side in sides for y in side[1:]]
        if call.layer.merge_mode is None:
            return [*ends, *rest]
        return [self._merged(call, ends), *rest]

    def rebuild(self, record: LayerRecord, maps: dict[Segment, AxisMap], rebuilder: Any) -> Any:
        config = record.layers[0].get_config()
        for key in ("layer", "backward_layer"):
            config.pop(key, None)
        forward, backward = (
            record.inner[name].rule.rebuild(record.inner[name], maps, rebuilder)
            for name in ("forward_layer", "backward_layer")
        )
        grown = layers.Bidirectional(forward, backward_layer=backward, **config)
        for name in ("forward_layer", "backward_layer"):
            side, old = getattr(grown, name), getattr(record.layers[0], name)
            if hasattr(old, "use_cudnn"):
                side.use_cudnn = old.use_cudnn
        # The wrapper makes its sides again, from their configurations.
        make_states(record.layers[0], grown)
        return grown

    @staticmethod
    def _side(call: Call, name: str, states: list[Any]) -> list[Features]:
        """The outputs of one direction; the wrapper's call with its half of the states."""
        layer = getattr(call.layer, name)
        x = call.inputs
        batch = tuple(shape[:1] for shape in x.shapes)
        width = [_units(getattr(each, name)) for each in call.layers]
        steps = [shape[1:2] if layer.return_sequences else () for shape in x.shapes]
        shapes = [
            tuple((*b, *s, w) for b, s, w in zip(batch, steps, width, strict=True)),
        ]
        if layer.return_state:
            sizes = [keras.tree.flatten(getattr(each, name).state_size) for each in call.layers]
            for state in zip(*sizes, strict=True):
                shapes.append(tuple((*b, size) for b, size in zip(batch, state, strict=True)))
        kwargs = {**call.kwargs, "initial_state": states or None}
        one = dataclasses.replace(
            call,
            args=(x,),
            kwargs=kwargs,
            dtypes=[call.dtypes[0]] * len(shapes),
            separated={},
        )
        outputs = keras.tree.flatten(delegate(one, name, shapes=shapes))
        # Each direction numbers the tensors that it is given: the sequence, then its states.
        before = 0 if name == "forward_layer" else len(states)
        for number, dimension in one.separated.items():
            call.separated[number + before if number else 0] = dimension
        return outputs

    @staticmethod
    def _merged(call: Call, ends: list[Features]) -> Features:
        """What the wrapper makes of both directions' outputs."""
        mode = call.layer.merge_mode
        first = dataclasses.replace(call, shapes=call.shapes[:1], dtypes=call.dtypes[:1])
        if mode == "concat":
            return concatenated(first, ends, -1)
        return merged(first, ends, "product" if mode == "mul" else "sum")


def _units(layer: Any) -> int:
    size = getattr(layer.cell, "output_size", None)
    return size if isinstance(size, int) else keras.tree.flatten(layer.cell.state_size)[0]
