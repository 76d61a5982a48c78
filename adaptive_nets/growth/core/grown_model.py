"""The grown model: each of its variables made once, with its final value; slots carried."""

import contextlib
import itertools
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import show
from adaptive_nets.graphs.shared_memory import read, tensor
from adaptive_nets.graphs.state import carry_state, keep_adapters, weight_pairs
from adaptive_nets.growth.core.grown_values import grown_weight, maps_of
from adaptive_nets.growth.core.optimizer_slots import Carried
from adaptive_nets.growth.core.rebuild import Rebuilder
from adaptive_nets.growth.core.trace import Trace
from adaptive_nets.growth.core.weight_roles import continue_draws, variable_of
from adaptive_nets.keras_internals import (
    initialize,
    initializer_of,
    layers_in,
    set_initializer,
    waiting_variables,
)

# Streams of draws: for the places beside old weights, and for new layers.
OLD, NEW = 0, 1


def carried_weights(rebuilder: Rebuilder, gradient: tuple[float, ...]) -> list[Carried]:
    """The grown weights and their sources.

    Args:
        rebuilder: What made the grown model.
        gradient: The factor on all gradients of each source.
    """
    found = []
    known = set()
    for key, record in rebuilder.trace.records.items():
        for source, copy in enumerate(rebuilder.groups.get(key, ())):
            # One copy for all sources has the gradients of all.
            factor = gradient[source] if record.copies > 1 else sum(gradient)
            for old, new in weight_pairs(record.layers[source], copy):
                if id(new) not in known:  # A layer that was given to another holds it too.
                    found.append(Carried((old,), new, gradient=(factor,)))
                known.add(id(new))
        for weight in record.weights.values() if not record.copies else ():
            olds = tuple(variable_of(each, weight.attribute) for each in record.layers)
            new = variable_of(rebuilder.layers.get(key), weight.attribute)
            maps = maps_of(weight, [old.shape for old in olds], rebuilder.maps)
            found.append(Carried(olds, new, weight, maps, gradient))
    return found


def build_grown(
    rebuilder: Rebuilder, seed: int = 0, cross: float | str = 0.0, noise: float = 0.0
) -> keras.Model:
    """The grown model; each variable is made once, with its final value.

    Inside a stateless scope Keras postpones a variable's initialisation, so that nothing is drawn
    that would be overwritten.

    Args:
        rebuilder: What makes its layers.
        seed: For all that is drawn.
        cross: Noise between sources.
        noise: Paired noise on copies.
    """
    with postponed() as waiting:
        grown = rebuilder.model(rebuilder.trace.models[0])
    targets = dict(_targets(rebuilder, seed, cross, noise))
    for variable in waiting:
        make = targets.get(id(variable))
        if make is not None:
            value = make(variable)
            set_initializer(variable, lambda shape, dtype, value=value: tensor(value, dtype))
        initialize(variable)
    for key, layer in rebuilder.layers.items():
        record = rebuilder.trace.records[key]
        record.rule.finish(record, layer)
        continue_draws(record.layers[0], layer)
        if isinstance(layer, keras.Layer):
            for old, new in zip(layers_in(record.layers[0]), layers_in(layer), strict=False):
                keep_adapters(old, new)
    for key, copies in rebuilder.groups.items():
        for old, new in zip(rebuilder.trace.records[key].layers, copies, strict=False):
            carry_state(old, new)
    _check_covered(rebuilder.trace)
    return grown


@contextlib.contextmanager
def postponed() -> Iterator[list[keras.Variable]]:
    """Variables made inside are not initialised; they are in the list afterwards.

    So nothing is drawn that would be overwritten.
    """
    waiting = Waiting()
    try:
        with waiting_variables(waiting), keras.StatelessScope(initialize_variables=False):
            yield waiting
    finally:
        waiting.restore()


class Waiting(list):
    """Variables that wait for their values.

    While the graph is traced each stands for its initialisation. Random draws would be traced
    operation by operation, so these stand for zeros.
    """

    def __init__(self) -> None:
        super().__init__()
        self._drawn: dict[int, Any] = {}

    def append(self, variable: Any) -> None:
        super().append(variable)
        initializer = initializer_of(variable)
        if hasattr(initializer, "seed"):
            self._drawn[id(variable)] = initializer
            set_initializer(variable, keras.ops.zeros)

    def restore(self) -> None:
        """Gives all variables their initializers back."""
        for variable in self:
            if id(variable) in self._drawn:
                set_initializer(variable, self._drawn[id(variable)])


def _targets(
    rebuilder: Rebuilder, seed: int, cross: float | str, noise: float
) -> Iterator[tuple[int, Callable[[Any], np.ndarray]]]:
    """Pairs of a grown variable's id and the function that makes its value."""
    # Draws go by a weight's place: names are counted up by Keras as long as a process lives.
    places, made = itertools.count(), {}
    for key, record in rebuilder.trace.records.items():
        layer = rebuilder.layers.get(key)
        for weight in record.weights.values() if not record.copies else ():
            olds = [variable_of(each, weight.attribute) for each in record.layers]
            new = variable_of(layer, weight.attribute)
            if made.setdefault(id(olds[0]), new) is not new:
                raise ValueError(
                    f"Cannot grow {record.path!r}: it shares the weight {olds[0].path!r} with "
                    "another layer, and the layers could not share it any more. Expected layers "
                    "with weights of their own, or one layer that is called twice."
                )
            # A frozen variable inside a layer is not written in the layer's configuration.
            new.trainable = olds[0].trainable
            stream = (seed, OLD, next(places))

            def make(
                variable: Any, weight: Any = weight, olds: Any = olds, stream: Any = stream
            ) -> np.ndarray:
                values = [read(old) for old in olds]
                maps = maps_of(weight, [value.shape for value in values], rebuilder.maps)
                if len(values) == 1 and all(each.is_identity for each in maps):
                    return values[0]
                return grown_weight(
                    weight,
                    values,
                    maps,
                    rebuilder.mix,
                    lambda: draw(variable, values[0].dtype, stream),
                    cross,
                    noise,
                    np.random.default_rng(stream),
                )

            yield id(new), make


def draw(variable: Any, dtype: np.dtype, seed: tuple[int, ...]) -> np.ndarray:
    """What the layer's own initializer would give, from the plan's seed."""
    initializer = initializer_of(variable)
    if isinstance(initializer, keras.initializers.Initializer):
        config = initializer.get_config()
        if "seed" in config:
            drawn = int(np.random.default_rng(seed).integers(2**31))
            initializer = type(initializer).from_config({**config, "seed": drawn})
    try:
        value = initializer(variable.shape, dtype=variable.dtype)
    except Exception as error:
        raise ValueError(
            f"Cannot grow {variable.path!r}: its initializer {show(initializer)} gives no weights "
            f"of the grown shape {tuple(variable.shape)}. Expected one that takes every shape. Set "
            "another initializer for the layer."
        ) from error
    return np.array(keras.ops.convert_to_numpy(value)).astype(dtype, copy=False)


def initialise(
    variables: Iterable[Any], values: dict[int, Any], drawn: Container[int], seed: int, dtype: str
) -> None:
    """Gives postponed variables their values.

    Args:
        variables: Those that wait.
        values: By the variables' ids.
        drawn: Ids of those that are drawn by their own initializer where they have no value.
        seed: The plan's.
        dtype: In which they are drawn.
    """
    for place, variable in enumerate(variables):
        value = values.get(id(variable))
        if value is None and id(variable) in drawn:
            value = draw(variable, np.dtype(dtype), (seed, NEW, place))
        if value is not None:
            set_initializer(variable, lambda shape, dtype, value=value: tensor(value, dtype))
        initialize(variable)


def _check_covered(trace: Trace) -> None:
    """Every weight of every source is named by a rule, or the rule is wrong."""
    named = set()
    for record in trace.records.values():
        for layer in record.layers:
            if record.copies:
                named |= {id(variable) for variable in getattr(layer, "weights", ())}
                continue
            for weight in record.weights.values():
                named.add(id(variable_of(layer, weight.attribute)))
    for model in trace.models:
        for variable in model.weights:
            if id(variable) not in named:
                raise ValueError(
                    f"Cannot grow {variable.path!r}: its layer's growth rule does not name this "
                    "weight. Expected every weight to be named with Call.weight. Mend the rule."
                )
