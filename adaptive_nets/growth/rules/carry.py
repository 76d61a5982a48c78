"""Layers and operations that are carried as they are: what they read and give does not grow."""

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import keras
import numpy as np

from adaptive_nets.graphs.scope import settings_of
from adaptive_nets.growth.core.calls import check_same_calls, same
from adaptive_nets.growth.core.rebuild import called
from adaptive_nets.growth.core.registry import register_rule
from adaptive_nets.growth.core.rule import Call, Rule
from adaptive_nets.growth.core.segments import Features, UnruledError
from adaptive_nets.growth.core.weight_roles import LayerRecord


@register_rule(keras.Operation)
class CarryRule(Rule):
    """A copy with the same weights, settings, tables and draws; none of its axes grows.

    In a fusion each source has its own copy, which reads that source's features; the results
    stand side by side. Only where the sources share what is read, and their layers are the same,
    one copy is enough.
    """

    carries = True
    declared = False

    def trace(self, call: Call) -> list[Features]:
        _check_closed(call)
        outputs = [call.output(number=number) for number in range(len(call.shapes))]
        read = [axis for x in call.flat_inputs for axis in x.axes if axis is not None]
        if call.sources == 1:
            call.record.copies = 1
            for axis in read:
                call.fix(axis, f"{type(call.layer).__name__} is carried as it is")
            return outputs
        apart = any(x.parted for x in call.flat_inputs)
        if not read and not apart and id(call.layer) not in call.trace.parted and _agree(call):
            call.record.copies = 1
            return outputs
        call.trace.part(call)
        for axis in read:
            for segment in axis.segments():
                segment.readers.append(call.record.path)
        return [self._side_by_side(call, x) for x in outputs]

    def invoke(
        self, record: LayerRecord, grown: Any, args: tuple, kwargs: dict, rebuilder: Any
    ) -> Any:
        return called(grown, record, args, kwargs)

    @staticmethod
    def _side_by_side(call: Call, x: Features) -> Features:
        """The result with the sources side by side on its last axis of known length, if any."""
        if all(0 in shape for shape in x.shapes):
            return x
        known = [i for i in range(1, x.rank) if None not in x.sizes(i)]
        if not known:
            return dataclasses.replace(x, parted=True)
        # Results of several calls are not tied: one of them may be an output of the model.
        role = f"output {len(call.record.axes)}"
        return x.with_axis(known[-1], call.axis(role, x.sizes(known[-1])))


class DeclaredRule(CarryRule):
    """A class of which a person has said that it is to be carried."""

    declared = True


def carry(*classes: type) -> Any:
    """Declares that growth carries layers of these classes as they are.

    What has no growth rule is carried anyway: the grown model has a copy with the same weights, and
    what the layer reads and gives keeps its size. A fusion has one copy a source, and the copies'
    results stand side by side. A plan notes each layer of which this happens for want of a rule.
    For a class that is declared there is no note, and a rule that it had is set aside.

    Args:
        *classes: Layer classes.

    Returns:
        The class, if it is one, so that this is a decorator as well; else None.

    Raises:
        TypeError: If one of them is not a layer class.

    Example:

    ```python
    import keras
    from adaptive_nets import growth

    @growth.carry
    @keras.saving.register_keras_serializable(package="example")
    class Halves(keras.layers.Layer):
        def call(self, inputs):
            return inputs / 2
    ```
    """
    register_rule(*classes)(DeclaredRule)
    return classes[0] if len(classes) == 1 else None


def _agree(call: Call) -> bool:
    """Whether one copy computes what the layers of all sources do."""
    if call.trace.identical:
        return True
    try:
        check_same_calls(call.nodes, call.record.path)
        settings = [_settings(layer) for layer in call.layers]
    except (UnruledError, NotImplementedError):
        return False
    if hasattr(call.layer, "save_assets"):
        own = getattr(type(call.layer), "save_assets", None)
        if own is not getattr(keras.Layer, "save_assets", None):
            return False
    weights = [[np.asarray(v) for v in getattr(x, "variables", ())] for x in call.layers]
    return all(same(settings[0], other) for other in settings[1:]) and all(
        len(weights[0]) == len(other) and all(map(np.array_equal, weights[0], other))
        for other in weights[1:]
    )


def _settings(layer: Any) -> dict[str, Any]:
    config = {key: value for key, value in settings_of(layer).items() if key != "name"}
    held = {key: vars(layer).get(key) for key in config}
    return {**config, **{k: v for k, v in held.items() if isinstance(v, FunctionType)}}


def _check_closed(call: Call) -> None:
    """A function that sees a layer or weight beside the graph would share it with the source."""
    for layer in call.layers:
        # What stands in the class too is a method, which Keras has wrapped.
        given = [x for name, x in list(vars(layer).items()) if not hasattr(type(layer), name)]
        for held in (y for x in given if isinstance(x, FunctionType) for y in _seen(x)):
            if isinstance(held, keras.Layer | keras.Variable):
                raise ValueError(
                    f"Cannot grow {call.record.path!r}: its function uses {held.name!r}, which is "
                    "no part of the graph, so the grown model would share it with this one. "
                    "Expected a function of its arguments alone. Call the layer in the graph."
                )


def _seen(function: Callable) -> Iterator[Any]:
    """What a function sees beside its arguments."""
    names = inspect.getclosurevars(function)
    for value in (
        *names.nonlocals.values(),
        *names.globals.values(),
        *(function.__defaults__ or ()),
    ):
        yield from keras.tree.flatten(value) if isinstance(value, list | tuple | dict) else [value]
