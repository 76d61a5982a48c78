"""Where each feature of a grown axis comes from: the one idea of this package."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

FRESH = -1  # a new feature whose incoming weights are random: consumers must not read it yet
SHARED = -2  # one feature that every source has: an input, or an output that is mixed
SILENT = -3  # a new feature that is exactly zero: consumers may read it at once


@dataclasses.dataclass(frozen=True, eq=False)
class AxisMap:
    """The lineage and the index of every feature of a grown axis.

    Args:
        lineage: Integers [features]: the source model a feature continues, or `FRESH`, `SHARED`
            or `SILENT`.
        index: Integers [sources, features]: which feature of each source; 0 where it is none's.
        sizes: The number of features of the axis in each source.

    Example:

    ```python
    from adaptive_nets.growth.core.axis_map import AxisMap

    grown = AxisMap.identity(2).replicated(4)
    print(grown.index, grown.copies(0))  # [[0 1 0 1]] [2 2]
    ```
    """

    lineage: np.ndarray
    index: np.ndarray
    sizes: tuple[int, ...]

    @classmethod
    def identity(cls, size: int) -> "AxisMap":
        """One source, unchanged."""
        return cls(np.zeros(size, int), np.arange(size)[None], (size,))

    @classmethod
    def shared(cls, size: int, sources: int = 1) -> "AxisMap":
        """The same features in every source."""
        return cls(np.full(size, SHARED), np.tile(np.arange(size), (sources, 1)), (size,) * sources)

    @classmethod
    def side_by_side(cls, sizes: Sequence[int]) -> "AxisMap":
        """Deep Fusion: all features of the first source, then all of the second, and so on."""
        return cls(
            np.repeat(np.arange(len(sizes)), sizes),
            np.tile(np.concatenate([np.arange(size) for size in sizes]), (len(sizes), 1)),
            tuple(sizes),
        )

    @classmethod
    def concatenate(cls, maps: Sequence["AxisMap"]) -> "AxisMap":
        """The map of an axis made of several: indices are shifted by what stands before."""
        offsets = np.cumsum([[0] * len(maps[0].sizes), *(each.sizes for each in maps)], axis=0)
        # What continues no source has index 0 still.
        index = [
            np.where(np.isin(each.lineage, (FRESH, SILENT)), 0, each.index + shift[:, None])
            for each, shift in zip(maps, offsets[:-1], strict=True)
        ]
        return cls(
            np.concatenate([each.lineage for each in maps]),
            np.concatenate(index, axis=1),
            tuple(int(size) for size in offsets[-1]),
        )

    def widened(self, size: int, silent: bool = False) -> "AxisMap":
        """New features behind the old ones."""
        extra = size - self.size
        return AxisMap(
            np.concatenate([self.lineage, np.full(extra, SILENT if silent else FRESH)]),
            np.pad(self.index, ((0, 0), (0, extra))),
            self.sizes,
        )

    def replicated(
        self, size: int, block: int = 1, rng: np.random.Generator | None = None
    ) -> "AxisMap":
        """Net2Wider: the old features, then copies of them, in whole blocks.

        Copies are taken in turn, so that a whole factor copies every feature equally often; what is
        left over is drawn by `rng` without replacement, or taken from the front.
        """
        blocks = np.arange(self.size).reshape(-1, block)
        whole, rest = divmod(size // block, len(blocks))
        order = np.arange(len(blocks)) if rng is None else rng.permutation(len(blocks))
        chosen = np.concatenate([np.tile(np.arange(len(blocks)), whole), np.sort(order[:rest])])
        take = blocks[chosen].ravel()
        return AxisMap(self.lineage[take], self.index[:, take], self.sizes)

    def repeat(self, inner: int) -> "AxisMap":
        """Every feature becomes a run of `inner` features."""
        if inner == 1:
            return self
        run = np.tile(np.arange(inner), self.size)
        known = np.repeat(self.lineage, inner)
        index = np.repeat(self.index, inner, axis=1) * inner + run
        return AxisMap(known, index, tuple(size * inner for size in self.sizes))

    @property
    def size(self) -> int:
        """The number of features after growth."""
        return len(self.lineage)

    @functools.cached_property
    def is_identity(self) -> bool:
        """Whether the axis did not change."""
        return (
            set(self.sizes) == {self.size}
            and bool((self.lineage == SHARED).all() or not self.lineage.any())
            and all(np.array_equal(row, np.arange(self.size)) for row in self.index)
        )

    @functools.cached_property
    def fresh(self) -> np.ndarray:
        """Booleans [features]: new and not zero."""
        return self.lineage == FRESH

    @functools.cached_property
    def silent(self) -> np.ndarray:
        """Booleans [features]: new and zero."""
        return self.lineage == SILENT

    @functools.cached_property
    def is_shared(self) -> bool:
        """Whether all sources have all features in common."""
        return bool((self.lineage == SHARED).all())

    @functools.cached_property
    def is_uniform(self) -> bool:
        """Whether every feature has the same number of copies and nothing is new."""
        if self.fresh.any() or self.silent.any():
            return False
        return len({int(n) for source in range(len(self.sizes)) for n in self.copies(source)}) == 1

    @property
    def factor(self) -> float:
        """Features after growth over those of the first source."""
        return self.size / self.sizes[0]

    @functools.cached_property
    def _positions(self) -> list[tuple[np.ndarray, np.ndarray]]:
        shared = self.lineage == SHARED
        places = [np.flatnonzero(shared | (self.lineage == s)) for s in range(len(self.sizes))]
        return [(place, self.index[s][place]) for s, place in enumerate(places)]

    def positions(self, source: int) -> tuple[np.ndarray, np.ndarray]:
        """The grown features that continue a source, and which of its features they are."""
        return self._positions[source]

    def copies(self, source: int) -> np.ndarray:
        """Integers [features of the source]: how often each of them stands in the grown axis."""
        return np.bincount(self.positions(source)[1], minlength=self.sizes[source])
