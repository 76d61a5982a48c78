"""Optimizer slots, carried to the grown weights at the scale of their new gradients."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.grown_values import grown_slot, place
from adaptive_nets.growth.core.weight_roles import Weight
from adaptive_nets.keras_internals import (
    optimized_variables,
    optimizer_slots,
    optimizer_variables,
)

# The power of the gradient that each list of slots holds. 0: the weight's own scale.
POWERS = {
    "momentums": 1,
    "velocities": 2,
    "velocity_hats": 2,
    "average_gradients": 1,
    "accumulators": 2,
    "accumulated_grads": 2,
    "accumulated_delta_vars": 0,
    "m": 1,
    "u": 1,
    "r": 2,
    "c": 2,
    "v": 2,
    "accumulated_gradients": 1,
}
# RMSprop's momentum holds gradients over their own size.
OTHERS = {("RMSprop", "momentums"): 0}
# Optimizers whose slots hold weights under the names of gradients.
UNKNOWN = frozenset(["ScheduleFreeAdamW", "Muon", "Ftrl"])
# Adafactor's factors are second moments averaged over one of the last two axes.
REDUCED = {"r": -1, "c": -2}
EMA = "model_variables_moving_average"


@dataclasses.dataclass(frozen=True)
class Carried:
    """A grown weight and where its values come from.

    Args:
        olds: The variable in each source.
        new: The grown variable.
        weight: What its dimensions mean; None where it is the source's, unchanged.
        maps: The grown map of each dimension.
        gradient: The factor on all gradients of each source.
    """

    olds: tuple[keras.Variable, ...]
    new: keras.Variable
    weight: Weight | None = None
    maps: tuple[AxisMap, ...] = ()
    gradient: tuple[float, ...] = (1.0,)

    def slot(self, values: Sequence[np.ndarray], power: int, drop: int | None = None) -> np.ndarray:
        """A slot of the grown weight; `drop` names the axis it is averaged over."""
        if self.weight is None:
            return values[0] * self.gradient[0] ** power
        weight, maps = self.weight, self.maps
        if drop is not None:
            keep = [i for i in range(len(maps)) if i != drop % len(maps)]
            dimensions = tuple(weight.dimensions[i] for i in keep)
            weight = dataclasses.replace(weight, dimensions=dimensions, scale=None)
            maps = tuple(maps[i] for i in keep)
        return grown_slot(weight, values, maps, self.gradient, power)

    def average(self, value: np.ndarray, current: np.ndarray) -> np.ndarray:
        """A moving average of the weight: the average where it is old, the weight where new."""
        if self.weight is None:
            return value
        change = value - np.asarray(self.olds[0])
        moved = np.zeros_like(current)
        rank = len(self.maps)
        scale = 1.0 if self.weight.scale is None else self.weight.scale(self.maps)

        def factors(source: int) -> list[np.ndarray | None]:
            found: list[np.ndarray | None] = [None] * rank
            for i, kind in enumerate(self.weight.dimensions):
                if type(kind).__name__ == "Reads":
                    found[i] = 1.0 / np.maximum(self.maps[i].copies(source), 1)
            first = found[0] if found[0] is not None else np.ones(self.maps[0].sizes[source])
            found[0] = first * scale
            return found

        place(moved, [change], self.weight, self.maps, factors)
        return current + moved


def carry_optimizer(
    optimizer: keras.optimizers.Optimizer,
    carried: Sequence[Carried],
    model: keras.Model,
    slots: str = "carry",
) -> keras.optimizers.Optimizer:
    """A new optimizer for the grown model that goes on where the old one was.

    Args:
        optimizer: The first source's. It is not changed.
        carried: The grown weights and their sources.
        model: The grown model.
        slots: "carry" grows the slots; "reset" begins with new ones. Step counts, learning rate
            and loss scale are carried either way.

    Returns:
        A built optimizer of the same class and configuration.

    Raises:
        ValueError: If the optimizer keeps slots that are not known here.
    """
    new = type(optimizer).from_config(optimizer.get_config())
    new.build(model.trainable_variables)
    _carry(optimizer, new, {id(each.new): each for each in carried}, slots)
    return new


def _carry(old: Any, new: Any, carried: dict[int, Carried], slots: str) -> None:
    inner = getattr(old, "inner_optimizer", None)
    if not old.built:
        return
    of_slots: set[int] = set()
    slots_before = optimizer_slots(old)
    for name, values in optimizer_slots(new).items():
        of_slots |= {id(v) for v in (*slots_before.get(name, ()), *values) if v is not None}
        if slots == "reset" and name != EMA:
            continue
        known = name in POWERS and type(old).__name__ not in UNKNOWN
        if not known and name != EMA:
            raise ValueError(
                f"Cannot carry the slots {name!r} of {type(old).__name__}: growth does not know "
                f"what they hold. Expected one of {sorted(POWERS)}. Pass slots='reset'."
            )
        _carry_list(old, new, name, carried)
    others = [[v for v in optimizer_variables(o) if id(v) not in of_slots] for o in (old, new)]
    for before, after in zip(*others, strict=True):
        after.assign(before)
    if inner is not None:
        _carry(inner, new.inner_optimizer, carried, slots)


def _carry_list(old: Any, new: Any, name: str, carried: dict[int, Carried]) -> None:
    """Grows one list of slots."""
    numbers = {id(v): i for i, v in enumerate(optimized_variables(old))}
    before, after = optimizer_slots(old)[name], optimizer_slots(new)[name]
    for variable, slot in zip(optimized_variables(new), after, strict=True):
        each = carried.get(id(variable))
        if name == EMA:
            current = np.asarray(variable)
            if each is None or id(each.olds[0]) not in numbers or len(each.olds) > 1:
                slot.assign(current)
            else:
                slot.assign(each.average(np.asarray(before[numbers[id(each.olds[0])]]), current))
            continue
        if each is None or slot is None:
            continue
        values: list[np.ndarray | None] = [
            np.asarray(before[numbers[id(v)]])
            if id(v) in numbers and before[numbers[id(v)]] is not None
            else None
            for v in each.olds
        ]
        if all(value is None for value in values):
            continue
        drop = REDUCED.get(name)
        placeholder = drop is not None or name == "v"
        if placeholder and values[0] is not None and values[0].ndim == 0:
            continue
        filled = []
        for value, source in zip(values, each.olds, strict=True):
            shape = list(source.shape)
            if drop is not None:
                del shape[drop]
            filled.append(np.zeros(shape, "float32") if value is None else value)
        power = OTHERS.get((type(old).__name__, name), POWERS[name])
        # Adagrad begins with a sum above zero, which no gradient made.
        begun = old.initial_accumulator_value if name == "accumulators" else 0.0
        slot.assign(begun + each.slot([value - begun for value in filled], power, drop))
