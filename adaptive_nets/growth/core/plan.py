"""What will grow, from what to what, by which rule: printed before anything is changed."""

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets.graphs.read import functional
from adaptive_nets.growth.core.axis_map import AxisMap
from adaptive_nets.growth.core.grown_values import maps_of
from adaptive_nets.growth.core.segments import Segment
from adaptive_nets.growth.core.trace import Trace
from adaptive_nets.growth.core.weight_roles import variable_of
from adaptive_nets.keras_internals import input_structure

if TYPE_CHECKING:
    import pandas as pd


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


def _table(rows: Sequence[PlanRow]) -> "pd.DataFrame":
    import pandas as pd

    frame = pd.DataFrame([dataclasses.asdict(row) for row in rows])
    if len(frame):
        frame["sources"] = [" + ".join(map(str, sizes)) for sizes in frame["sources"]]
    return frame


@dataclasses.dataclass
class GrowthPlan:
    """A growth that has not happened yet; `str(plan)` is a table.

    Args:
        verb: "widen", "deepen" or "fuse".
        trace: The traced sources.
        maps: The grown map of every segment.
        preserve: "exact" or "approximate".
        mix: The share of each source in the outputs.
        cross: Noise between sources.
        noise: Paired noise on copies.
        seed: For all that is drawn.
        remarks: What a person should know.
        gradient: The factor on each source's gradients behind the outputs' mixing.
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

    def __post_init__(self) -> None:
        if self.preserve == "exact" and self.inexact:
            raise ValueError(
                f"Cannot {self.verb} {self.trace.models[0].name!r} exactly: "
                f"{'; '.join(self.inexact)}. Pass preserve='approximate' to accept the gap, which "
                "the report then carries."
            )

    @property
    def inexact(self) -> list[str]:
        """Why the function is not preserved, layer by layer."""
        found = [f"{r.path!r} {r.inexact}" for r in self.trace.records.values() if r.inexact]
        if self.cross:
            found.append(f"cross={self.cross!r} lets the sources read each other")
        return found

    @property
    def exact(self) -> bool:
        """Whether the function is preserved to rounding."""
        return not self.inexact

    @property
    def parameters(self) -> int:
        """Parameters that the grown model will have; nothing is built to count them."""
        found = 0
        for record in self.trace.records.values():
            for weight in record.weights.values():
                shapes = [tuple(variable_of(x, weight.attribute).shape) for x in record.layers]
                if record.grouped is None:
                    found += math.prod(each.size for each in maps_of(weight, shapes, self.maps))
                else:
                    found += sum(math.prod(shape) for shape in shapes)
        return found

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

    def table(self) -> "pd.DataFrame":
        """The rows as a DataFrame."""
        return _table(self.rows())

    def notes(self) -> tuple[str, ...]:
        """What a person should know of the plan."""
        return (*self.inexact, *self.remarks)

    def __str__(self) -> str:
        rows = self.rows()
        name = " + ".join(model.name for model in self.trace.models)
        head = f"{self.verb} {name}: {'exact' if self.exact else 'approximate'}"
        body = _table(rows).to_string(index=False) if rows else "nothing grows"
        return "\n".join([head, body, *(f"note: {note}" for note in self.notes())])

    def measure(self, grown: keras.Model, sample: Any = None) -> float:
        """The largest difference of outputs, relative to the outputs' scale."""
        sample = random_inputs(self.trace.models[0], self.seed) if sample is None else sample
        parts = [keras.tree.flatten(model(sample)) for model in self.trace.models]
        found = keras.tree.flatten(grown(sample))
        worst = 0.0
        for tensor, sources in zip(found, zip(*parts, strict=True), strict=True):
            arrays = [keras.ops.convert_to_numpy(x).astype("float64") for x in sources]
            got = keras.ops.convert_to_numpy(tensor).astype("float64")
            if any(x.shape != got.shape for x in arrays):
                expected = np.concatenate(arrays, axis=-1)
            else:
                expected = sum(m * x for m, x in zip(self.mix, arrays, strict=True))
            scale = max(float(np.abs(expected).max()), np.finfo("float32").tiny)
            worst = max(worst, float(np.abs(got - expected).max()) / scale)
        return worst

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


def random_inputs(model: keras.Model, seed: int = 0, rows: int = 8, length: int = 8) -> Any:
    """Inputs on which two models can be compared: normal values, or small integers."""
    rng = np.random.default_rng(seed)
    arrays = []
    # A model with embedded positions knows no later ones.
    length = min(length, getattr(model, "max_sequence_length", length))
    for tensor in model.inputs:
        shape = [rows, *(size or length for size in tensor.shape[1:])]
        if "float" in tensor.dtype:
            arrays.append(rng.normal(size=shape).astype(tensor.dtype))
        else:
            arrays.append(rng.integers(0, 2, shape).astype(tensor.dtype))
    return keras.tree.pack_sequence_as(input_structure(functional(model)), arrays)


@dataclasses.dataclass(frozen=True)
class GrowthReport:
    """What a growth did; `str(report)` is readable.

    Args:
        table: The plan's rows.
        parameters_before: Parameters of all sources.
        parameters: Parameters of the grown model.
        exact: Whether the function is preserved to rounding.
        gap: The largest relative difference of outputs where it was measured, or None.
        seconds: How long it took.
        notes: What a person should know.
    """

    table: "pd.DataFrame"
    parameters_before: int
    parameters: int
    exact: bool
    gap: float | None
    seconds: float
    notes: tuple[str, ...]

    def __str__(self) -> str:
        gap = "" if self.gap is None else f", largest relative gap {self.gap:.2g}"
        kind = "exact" if self.exact else "approximate"
        head = (
            f"{self.parameters_before:,} -> {self.parameters:,} parameters, {kind}{gap}, "
            f"{self.seconds:.2f} s"
        )
        body = self.table.to_string(index=False) if len(self.table) else "nothing grew"
        return "\n".join([head, body, *(f"note: {note}" for note in self.notes)])
