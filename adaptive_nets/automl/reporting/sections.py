"""What a report of a fitted estimator says, section by section."""

import dataclasses
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from adaptive_nets.automl.fitted import Fitted
from adaptive_nets.automl.judging.coverage import coverage_table
from adaptive_nets.automl.judging.scoring import Metric
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.reporting.record import Record
from adaptive_nets.automl.reporting.verdict import measured_with_interval, verdict
from adaptive_nets.automl.streaming.some import some_rows
from adaptive_nets.automl.targets import Classes
from adaptive_nets.data.columns.tables import describe_table
from adaptive_nets.report.content.classes import classes_section
from adaptive_nets.report.content.document import (
    Block,
    Chart,
    Code,
    Report,
    Section,
    Table,
    Text,
    rounded,
)
from adaptive_nets.report.content.environment import settings_section
from adaptive_nets.report.content.numbers import numbers_section
from adaptive_nets.report.content.searches import search_sections

# Rows, draws and values for importances and partial dependence.
_ROWS, _REPEATS, _POINTS = 1000, 3, 12
# Columns whose partial dependence is shown, and those among the drifted ones that are named.
_TOP, _NAMED = 4, 5


@dataclasses.dataclass(frozen=True)
class Told:
    """What a report is made of.

    Args:
        fitted: The model.
        record: What the fit has kept.
        metric: What models are compared by.
        settings: The estimator's arguments.
        tested: Metrics of the rows that were passed, or none.
        where: Which rows these are, or `None`.
        outputs: What is predicted for these rows, or `None`.
    """

    fitted: Fitted
    record: Record
    metric: Metric
    settings: dict[str, Any]
    tested: dict[str, float]
    where: str | None
    outputs: np.ndarray | None

    @property
    def classes(self) -> np.ndarray | None:
        """The classes, or `None` if the target is a number."""
        target = self.fitted.target
        return target.labels if isinstance(target, Classes) else None


def estimator_report(told: Told, model: Any, rows: Labelled | None, seconds: float) -> Report:
    """Returns the report of a fitted estimator.

    Args:
        told: What is known.
        model: The estimator.
        rows: Labelled rows for curves and importances, or `None` if there are none.
        seconds: Time for importances and partial dependence.
    """
    fitted, record = told.fitted, told.record
    found, held = None, 0
    if record.held is not None:
        found = measured_with_interval(record.held, told.metric, fitted.target)
        held = int(record.facts["held_rows"])
    note = str(fitted.board["note"].iloc[-1])
    sentence = verdict(found, told.metric, note, held, told.tested)
    sections = [*_measured(told, found), _data(told), _leaderboard(fitted)]
    sections += _predictions(told, rows)
    if rows is not None:
        sections += _why(told, model, rows, seconds)
    search = getattr(model, "search_", None)
    if search is not None:
        sections += search_sections(search)
    sections += _times(record)
    sections.append(settings_section(_settings(told), record.facts.get("versions")))
    sections.append(Section("use", "How to use it", (Code(_use(model, told), "Load and serve"),)))
    return Report(f"{fitted.target.name}: {type(model).__name__}", sentence, tuple(sections))


def _measured(told, found) -> Iterator[Section]:
    blocks: list[Block] = []
    if found is not None:
        title = f"{told.metric.name.replace('_', ' ')} on held-out rows, with 95 % intervals"
        blocks.append(Table("metric", title, found))
    if told.tested:
        frame = pd.DataFrame(list(told.tested.items()), columns=["measure", "value"])
        blocks.append(Table("test", f"Measured on {told.where}", frame))
    if blocks:
        yield Section("quality", "How good it is", tuple(blocks))


def _data(told) -> Section:
    facts, schema = told.record.facts, told.fitted.schema
    columns = describe_table(schema.features, schema.ignored)
    blocks: list[Block] = []
    if "rows" in facts:
        blocks.append(
            Text(
                f"{facts['rows']:,} rows to train on, {facts['held_rows']:,} held out, "
                f"{facts['columns']} columns. Fingerprint of the rows: {facts['fingerprint']}."
            )
        )
        blocks += [Text(each, warning=True) for each in facts.get("warnings", ())]
        blocks += _copies(facts)
    blocks.append(Table("columns", "Columns, and what they were taken for", columns))
    if facts.get("target"):
        blocks.append(_distribution(told, facts["target"]))
    if facts.get("drift"):
        blocks += _drift(facts["drift"])
    return Section("data", "Data", tuple(blocks))


def _copies(facts) -> Iterator[Text]:
    if facts["copies"]:
        yield Text(
            f"{facts['copies']:,} of {facts['copies_of']:,} training rows equal an earlier one in "
            "all columns and the target."
        )


def _distribution(told, found) -> Chart:
    name = told.fitted.target.name
    if told.classes is not None:
        frame = pd.DataFrame(found, columns=["label", "value"])
        said = "; ".join(f"{label}: {count:,}" for label, count in found[:12])
        return Chart("target", f"Rows by {name}", f"{said}.", frame, "bars", "rows")
    frame = pd.DataFrame(found, columns=["series", "start", "end", "count"])
    if frame["series"].nunique() == 1:
        frame = frame.drop(columns="series")
    else:
        frame["series"] = [f"target {k + 1}" for k in frame["series"]]
    ends = f"{rounded(frame['start'].min())} to {rounded(frame['end'].max())}"
    return Chart("target", f"Distribution of {name}", f"Numbers from {ends}.", frame, "bins",
                 name, "rows")  # fmt: skip


def _drift(found) -> Iterator[Block]:
    frame = pd.DataFrame(found, columns=["column", "distance", "drifted"])
    drifted = frame.loc[frame["drifted"], "column"].tolist()
    if drifted:
        names = ", ".join(map(repr, drifted[:_NAMED])) + (", ..." if drifted[_NAMED:] else "")
        yield Text(
            f"Held-out rows differ from training rows in {names} by more than chance. New rows may "
            "differ as well.",
            warning=True,
        )
    yield Table("drift", "Distance of held-out rows from training rows by column, 0 to 1", frame)


def _leaderboard(fitted) -> Section:
    frame = pd.DataFrame(fitted.board)
    return Section(
        "leaderboard", "Leaderboard", (Table("leaderboard", "Baselines and models", frame),)
    )


def _predictions(told, rows) -> Iterator[Section]:
    """Yields how well each class, or the number, is predicted."""
    target, held = told.fitted.target, told.record.held
    if told.where is not None:
        y, outputs, weights, where = rows.y, told.outputs, rows.w, told.where
        if told.classes is not None:
            y, chosen = target.codes(y), told.fitted.choose(outputs)
        else:
            y = np.asarray(y, "float64")
    elif held is not None:
        y, outputs, weights, chosen = held.y, held.outputs, held.weights, held.chosen
        where = f"{len(y):,} rows held out of the training"
    else:
        return
    coverage, intervals = None, told.fitted.intervals
    if intervals is not None and np.ndim(y) == 1:
        coverage = coverage_table(intervals, y, outputs, weights, own=told.where is None)
    if told.classes is not None:
        found = classes_section(
            y, outputs, target.labels.tolist(), weights, where, chosen, told.fitted.decision
        )
        if coverage is not None:
            title = "How often sets of classes hold the true one, and how many classes they have"
            found = dataclasses.replace(
                found, blocks=(*found.blocks, Table("sets", title, coverage))
            )
        yield found
        return
    points = np.asarray(target.point(np.asarray(outputs)), "float64").reshape(np.shape(y))
    yield numbers_section(y, points, where, coverage)


def _why(told, model, rows, seconds) -> Iterator[Section]:
    """Yields which columns count, and how predictions follow the first of them."""
    began = time.monotonic()
    rows = some_rows(rows, _ROWS)
    # Each column takes a call: what there is no time for is said below, not warned of.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The time limit of")
        found = model.importances(
            rows.x, rows.y, rows.w, repeats=_REPEATS, time_limit=0.7 * seconds
        )
    measured = found.dropna(subset=["importance"])
    title = f"What shuffling a column costs: {told.metric.name.replace('_', ' ')}"
    said = "; ".join(
        f"{n}: {rounded(v, 3)}" for n, v in measured[["feature", "importance"]].values[:10]
    )
    bars = measured.rename(columns={"feature": "label", "importance": "value"})
    blocks: list[Block] = [
        Text(
            f"On {len(rows.x):,} rows, with 95 % intervals. A column may count for little because "
            "another says the same."
        ),
        Chart("importances", title, f"{said}.", bars, "bars", "importance"),
    ]
    left = len(told.fitted.schema.names) - len(measured)
    if left > 0:
        blocks.append(Text(f"There was no time for {left} columns: pass a longer time_limit."))
    kinds = {f.name: f.kind for f in told.fitted.schema.features}
    shown = [name for name in measured["feature"] if name in kinds][:_TOP]
    for place, name in enumerate(shown):
        if time.monotonic() - began > seconds:
            break
        last = None if told.classes is None else told.classes[-1]
        frame = model.partial_dependence(rows.x, name, points=_POINTS, rows=150, target=last)
        if "target" in frame:
            frame = frame[frame["target"] == frame["target"].iloc[0]]
        if len(frame) > 1:
            what = "mean prediction" if last is None else f"mean probability of {last}"
            blocks.append(_dependence(place, name, frame, kinds[name] == "number", what))
    yield Section("importances", "Which columns count", tuple(blocks))


def _dependence(place, name, frame, numeric, said) -> Chart:
    low, high = rounded(frame["mean"].min()), rounded(frame["mean"].max())
    alt = f"The {said} goes from {low} to {high} as {name} changes and all else stays."
    title = f"{said[0].upper()}{said[1:]} by {name}"
    present = frame[frame["value"].notna()]
    if numeric:
        line = present.rename(columns={"value": "x", "mean": "y"})[["x", "y"]]
        line = line.astype("float64")
        return Chart(f"dependence_{place + 1}", title, alt, line, "lines", name, said)
    bars = pd.DataFrame({"label": present["value"].map(str), "value": present["mean"]})
    return Chart(f"dependence_{place + 1}", title, alt, bars, "bars", said)


def _times(record) -> Iterator[Section]:
    phases = record.facts.get("phases")
    if phases:
        frame = pd.DataFrame({"label": list(phases), "value": list(phases.values())})
        told = f"{frame['value'].sum():.1f} seconds in all"
        chart = Chart("phases", f"Seconds by phase: {told}", f"{told}.", frame, "bars", "seconds")
        yield Section("times", "Where the time went", (chart,))


def _settings(told):
    facts = told.record.facts
    settings = {**told.settings, "metric": told.metric.name, "stopped by": told.fitted.stop_reason}
    if "seed" in facts:
        settings["seed"] = facts["seed"]
        settings["began"] = facts["began"]
    return settings


def _use(model, told):
    kind = "predict_proba" if told.classes is not None else "predict"
    folder = getattr(model, "model_dir", None)
    save = "" if folder else "model.save('model')\n"
    return (
        f"import adaptive_nets as an\n\n{save}model = an.automl.load({str(folder or 'model')!r})\n"
        f"model.{kind}(table)\n"
        "model.export('export/1')  # a SavedModel of the raw columns, for TF Serving\n"
    )
