"""Which axes of a model belong together, found before anything grows."""

import dataclasses
import math
from collections.abc import Callable, Iterable

from adaptive_nets.growth.core.axis_map import AxisMap

# Why features that a model reads do not grow.
INPUT = "it is an input"


class Segment:
    """A run of features that grows as one.

    Segments that a graph ties together (a residual sum, a shared layer) are united; one that is
    tied to several others is split. `sizes` are the features in each source.
    """

    def __init__(self, sizes: tuple[int, ...], owner: str) -> None:
        self.sizes = tuple(sizes)
        self.owners = [owner]
        self.fixed: str | None = None  # why the segment cannot grow
        self.block = 1  # features grow in whole blocks of so many
        self.only_uniform: str | None = None  # who needs every feature copied equally often
        self.only_silent: str | None = None  # who needs new features to be zero, if not copied
        self.only_named = False  # grows only where a person names it
        self.only_new: str | None = None  # why features may be added but not copied
        self.only_copied: str | None = None  # why features may be copied but not drawn again
        self.output = False
        self.shared = False  # the sources have these features in common
        self.separated: int | None = None  # the operation that reads copies of shared features
        self.readers: list[str] = []
        self.parent: Segment | None = None
        self.children: tuple[Segment, ...] | None = None

    def root(self) -> "Segment":
        """The segment that stands for all that are united with this one."""
        found = self
        while found.parent is not None:
            found = found.parent
        return found

    def parts(self) -> list["Segment"]:
        """The unsplit segments that make up this one."""
        root = self.root()
        if root.children is None:
            return [root]
        return [part for child in root.children for part in child.parts()]

    def split(self, head: tuple[int, ...]) -> None:
        """Cuts an unsplit root in two, the first part with `head` features."""
        tail = tuple(size - cut for size, cut in zip(self.sizes, head, strict=True))
        children = Segment(head, self.owners[0]), Segment(tail, self.owners[0])
        for child in children:
            child.inherit(self)
            if any(size % child.block for size in child.sizes):
                child.fixed = child.fixed or f"blocks of {child.block} reach over its end"
        self.children = children

    def unite(self, other: "Segment") -> None:
        """Makes two unsplit roots of equal sizes one."""
        if self is not other:
            other.parent = self
            self.inherit(other)

    def inherit(self, other: "Segment") -> None:
        """Takes over what another segment demands, beside what this one does."""
        self.owners = list(dict.fromkeys([*self.owners, *other.owners]))
        self.readers = list(dict.fromkeys([*self.readers, *other.readers]))
        self.fixed = self.fixed or other.fixed
        self.block = math.lcm(self.block, other.block)
        self.only_uniform = self.only_uniform or other.only_uniform
        self.only_silent = self.only_silent or other.only_silent
        self.only_named = self.only_named or other.only_named
        self.only_new = self.only_new or other.only_new
        self.only_copied = self.only_copied or other.only_copied
        self.output = self.output or other.output
        self.shared = self.shared or other.shared
        self.separated = other.separated if self.separated is None else self.separated


class UnruledError(ValueError):
    """A rule does not say how a call grows: it is carried as it is, once per source.

    Args:
        message: What is said where it cannot be carried either.
        reason: Why the rule does not apply, in a few words.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclasses.dataclass(frozen=True)
class Axis:
    """One axis of a tensor: runs of features, each repeated `inner` times feature by feature.

    Args:
        runs: Pairs of a segment and its inner repetition.
        zero_kept: Whether features that are written as zeros are still zeros here.
        nonlinear: The first non-linear function that was applied since the features were written.
    """

    runs: tuple[tuple[Segment, int], ...]
    zero_kept: bool = True
    nonlinear: str | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Features in each source."""
        sizes = [[size * inner for size in segment.sizes] for segment, inner in self.runs]
        return tuple(sum(column) for column in zip(*sizes, strict=True))

    def resolved(self) -> list[tuple[Segment, int]]:
        """The runs in terms of unsplit roots."""
        return [(part, inner) for segment, inner in self.runs for part in segment.parts()]

    def segments(self) -> list[Segment]:
        """The distinct unsplit roots, in order."""
        return list(dict.fromkeys(segment for segment, _ in self.resolved()))

    def constrain(self, change: Callable[[Segment], None]) -> None:
        """Applies a change to every segment."""
        for segment in self.segments():
            change(segment)

    def fix(self, reason: str) -> None:
        """No feature of this axis may grow."""
        for segment in self.segments():
            segment.fixed = segment.fixed or reason

    def after(self, function: str, keeps_zero: bool) -> "Axis":
        """The axis behind a non-linear function of each feature."""
        return dataclasses.replace(
            self, zero_kept=self.zero_kept and keeps_zero, nonlinear=self.nonlinear or function
        )

    def repeat_inner(self, times: int) -> "Axis":
        """Every feature becomes a run of features."""
        runs = tuple((segment, inner * times) for segment, inner in self.runs)
        return dataclasses.replace(self, runs=runs)

    def tile(self, times: int) -> "Axis":
        """The whole axis stands several times in a row."""
        return dataclasses.replace(self, runs=self.runs * times)

    @staticmethod
    def concatenate(axes: Iterable["Axis"]) -> "Axis":
        """Axes in a row."""
        axes = list(axes)
        return Axis(
            tuple(run for axis in axes for run in axis.runs),
            all(axis.zero_kept for axis in axes),
            next((axis.nonlinear for axis in axes if axis.nonlinear), None),
        )

    def tie(self, other: "Axis") -> "Axis":
        """Unites two axes feature by feature; the result is as careful as both."""
        left, right = self.resolved(), other.resolved()
        while left and right:
            (a, inner_a), (b, inner_b) = left[0], right[0]
            if inner_a != inner_b:
                reason = "its features meet others in another order"
                if len(a.sizes) > 1:
                    raise UnruledError(
                        f"Cannot fuse: the features of {a.owners[0]!r} and of {b.owners[0]!r} meet "
                        "in another order. Replace the layer that joins them.",
                        reason,
                    )
                self.fix(reason)
                other.fix(reason)
                break
            if a is b:
                left, right = left[1:], right[1:]
                continue
            if a.sizes != b.sizes:
                longer, cut = (a, b.sizes) if a.sizes[0] > b.sizes[0] else (b, a.sizes)
                if any(c >= s for c, s in zip(cut, longer.sizes, strict=True)):
                    raise ValueError(
                        f"Cannot fuse: the features of {a.owners[0]!r} {a.sizes} and of "
                        f"{b.owners[0]!r} {b.sizes} meet, and stand in another proportion in each "
                        "source. Give the sources widths of equal proportion."
                    )
                longer.split(cut)
                # Every place that holds the split segment sees its parts from now on.
                left = [(part, inner) for run, inner in left for part in run.parts()]
                right = [(part, inner) for run, inner in right for part in run.parts()]
                continue
            a.unite(b)
            left = [(part, inner) for run, inner in left[1:] for part in run.parts()]
            right = [(part, inner) for run, inner in right[1:] for part in run.parts()]
        return dataclasses.replace(
            self,
            zero_kept=self.zero_kept and other.zero_kept,
            nonlinear=self.nonlinear or other.nonlinear,
        )

    def map(self, maps: dict[Segment, AxisMap]) -> AxisMap:
        """The grown axis, given the map of every segment."""
        return AxisMap.concatenate(
            [maps[segment].repeat(inner) for segment, inner in self.resolved()]
        )


@dataclasses.dataclass(frozen=True)
class Features:
    """A tensor as growth sees it: its shape in each source, and the axes that may grow.

    An axis that is None does not grow: a batch, a position, the features of an input. `zero` says
    that all values are zero whatever the model reads; `parted` that each source has a tensor of its
    own, as no axis of known length could hold them all.
    """

    shapes: tuple[tuple[int | None, ...], ...]
    axes: tuple[Axis | None, ...]
    dtype: str = "float32"
    zero: bool = False
    parted: bool = False

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.axes)

    def axis(self, number: int) -> Axis | None:
        """One axis."""
        return self.axes[number]

    def sizes(self, number: int) -> tuple[int | None, ...]:
        """The length of one axis in each source."""
        return tuple(shape[number] for shape in self.shapes)

    def with_axis(self, number: int, axis: Axis | None) -> "Features":
        """Another axis in one place; shapes follow the layer's outputs, not this."""
        axes = list(self.axes)
        axes[number] = axis
        return dataclasses.replace(self, axes=tuple(axes))
