"""What growth has done to a model, as a report."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from adaptive_nets.growth.core.compare import GrowthReport
from adaptive_nets.report.content.document import (
    Block,
    Chart,
    Report,
    Section,
    Table,
    Text,
    rounded,
)
from adaptive_nets.report.content.environment import settings_section


def growth_report(
    grown: Sequence[GrowthReport], history: Mapping[str, Sequence[float]] | None = None
) -> Report:
    """Returns the report of a growth, or of several in a row.

    Args:
        grown: The `GrowthReport`s, first to last.
        history: Losses and metrics by name, one per epoch: `history` of what `fit` returned.
            Defaults to `None`.
    """
    sections = [_sizes(grown), _layers(grown)]
    curves = _curves(history or {})
    if curves:
        sections.append(Section("learning", "Learning curves", tuple(curves)))
    gaps = [report.gap for report in grown if report.gap is not None]
    told = {
        "growths": len(grown),
        "exact": sum(report.exact for report in grown),
        "seconds": f"{sum(report.seconds for report in grown):.2f}",
        "largest relative gap": f"{max(gaps):.2g}" if gaps else "not measured",
    }
    sections.append(settings_section({k: str(v) for k, v in told.items()}, None))
    return Report("Growth of a model", _verdict(grown, gaps), tuple(sections))


def _verdict(grown, gaps):
    first, last = grown[0], grown[-1]
    times = "once" if len(grown) == 1 else f"{len(grown)} times"
    exact = all(report.exact for report in grown)
    words = (
        f"The model grew {times}, from {first.parameters_before:,} to {last.parameters:,} "
        f"parameters. "
    )
    words += (
        "Each growth is exact: the outputs stayed the same up to rounding"
        if exact
        else f"{sum(not report.exact for report in grown)} of the growths changed the outputs"
    )
    return words + (f", with a largest relative gap of {max(gaps):.2g}." if gaps else ".")


def _sizes(grown):
    rows = [
        (
            number, report.parameters_before, report.parameters, report.exact,
            np.nan if report.gap is None else report.gap, report.seconds,
            "not said" if report.verified is None else str(report.verified),
        )
        for number, report in enumerate(grown, start=1)
    ]  # fmt: skip
    columns = ["growth", "before", "after", "exact", "relative_gap", "seconds", "verified"]
    frame = pd.DataFrame(rows, columns=columns)
    labels = ["at first", *(f"growth {number}" for number in frame["growth"])]
    sizes = [grown[0].parameters_before, *frame["after"]]
    bars = pd.DataFrame({"label": labels, "value": sizes})
    said = ", ".join(f"{label} {size:,}" for label, size in zip(labels, sizes, strict=True))
    notes = [Text(note) for report in grown for note in report.notes]
    return Section(
        "growths",
        "Growths",
        (
            Chart("parameters", "Parameters", f"Parameters: {said}.", bars, "bars", "parameters"),
            Table("growths", "Growths", frame),
            *notes,
        ),
    )


def _layers(grown):
    tables = [
        pd.DataFrame(report.table.astype(object)).assign(growth=number)
        for number, report in enumerate(grown, start=1)
        if len(report.table)
    ]
    if not tables:
        return Section("layers", "Layers", (Text("No layer grew."),))
    frame = pd.concat(tables, ignore_index=True)
    order = ["growth", *(name for name in frame.columns if name != "growth")]
    return Section("layers", "Layers", (Table("layers", "What grew", frame[order]),))


def _curves(history) -> list[Block]:
    blocks: list[Block] = []
    for name, values in history.items():
        if name.startswith("val_"):
            continue
        parts = [("training", values), ("validation", history.get(f"val_{name}", ()))]
        frame = pd.concat(
            [
                pd.DataFrame({"x": range(1, len(each) + 1), "y": list(each), "series": label})
                for label, each in parts
            ]
        )
        frame = frame[np.isfinite(frame["y"].astype("float64"))]
        alt = (
            f"{name} over {len(values)} epochs; at last {rounded(values[-1])}."
            if len(values)
            else ""
        )
        blocks.append(Chart(f"history_{len(blocks)}", name, alt, frame, "lines", "epoch", name))
    return blocks
