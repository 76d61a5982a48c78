"""From a plan to a grown model: weights and optimizer slots carried."""

import contextlib
import itertools
import time
from collections.abc import Container, Iterable, Iterator
from typing import Any

import keras
import numpy as np

from adaptive_nets.graphs.compile import compile_like
from adaptive_nets.graphs.read import check_finite
from adaptive_nets.graphs.shared_memory import read, tensor
from adaptive_nets.growth.core.grown_values import grown_weight, maps_of
from adaptive_nets.growth.core.optimizer_slots import Carried, carry_optimizer
from adaptive_nets.growth.core.plan import GrowthPlan, GrowthReport
from adaptive_nets.growth.core.rebuild import Rebuilder
from adaptive_nets.growth.core.weight_roles import continue_draws, variable_of
from adaptive_nets.keras_internals import (
    initialize,
    initializer_of,
    set_initializer,
    waiting_variables,
)

# Streams of draws: for the places beside old weights, and for new layers.
OLD, NEW = 0, 1


def apply(plan: GrowthPlan, sample: Any = None) -> tuple[keras.Model, GrowthReport]:
    """Makes the grown model of a plan.

    Args:
        plan: What `plan_widen`, `plan_deepen` or `plan_fuse` returned.
        sample: Inputs [rows, ...] on which the gap to the sources is measured. Default: none are
            needed where the plan is exact, and random ones are drawn where it is approximate.

    Returns:
        The grown model, compiled like the source if there is one source and it was compiled, with
        a new optimizer; and a report.

    Raises:
        ValueError: If a source holds values that are not finite.
    """
    grown, report, pairs = apply_with_pairs(plan, sample)
    source = plan.trace.models[0]
    if len(set(map(id, plan.trace.models))) == 1 and getattr(source, "compiled", False):
        compile_like(source, grown, lambda old: carry_optimizer(old, pairs, grown))
    return grown, report


def apply_with_pairs(
    plan: Any, sample: Any = None
) -> tuple[keras.Model, GrowthReport, list[Carried]]:
    """As `apply`, but not compiled, and with the weights that carry old values."""
    if not isinstance(plan, GrowthPlan):
        return plan.apply_with_pairs(sample)
    started = time.perf_counter()
    check_finite(plan.trace.models)
    rebuilder = Rebuilder(plan.trace, plan.maps, plan.mix)
    grown = build_grown(rebuilder, plan)
    _check_covered(plan)
    seconds = time.perf_counter() - started
    gap = None
    if sample is not None or not plan.exact:
        gap = plan.measure(grown, sample)
    report = GrowthReport(
        plan.table(),
        sum(model.count_params() for model in plan.trace.models),
        grown.count_params(),
        plan.exact,
        gap,
        seconds,
        plan.notes(),
    )
    return grown, report, list(_pairs(rebuilder, plan))


def _pairs(rebuilder: Rebuilder, plan: GrowthPlan) -> Iterator[Carried]:
    """The grown weights and their sources."""
    for key, record in plan.trace.records.items():
        for source, copy in enumerate(rebuilder.groups.get(key, ())):
            for old, new in zip(record.layers[source].weights, copy.weights, strict=True):
                yield Carried((old,), new, gradient=(plan.gradient[source],))
        if record.grouped is not None:
            continue
        for weight in record.weights.values():
            olds = tuple(variable_of(each, weight.attribute) for each in record.layers)
            new = variable_of(rebuilder.layers.get(key), weight.attribute)
            maps = maps_of(weight, [old.shape for old in olds], plan.maps)
            yield Carried(olds, new, weight, maps, plan.gradient)


def build_grown(rebuilder: Rebuilder, plan: GrowthPlan) -> keras.Model:
    """The grown model; each variable is made once, with its final value.

    Inside a stateless scope Keras postpones a variable's initialisation, so that nothing is drawn
    that would be overwritten.
    """
    with postponed() as waiting:
        grown = rebuilder.model(plan.trace.models[0])
    targets = dict(_targets(rebuilder, plan))
    for variable in waiting:
        make = targets.get(id(variable))
        if make is not None:
            value = make(variable)
            set_initializer(variable, lambda shape, dtype, value=value: tensor(value, dtype))
        initialize(variable)
    for key, layer in rebuilder.layers.items():
        record = plan.trace.records[key]
        record.rule.finish(record, layer)
        continue_draws(record.layers[0], layer)
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


def _targets(rebuilder: Rebuilder, plan: GrowthPlan) -> Any:
    """Pairs of a grown variable's id and the function that makes its value."""
    # Draws go by a weight's place: names are counted up by Keras as long as a process lives.
    places = itertools.count()
    for key, record in plan.trace.records.items():
        for source, copy in enumerate(rebuilder.groups.get(key, ())):
            for old, new in zip(record.layers[source].weights, copy.weights, strict=True):
                new.trainable = old.trainable
                yield id(new), lambda _, old=old: read(old)
        if record.grouped is not None:
            continue
        layer = rebuilder.layers.get(key)
        for weight in record.weights.values():
            olds = [variable_of(each, weight.attribute) for each in record.layers]
            new = variable_of(layer, weight.attribute)
            # A frozen variable inside a layer is not written in the layer's configuration.
            new.trainable = olds[0].trainable
            seed = (plan.seed, OLD, next(places))

            def make(
                variable: Any, weight: Any = weight, olds: Any = olds, seed: Any = seed
            ) -> np.ndarray:
                values = [read(old) for old in olds]
                maps = maps_of(weight, [value.shape for value in values], plan.maps)
                if len(values) == 1 and all(each.is_identity for each in maps):
                    return values[0]
                return grown_weight(
                    weight,
                    values,
                    maps,
                    plan.mix,
                    lambda: draw(variable, values[0].dtype, seed),
                    plan.cross,
                    plan.noise,
                    np.random.default_rng(seed),
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
    value = initializer(variable.shape, dtype=variable.dtype)
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


def _check_covered(plan: GrowthPlan) -> None:
    """Every weight of every source is named by a rule, or the rule is wrong."""
    named = set()
    for record in plan.trace.records.values():
        for layer in record.layers:
            for weight in record.weights.values():
                named.add(id(variable_of(layer, weight.attribute)))
            if record.grouped is not None:
                named |= {id(variable) for variable in layer.weights}
    for model in plan.trace.models:
        for variable in model.weights:
            if id(variable) not in named:
                raise ValueError(
                    f"Cannot grow {variable.path!r}: its layer's growth rule does not name this "
                    "weight. Expected every weight to be named with Call.weight. Mend the rule."
                )
