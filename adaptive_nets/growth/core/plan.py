"""What will grow, from what to what, by which rule: printed before anything is changed."""

import abc
import dataclasses
import functools
import math
import time
from typing import TYPE_CHECKING, Any

import keras

from adaptive_nets._checks import check_instance
from adaptive_nets._deprecation import warn_renamed
from adaptive_nets._shown import Shown
from adaptive_nets.graphs.compile import compile_like
from adaptive_nets.graphs.inventory import carry_attributes, lost_class
from adaptive_nets.graphs.loadable import loadable
from adaptive_nets.graphs.read import check_finite, check_inputs
from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.compare import (
    GrowthReport,
    check_gap,
    check_verify,
    drawn_gap,
    relative_gap,
    verify_growth,
)
from adaptive_nets.growth.core.grown_model import build_grown, carried_weights
from adaptive_nets.growth.core.grown_values import maps_of
from adaptive_nets.growth.core.optimizer_slots import Carried, carry_optimizer
from adaptive_nets.growth.core.rebuild import Rebuilder
from adaptive_nets.growth.core.registry import makes_whole
from adaptive_nets.growth.core.segments import Segment
from adaptive_nets.growth.core.trace import Trace, carried_notes
from adaptive_nets.growth.core.weight_roles import variable_of

if TYPE_CHECKING:
    import pandas as pd


class _Notes(tuple):
    """Notes that may still be called: `plan.notes()` was a method in 0.1."""

    def __call__(self) -> tuple[str, ...]:
        warn_renamed("plan.notes()", "plan.notes")
        return tuple(self)


@functools.cache
def _table_class() -> type:
    import pandas as pd

    class Table(pd.DataFrame):
        """A table that may still be called: `plan.table()` was a method in 0.1."""

        def __call__(self) -> pd.DataFrame:
            warn_renamed("plan.table()", "plan.table")
            return self.copy()

    return Table


def table_of(rows: list[dict[str, Any]]) -> "pd.DataFrame":
    """A plan's rows as a DataFrame."""
    return _table_class()(rows)


def apply(
    plan: "Plan", sample: Any = None, verify: bool | str = "auto"
) -> tuple[keras.Model, "GrowthReport"]:
    """Makes the grown model of a plan.

    Args:
        plan: What `plan_widen`, `plan_deepen` or `plan_fuse` returned.
        sample: Inputs [rows, ...] on which the gap to the sources is measured. Default: none are
            needed where the plan is exact, and random ones are drawn where it is approximate.
        verify: Whether a model whose plan is exact is compared with its sources, on the sample or
            on inputs drawn from the shapes of its inputs. "auto" does it where that takes no longer
            than the growth did; what it cost, or why it was left, is in the report.

    Returns:
        The grown model, compiled like the source if there is one source and it was compiled, with
        a new optimizer; and a report.

    Raises:
        ValueError: If a source holds values that are not finite, or if the grown model gives other
            outputs than an exact plan promises; the first layer that differs is named.
    """
    check_instance("plan", plan, Plan, "what plan_widen, plan_deepen or plan_fuse returned")
    return plan.apply(sample, verify)


class Plan(Shown, abc.ABC):
    """A growth that has not happened yet; `str(plan)` is a table.

    Attributes:
        verb: "widen", "deepen" or "fuse".
        models: The sources.
        preserve: "exact" or "approximate".
        seed: For all that is drawn.
        mix: The share of each source in the outputs.
        remarks: What a person should know beside why it is not exact.
        advice: What else than `preserve="approximate"` would help where it is not exact.
    """

    verb: str
    models: tuple[keras.Model, ...]
    preserve: str = "exact"
    seed: int = 0
    mix: tuple[float, ...] = (1.0,)
    remarks: tuple[str, ...] = ()
    advice: str = ""

    @property
    @abc.abstractmethod
    def inexact(self) -> list[str]:
        """Why the function is not preserved."""

    @property
    @abc.abstractmethod
    def parameters(self) -> int:
        """Parameters that the grown model will have."""

    @property
    @abc.abstractmethod
    def table(self) -> "pd.DataFrame":
        """What grows, as a DataFrame."""

    @abc.abstractmethod
    def grow(self) -> tuple[keras.Model, list[Carried]]:
        """The grown model, not compiled, and the weights that carry old values."""

    @property
    def carried(self) -> list[str]:
        """What is copied as it is, for want of a rule, and why."""
        return []

    @property
    def exact(self) -> bool:
        """Whether the function is preserved to rounding."""
        return not self.inexact

    @property
    def keeps_class(self) -> bool:
        """Whether the grown model is made whole, by the constructor of the source's class."""
        return makes_whole(self.models[0], len(self.models))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the plan."""
        source = self.models[0]
        lost = None if self.keeps_class else lost_class(source)
        return _Notes((*self.inexact, *self.remarks, *self.carried, *([lost] if lost else [])))

    def _parts(self) -> list[Any]:
        table, name = self.table, " + ".join(model.name for model in self.models)
        head = f"{self.verb} {name}: {'exact' if self.exact else 'approximate'}"
        notes = [f"note: {note}" for note in self.notes]
        return [head, table if len(table) else "nothing grows", *notes]

    def check_exact(self) -> None:
        """Refuses a plan that has to be exact and is not."""
        if self.preserve == "exact" and not self.exact:
            raise ValueError(
                f"Cannot {self.verb} {self.models[0].name!r} exactly: "
                f"{'; '.join(self.inexact)}. Pass preserve='approximate' to accept the gap, which "
                f"the report then carries{self.advice}."
            )

    def apply(
        self, sample: Any = None, verify: bool | str = "auto"
    ) -> tuple[keras.Model, "GrowthReport"]:
        """Makes the grown model; as `adaptive_nets.growth.apply`."""
        grown, report, pairs = self.apply_with_pairs(sample, verify)
        source, *rest = self.models
        if not self.keeps_class:
            carry_attributes(source, grown)
        if all(x is source for x in rest) and getattr(source, "compiled", False):
            compile_like(source, grown, lambda old: carry_optimizer(old, pairs, grown))
        return grown, report

    def apply_with_pairs(
        self, sample: Any = None, verify: bool | str = "auto"
    ) -> tuple[keras.Model, "GrowthReport", list[Carried]]:
        """As `apply`, but not compiled, and with the weights that carry old values."""
        verify = check_verify(verify)
        if sample is not None:
            check_inputs("sample", sample, self.models[0])
        started = time.perf_counter()
        check_finite(self.models)
        grown, pairs = self.grow()
        grown, left = loadable(grown, self.models[0])
        seconds = time.perf_counter() - started
        gap, verified = None, None
        if sample is not None:
            gap = relative_gap(self.models, grown, sample, self.mix)
            if self.exact and verify:
                check_gap(self.models, grown, sample, gap)
        elif not self.exact:
            gap = drawn_gap(self.models, grown, self.mix, self.seed)
        else:
            verified = verify_growth(self.models, grown, self.mix, verify, seconds, self.seed)
        report = GrowthReport(
            self.table.copy(),
            sum(model.count_params() for model in self.models),
            grown.count_params(),
            self.exact,
            gap,
            seconds,
            (*self.notes, *left),
            verified,
        )
        return grown, report, pairs


@dataclasses.dataclass(frozen=True)
class PlanRow:
    """One growing axis of one layer.

    Args:
        layer: The layer's path.
        kind: Its class.
        axis: Which of its axes, such as `"units"`.
        sources: The axis' size in each source.
        size: Its grown size.
        how: How the features come about.
    """

    layer: str
    kind: str
    axis: str
    sources: tuple[int, ...]
    size: int
    how: str


@dataclasses.dataclass
class GrowthPlan(Plan):
    """The plan of wider or fused models.

    Args:
        verb: "widen" or "fuse".
        trace: The traced sources.
        maps: The grown map of every segment.
        preserve: "exact" or "approximate".
        mix: The share of each source in the outputs.
        cross: Noise between sources.
        noise: Paired noise on copies.
        seed: For all that is drawn.
        remarks: What a person should know.
        gradient: The factor on each source's gradients behind the outputs' mixing.
        advice: What else than `preserve="approximate"` would help where it is not exact.
    """

    verb: str
    trace: Trace
    maps: dict[Segment, AxisMap]
    preserve: str = "exact"
    mix: tuple[float, ...] = (1.0,)
    cross: float | str = 0.0
    noise: float = 0.0
    seed: int = 0
    remarks: tuple[str, ...] = ()
    gradient: tuple[float, ...] = (1.0,)
    advice: str = ""

    def __post_init__(self) -> None:
        self.check_exact()

    @property
    def models(self) -> tuple[keras.Model, ...]:
        return self.trace.models

    @property
    def keeps_class(self) -> bool:
        return self.trace.makes_whole(self.models[0])

    @property
    def inexact(self) -> list[str]:
        """Why the function is not preserved, layer by layer."""
        found = [f"{r.path!r} {r.inexact}" for r in self.trace.records.values() if r.inexact]
        if self.cross:
            found.append(f"cross={self.cross!r} lets the sources read each other")
        return found

    @property
    def carried(self) -> list[str]:
        records = self.trace.records.values()
        notes = [r.rule.note(r, self.maps, self.trace) for r in records]
        return [*carried_notes(self.trace), *filter(None, notes)]

    @property
    def parameters(self) -> int:
        """Parameters that the grown model will have; nothing is built to count them."""
        found = 0
        copied = {}
        for record in self.trace.records.values():
            for source, layer in enumerate(record.layers[: record.copies]):
                for each in getattr(layer, "weights", ()):
                    copied[source, id(each)] = math.prod(each.shape)
            for weight in record.weights.values() if not record.copies else ():
                shapes = [tuple(variable_of(x, weight.attribute).shape) for x in record.layers]
                found += math.prod(each.size for each in maps_of(weight, shapes, self.maps))
        return found + sum(copied.values())

    def rows(self) -> list[PlanRow]:
        """The axes that change."""
        found = []
        for record in self.trace.records.values():
            for role, axis in record.axes.items():
                grown = axis.map(self.maps)
                if not grown.is_identity and not grown.is_shared:
                    kind = type(record.layers[0]).__name__
                    how = self._how(grown)
                    found.append(PlanRow(record.path, kind, role, axis.sizes, grown.size, how))
        return found

    @property
    def table(self) -> "pd.DataFrame":
        """The rows as a DataFrame."""
        rows = [dataclasses.asdict(row) for row in self.rows()]
        return table_of([{**row, "sources": " + ".join(map(str, row["sources"]))} for row in rows])

    def grow(self) -> tuple[keras.Model, list[Carried]]:
        grown, rebuilder = self.build()
        return grown, carried_weights(rebuilder, self.gradient)

    def build(self) -> tuple[keras.Model, Rebuilder]:
        """The grown model, and what made its layers."""
        rebuilder = Rebuilder(self.trace, self.maps, self.mix)
        return build_grown(rebuilder, self.seed, self.cross, self.noise), rebuilder

    @staticmethod
    def _how(grown: AxisMap) -> str:
        words = []
        if len(grown.sizes) > 1:
            words.append("side by side")
        if grown.fresh.any():
            words.append(f"{int(grown.fresh.sum())} new, not read yet")
        if grown.silent.any():
            words.append(f"{int(grown.silent.sum())} new, zero")
        if len(grown.sizes) == 1 and (grown.copies(0) > 1).any():
            words.append(f"{int(grown.size - grown.sizes[0])} copies")
        return ", ".join(words)


def settle(
    trace: Trace, maps: dict[Segment, AxisMap], named: set[Segment], remarks: list[str]
) -> None:
    """Takes back growth that a layer over several segments does not allow."""
    changed = True
    while changed:
        changed = False
        for constraint in trace.constraints:
            reason = constraint.broken(maps)
            if reason is None:
                continue
            segments = constraint.segments()
            if named & set(segments):
                raise ValueError(f"Cannot grow {', '.join(segments[0].owners)}: {reason}.")
            for segment in segments:
                if not maps[segment].is_identity:
                    maps[segment] = AxisMap.identity(segment.sizes[0])
                    changed = True
                    remarks.append(f"{', '.join(segment.owners)} stays: {reason}")
