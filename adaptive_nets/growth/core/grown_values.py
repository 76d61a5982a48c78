"""The values of one grown weight: blocks of the sources, zeros, noise and fresh draws."""

from collections.abc import Callable, Sequence

import numpy as np

from adaptive_nets.graphs import shared_memory
from adaptive_nets.growth.core.axis_map import SHARED, AxisMap
from adaptive_nets.growth.core.weight_roles import Keeps, Reads, Scales, Weight, Writes


def maps_of(weight: Weight, shapes: Sequence[tuple[int, ...]], maps: dict) -> tuple[AxisMap, ...]:
    """The grown map of each dimension of a weight."""
    found = []
    for number, dimension in enumerate(weight.dimensions):
        if dimension.axis is None:
            found.append(AxisMap.shared(shapes[0][number], len(shapes)))
        else:
            found.append(dimension.axis.map(maps))
    return tuple(found)


def indexer(places: Sequence[np.ndarray], sizes: Sequence[int]) -> tuple:
    """An index of a block: slices where the features stand in a row, for speed."""
    slices = []
    for array in places:
        if len(array) == 0:
            slices.append(slice(0, 0))
        elif array[-1] - array[0] == len(array) - 1 and (np.diff(array) == 1).all():
            slices.append(slice(int(array[0]), int(array[-1]) + 1))
        else:
            return np.ix_(*places)
    return tuple(slices)


def along(vector: np.ndarray, dimension: int, rank: int) -> np.ndarray:
    """A vector shaped to act on one dimension."""
    return vector.reshape([-1 if i == dimension else 1 for i in range(rank)])


def sums_shared(weight: Weight, maps: tuple[AxisMap, ...]) -> bool:
    """Whether the sources' values are summed in the cells that all of them have.

    What acts on shared features is the same in every source; what reads or writes them is summed,
    also where only some of what it reads or writes is shared.
    """
    kinds = weight.dimensions
    return (
        any(isinstance(kind, Reads | Writes) for kind in kinds)
        and not any(isinstance(kind, Scales) for kind in kinds)
        and all((each.lineage == SHARED).any() for each in maps)
    )


def of_shared(grown: AxisMap, source: int, shared: float, own: float) -> np.ndarray:
    """A factor for each of a source's features: one for those that all share, one for its own."""
    places, taken = grown.positions(source)
    found = np.full(grown.sizes[source], own)
    found[taken] = np.where(grown.lineage[places] == SHARED, shared, own)
    return found


def written_in_part(weight: Weight, maps: tuple[AxisMap, ...]) -> list[int]:
    """The dimensions that a weight writes of which the sources share some features only."""
    return [
        i
        for i, (kind, each) in enumerate(zip(weight.dimensions, maps, strict=True))
        if isinstance(kind, Writes) and (each.lineage == SHARED).any() and not each.is_shared
    ]


def common_cells(maps: tuple[AxisMap, ...]) -> tuple:
    """An index of the cells that all sources have."""
    return np.ix_(*(np.flatnonzero(each.lineage == SHARED) for each in maps))


def place(
    target: np.ndarray,
    values: Sequence[np.ndarray],
    weight: Weight,
    maps: tuple[AxisMap, ...],
    factors: Callable[[int], list[np.ndarray | None]],
) -> None:
    """Writes each source's values where the maps say.

    `factors(source)` gives a vector of factors a dimension, over the source's features.
    """
    rank = len(maps)
    shared = [each.lineage == SHARED for each in maps]
    summed = len(values) > 1 and sums_shared(weight, maps)
    if summed:
        target[common_cells(maps)] = 0
    for source, value in enumerate(values):
        positions = [each.positions(source) for each in maps]
        block = value[indexer([taken for _, taken in positions], value.shape)]
        for dimension, factor in enumerate(factors(source)):
            if factor is not None:
                taken = factor[positions[dimension][1]].astype(value.dtype)
                block = block * along(taken, dimension, rank)
        where = indexer([place for place, _ in positions], target.shape)
        if summed:
            common = np.ones((1,) * rank, bool)
            for dimension, (stand, _) in enumerate(positions):
                common = common & along(shared[dimension][stand], dimension, rank)
            block = np.where(common, target[where] + block, block)
        target[where] = block


def grown_weight(
    weight: Weight,
    values: Sequence[np.ndarray],
    maps: tuple[AxisMap, ...],
    mix: Sequence[float],
    draw: Callable[[], np.ndarray],
    cross: float | str,
    noise: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """One weight of the grown model.

    Args:
        weight: What its dimensions mean.
        values: The weight in each source.
        maps: The grown map of each dimension.
        mix: The share of each source in a shared output.
        draw: Gives the layer's own initialisation of the whole grown weight.
        cross: The blocks between sources: noise in units of 1/sqrt(fan_in), or "random".
        noise: Paired noise on copies, in units of the weight's standard deviation.
        rng: For noise.

    Returns:
        The values.
    """
    shape = tuple(each.size for each in maps)
    rank = len(shape)
    kinds = weight.dimensions
    makes = [i for i, kind in enumerate(kinds) if isinstance(kind, Writes | Scales)]
    reads = [i for i, kind in enumerate(kinds) if isinstance(kind, Reads)]
    new = [i for i in makes if maps[i].fresh.any() or maps[i].silent.any()]
    quiet = [i for i in reads if kinds[i].axis is not None and kinds[i].axis.zero_kept]
    heard = [i for i in quiet if maps[i].silent.any()]
    crossed = reads and len(values) > 1 and cross
    if new or heard or crossed == "random":
        target = draw()
        if callable(weight.fresh):
            target = weight.fresh(target, maps)
        elif weight.fresh is not None:
            target[...] = weight.fresh
        # Old features must not read new ones, unless these are zero.
        free = np.zeros((1,) * rank, bool)
        for i in makes:
            free = free | along(maps[i].fresh | maps[i].silent, i, rank)
        for i in heard:
            free = free | along(maps[i].silent, i, rank)
        if crossed == "random":
            free = np.ones((1,) * rank, bool)
        for i in makes:
            if isinstance(kinds[i], Writes):
                free = free & ~along(maps[i].silent, i, rank)
        target = np.where(free, target, np.zeros((), target.dtype))
    else:
        target = shared_memory.zeros(shape, values[0].dtype)
    if crossed and crossed != "random":
        add_cross(target, weight, maps, float(cross), rng)
    scale = 1.0 if weight.scale is None else weight.scale(maps)
    partly = written_in_part(weight, maps) if len(values) > 1 else []

    def factors(source: int) -> list[np.ndarray | None]:
        found: list[np.ndarray | None] = [None] * rank
        for i in reads:
            if (maps[i].copies(source) > 1).any():
                found[i] = 1 / np.maximum(maps[i].copies(source), 1)
        mixing = len(values) > 1 and any(
            isinstance(kinds[i], Writes) and maps[i].is_shared for i in makes
        )
        for i in partly:
            found[i] = of_shared(maps[i], source, 1 / len(values), 1.0)
        total = scale * (mix[source] if mixing else 1.0)
        if total != 1.0:
            first = found[0] if found[0] is not None else np.ones(maps[0].sizes[source])
            found[0] = first * total
        return found

    place(target, values, weight, maps, factors)
    if noise:
        add_paired_noise(target, weight, maps, noise, rng)
    return target


def add_cross(
    target: np.ndarray,
    weight: Weight,
    maps: tuple[AxisMap, ...],
    cross: float,
    rng: np.random.Generator,
) -> None:
    """Noise in the blocks between sources; the blocks of one source are overwritten later."""
    reads = [i for i, kind in enumerate(weight.dimensions) if isinstance(kind, Reads)]
    writes = [i for i, kind in enumerate(weight.dimensions) if isinstance(kind, Writes)]
    if not writes:
        return
    spread = [i for i, kind in enumerate(weight.dimensions) if isinstance(kind, Reads | Keeps)]
    deviation = cross / np.sqrt(np.prod([target.shape[i] for i in spread]))
    sources = range(len(maps[0].sizes))
    for a in sources:
        for b in sources:
            ends = [np.arange(size) for size in target.shape]
            for i in reads:
                ends[i] = np.flatnonzero(maps[i].lineage == a)
            for i in writes:
                ends[i] = np.flatnonzero(maps[i].lineage == b)
            size = tuple(len(end) for end in ends)
            if a != b and 0 not in size:
                # Uniform noise of the same variance costs a third of a normal draw.
                block = rng.random(size, dtype=np.float32)
                block -= 0.5
                block *= deviation * np.sqrt(12)
                target[indexer(ends, target.shape)] = block


def add_paired_noise(
    target: np.ndarray,
    weight: Weight,
    maps: tuple[AxisMap, ...],
    noise: float,
    rng: np.random.Generator,
) -> None:
    """Noise on the rows that read copies, of sum zero over the copies of a feature."""
    for i, kind in enumerate(weight.dimensions):
        if not isinstance(kind, Reads) or maps[i].is_identity:
            continue
        rows = rng.normal(0, noise * target.std(), target.shape)
        rows = np.moveaxis(rows, i, 0)
        index, count = maps[i].index[0], maps[i].copies(0)
        total = np.zeros((len(count), *rows.shape[1:]))
        np.add.at(total, index, rows)
        rows -= (total / along(np.maximum(count, 1), 0, rows.ndim))[index]
        target += np.moveaxis(rows, 0, i).astype(target.dtype)


def grown_slot(
    weight: Weight,
    values: Sequence[np.ndarray],
    maps: tuple[AxisMap, ...],
    gradient: Sequence[float],
    power: int,
) -> np.ndarray:
    """An optimizer slot of the grown weight; new entries are zero.

    Where a weight's gradient after growth is c times the source's, a slot that holds the gradient
    to some power is carried as c to that power (METHODS of staged training).

    Args:
        weight: What its dimensions mean.
        values: The slot in each source.
        maps: The grown map of each dimension.
        gradient: The factor on all gradients of each source.
        power: 1 for a first moment, 2 for a second, 0 for one that has the weight's own scale.

    Returns:
        The values.
    """
    target = np.zeros(tuple(each.size for each in maps), values[0].dtype)
    scale = 1.0 if weight.scale is None else weight.scale(maps)
    kinds = weight.dimensions
    partly = written_in_part(weight, maps) if len(values) > 1 else []

    def factors(source: int) -> list[np.ndarray | None]:
        found: list[np.ndarray | None] = [None] * len(maps)
        for i, kind in enumerate(kinds):
            if isinstance(kind, Writes | Scales):
                found[i] = (1.0 / np.maximum(maps[i].copies(source), 1)) ** power
        mixing = len(values) > 1 and any(
            isinstance(kind, Writes) and maps[i].is_shared for i, kind in enumerate(kinds)
        )
        rest = gradient[source]
        if partly and not mixing:
            own = of_shared(maps[partly[0]], source, 1.0, rest) ** power
            found[partly[0]] = own if found[partly[0]] is None else own * found[partly[0]]
            rest = 1.0
        total = ((1.0 if mixing else rest) / scale) ** power
        first = found[0] if found[0] is not None else np.ones(maps[0].sizes[source])
        found[0] = first * total
        return found

    place(target, values, weight, maps, factors)
    if len(values) > 1 and sums_shared(weight, maps):
        # An output's bias has the gradient of each source, so the sources' mean is carried.
        target[common_cells(maps)] /= len(values)
    return target
