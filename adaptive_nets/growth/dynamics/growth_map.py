"""How small changes of the sources' weights move the grown ones, and back."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from adaptive_nets.graphs.state import weight_pairs
from adaptive_nets.growth.core.grown_values import grown_weight, maps_of
from adaptive_nets.growth.core.plan import GrowthPlan
from adaptive_nets.growth.core.rebuild import Rebuilder
from adaptive_nets.growth.core.weight_roles import variable_of
from adaptive_nets.growth.dynamics.derivatives import Derivatives, OnBatch, loss_of
from adaptive_nets.growth.dynamics.modified_flow import measure, to_numpy

Part = tuple[np.ndarray, np.ndarray]


class GrowthMap:
    """The linear part of the map from the sources' trainable variables to the grown model's.

    An entry of a grown weight comes from at most one entry of each source, times a factor. So
    the whole map is an index and a factor an entry and source, found by growing two weights: all
    ones, and the entries' numbers.

    Args:
        plan: The plan that was applied.
        rebuilder: What made the grown model's layers.
        grown: The grown model.
    """

    def __init__(self, plan: GrowthPlan, rebuilder: Rebuilder, grown: keras.Model) -> None:
        self._sources = [[v.shape for v in m.trainable_variables] for m in plan.models]
        self._shapes = [tuple(v.shape) for v in grown.trainable_variables]
        numbers = {id(v): i for i, v in enumerate(grown.trainable_variables)}
        owners = [{id(v): i for i, v in enumerate(m.trainable_variables)} for m in plan.models]
        # For each grown variable: (source, its variable's number, index and factor of each entry).
        self._parts: dict[int, list[tuple[int, int, Part]]] = {}
        for new, source, old, part in _parts(plan, rebuilder):
            if id(new) in numbers and id(old) in owners[source]:
                found = self._parts.setdefault(numbers[id(new)], [])
                found.append((source, owners[source][id(old)], part))

    def push(self, changes: list[list[np.ndarray]]) -> list[np.ndarray]:
        """How the grown weights move when each source's variables move by `changes[source]`."""
        moved = [np.zeros(int(np.prod(shape))) for shape in self._shapes]
        for number, parts in self._parts.items():
            for source, old, (index, factor) in parts:
                moved[number] += factor * np.ravel(changes[source][old])[index]
        return [m.reshape(shape) for m, shape in zip(moved, self._shapes, strict=True)]

    def pull(self, changes: list[np.ndarray]) -> list[list[np.ndarray]]:
        """The sources' change that explains a change of the grown weights: a left inverse."""
        moved = [[np.zeros(int(np.prod(shape))) for shape in each] for each in self._sources]
        for number, parts in self._parts.items():
            change = np.ravel(changes[number])
            shared = sum(factor**2 for _, _, (_, factor) in parts)
            for source, old, (index, factor) in parts:
                size = moved[source][old].size
                weight = np.bincount(index, factor**2, size)[index]
                weight = np.maximum(np.maximum(weight, shared), np.finfo(float).tiny)
                moved[source][old] += np.bincount(index, factor * change / weight, size)
        return [
            [m.reshape(shape) for m, shape in zip(each, shapes, strict=True)]
            for each, shapes in zip(moved, self._sources, strict=True)
        ]


def _parts(plan: GrowthPlan, rebuilder: Rebuilder) -> Any:
    """Grown variable, source, its variable, and index and factor of each grown entry."""
    for key, record in plan.trace.records.items():
        for source, copy in enumerate(rebuilder.groups.get(key, ())):
            for old, new in weight_pairs(record.layers[source], copy):
                size = int(np.prod(old.shape))
                yield new, source, old, (np.arange(size), np.ones(size))
        if record.copies:
            continue
        for weight in record.weights.values():
            olds = [variable_of(each, weight.attribute) for each in record.layers]
            if not olds[0].trainable:
                continue
            new = variable_of(rebuilder.layers[key], weight.attribute)
            shapes = [tuple(old.shape) for old in olds]
            maps = maps_of(weight, shapes, plan.maps)

            def grow(values: list, weight: Any = weight, maps: Any = maps) -> np.ndarray:
                shape = tuple(each.size for each in maps)
                return grown_weight(
                    weight, values, maps, plan.mix, lambda: np.zeros(shape), 0.0, 0.0, None
                ).ravel()

            zeros = [np.zeros(shape) for shape in shapes]
            still = grow(zeros)
            for source, old in enumerate(olds):
                count = np.arange(np.prod(shapes[source]), dtype=float).reshape(shapes[source])
                one = [np.ones(s) if i == source else z for i, (s, z) in _each(shapes, zeros)]
                at = [count if i == source else z for i, (_, z) in _each(shapes, zeros)]
                factor = grow(one) - still
                live = np.where(factor == 0, 1.0, factor)
                index = np.rint((grow(at) - still) / live).astype(np.int64)
                yield new, source, old, (np.where(factor == 0, 0, index), factor)


def _each(shapes: list, zeros: list) -> Any:
    return enumerate(zip(shapes, zeros, strict=True))


def conflict_of_growth(
    plan: GrowthPlan, loss: Any, batches: Callable[[Derivatives], list[OnBatch]]
) -> tuple[list, list, list, dict[str, Any]]:
    """The conflict of a step of every source with the step after growth.

    A source's step moves the grown weights by J g1, where J is the linear part of growth; the
    step after growth moves them by g2. The two fields' bracket is H2 J g1 - J H1 P g2, where P
    says which change of the sources g2 amounts to. New weights take part in g2 only.

    Args:
        plan: A growth that has not been applied.
        loss: As for `Derivatives`.
        batches: Makes the loss on at least two batches; the sources take the first, the grown
            model the second.

    Returns:
        The bracket, J g1, g2, and the measures of the grown model.
    """
    if not isinstance(plan, GrowthPlan):
        raise TypeError(
            "Cannot diagnose this growth: only plans of wider or fused models say how each weight "
            "comes from the sources'. Expected what plan_widen, plan_fuse or plan_self_fuse "
            f"returned. Received: {type(plan).__name__}. Leave plan out to diagnose the model."
        )
    grown, rebuilder = plan.build()
    loss = loss_of(plan.models[0], loss)
    growth = GrowthMap(plan, rebuilder, grown)
    after = Derivatives(grown, loss)
    parts = batches(after)
    at = after.values()
    g2 = parts[1].gradient(at)
    sources = [Derivatives(model, loss) for model in plan.models]
    firsts = [batches(each)[0] for each in sources]
    slopes = [to_numpy(f.gradient(s.values())) for f, s in zip(firsts, sources, strict=True)]
    g1 = growth.push(slopes)
    pulled = growth.pull(to_numpy(g2))
    back = [
        to_numpy(first.product(source.values(), change))
        for first, source, change in zip(firsts, sources, pulled, strict=True)
    ]
    ahead = to_numpy(parts[1].product(at, g1))
    bracket = [a - b for a, b in zip(ahead, growth.push(back), strict=True)]
    return bracket, g1, to_numpy(g2), measure(parts, at)
