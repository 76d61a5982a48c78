"""What a search has found, as sections: candidates, curves, the ensemble, rounds."""

from typing import Any

import numpy as np
import pandas as pd

from adaptive_nets import heads
from adaptive_nets._checks import show
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
from adaptive_nets.report.frames import frame_of

CURVES = ("round", "candidate", "step", "loss")
TREE = ("subnetwork", "round", "depth", "complexity", "parameters", "reads", "member")
WEIGHTS = ("subnetwork", "unit", "weight", "norm")

_MOST_POINTS, _MOST_WEIGHTS, _MOST_LINES = 1500, 400, 40

_STATUS = {
    "selected": "taken: it had the lowest objective of its round",
    "rejected": "left out: another one had a lower objective",
    "partial": "taken when time ran out before the end of the round",
    "unjudged": "left out: it had hardly trained when its round was stopped",
    "withdrawn": "taken, until a callback went back to an earlier ensemble",
}


def search_report(search: Any, x: Any = None, y: Any = None) -> Report:
    """Returns the report of a search.

    Args:
        search: An `AdaNet` that was fitted.
        x: Features of rows to measure it on, or `None`.
        y: Their labels, or `None`.
    """
    board = frame_of(search, "leaderboard", ("round", "candidate", "status", "objective"))
    sections = [_candidates(board)]
    measured = {}
    if x is not None:
        measured = search.evaluate(x, y)
        frame = pd.DataFrame(list(measured.items()), columns=["measure", "value"])
        told = "the rows that were passed to the report"
        test = Section("test", "On the rows passed", (Table("test", f"Measured on {told}", frame),))
        sections = [test, *sections, *_judged(search, x, y, told)]
    sections += search_sections(search)
    sections.append(settings_section(_settings(search), None))
    sections.append(Section("use", "How to use it", (Code(_use(search), "Load and serve it"),)))
    title = f"Search by AdaNet: {search.head.name}"
    return Report(title, _verdict(search, board, measured), tuple(sections))


def search_sections(search: Any) -> list[Section]:
    """Returns the sections on how a search went: curves, the ensemble, rounds.

    Args:
        search: An `AdaNet` that was fitted.
    """
    return [*_learning(search), _ensemble(search), rounds_section(search.leaderboard())]


def _candidates(board):
    frame = pd.DataFrame(getattr(board, "metric_first", board))
    return Section(
        "leaderboard", "Candidates", (Table("leaderboard", "All candidate ensembles", frame),)
    )


def _verdict(search, board, measured):
    ensemble = search.ensemble
    count = len(ensemble.members)
    rounds = int(board["round"].max())
    members = "1 subnetwork" if count == 1 else f"{count} subnetworks"
    words = (
        f"After {rounds} round{'s' if rounds > 1 else ''} the ensemble has {members} and "
        f"{ensemble.parameters:,} parameters; its objective is {rounded(ensemble.objective, 5)}."
    )
    if measured:
        told = ", ".join(f"{name} {rounded(value, 5)}" for name, value in measured.items())
        words += f" On the rows passed: {told}."
    return f"{words} The search ended by {search.stop_reason}."


def _judged(search, x, y, told):
    """Returns the section on classes or numbers, for heads that have one target."""
    head = search.head
    if y is None or not isinstance(head, heads.BinaryClass | heads.MultiClass | heads.Regression):
        return []
    labels = np.asarray(head.encode(y))
    if isinstance(head, heads.Regression):
        return [numbers_section(labels, search.predict(x), told)]
    probabilities = search.predict(x, "probabilities")
    names = getattr(head, "class_names", None) or range(probabilities.shape[1])
    codes = labels.reshape(-1).astype("int64")
    return [classes_section(codes, probabilities, list(names), None, told)]


def _learning(search) -> list[Section]:
    curves = search.learning_curves()
    if curves.empty:
        return []
    name = curves["round"].map(str) + ": " + curves["candidate"].map(str)
    parts = [curves.assign(series="training", part=name + " t").rename(columns={"loss": "y"})]
    if "held_out_loss" in curves:
        held = curves.assign(series="held out", part=name + " h")
        parts.append(held.drop(columns="loss").rename(columns={"held_out_loss": "y"}))
    charts: list[Block] = [
        Text(
            "Losses while candidates were trained. Each line is one candidate of a round; where "
            "rows were held out, training stopped by them and the best weights were kept."
        )
    ]
    frame = pd.concat(parts).rename(columns={"step": "x"}).dropna(subset=["y"])
    frame = frame[np.isfinite(frame["y"])]
    for number, some in frame.groupby("round"):
        shown = some.iloc[:: -(-len(some) // _MOST_POINTS)]
        # The first windows would hide the rest.
        most = float(np.quantile(shown["y"], 0.98)) if len(shown) else 0.0
        shown = shown[shown["y"] <= most] if len(shown) > 50 else shown
        charts.append(
            Chart(
                f"learning_curves_{number}",
                f"Round {number}",
                f"Losses of {some['candidate'].nunique()} candidates over {some['x'].max():,} "
                "steps.",
                shown[["x", "y", "series", "candidate", "part"]],
                "lines",
                "step",
                "loss",
            )
        )
        if len(charts) > _MOST_LINES:
            break
    stops = _stops(search.leaderboard())
    if stops is not None:
        charts.append(stops)
    # All points, of which the charts show some.
    charts.append(Table("learning_curves", "All points", curves))
    return [Section("learning", "Learning curves", tuple(charts))]


def _stops(board):
    if "best_step" not in board or not (board["best_step"] > 0).any():
        return None
    found = board[board["best_step"] > 0]
    frame = pd.DataFrame(found[["round", "candidate", "best_step", "steps"]])
    return Table("early_stops", "Steps whose weights were kept", frame)


def _ensemble(search):
    tree = frame_of(search, "architecture", TREE)
    weights = frame_of(search, "member_weights", WEIGHTS)
    blocks: list[Block] = [_links(tree)]
    scalar = set(weights["unit"]) == {-1}
    title = "Weight of each subnetwork"
    if scalar:
        bars = pd.DataFrame({"label": weights["subnetwork"], "value": weights["weight"]})
        blocks.append(_weights(title, bars, "weight"))
    else:
        norms = weights.drop_duplicates("subnetwork")
        bars = pd.DataFrame({"label": norms["subnetwork"], "value": norms["norm"]})
        blocks.append(_weights(f"{title}: the L1 norm", bars, "L1 norm of the weights"))
        cells = weights.rename(columns={"subnetwork": "row", "unit": "column", "weight": "value"})[
            ["row", "column", "value"]
        ]
        if len(cells) <= _MOST_WEIGHTS:
            alt = f"Weights of {cells['row'].nunique()} subnetworks for each logit."
            shown = cells.assign(column=cells["column"].map(str))
            blocks.append(
                Chart("weights_by_logit", "Weights by logit", alt, shown, "cells", "logit",
                      "subnetwork")
            )  # fmt: skip
    flat = tree.assign(reads=tree["reads"].map(", ".join))
    blocks.append(Table("architecture", "Subnetworks of the ensemble", flat))
    blocks.append(Table("mixture_weights", "Mixture weights", weights))
    return Section("ensemble", "The ensemble", tuple(blocks))


def _weights(title, frame, x):
    alt = "; ".join(
        f"{label}: {rounded(value, 3)}" for label, value in frame.head(12).values.tolist()
    )
    return Chart("member_weights", title, f"{title}: {alt}.", frame, "bars", x)


def _links(tree):
    """Returns the subnetworks by round and depth, with lines from those they read."""
    places = {row["subnetwork"]: row for row in tree.to_dict("records")}
    rows = []
    for name, row in places.items():
        base = (name, float(row["round"]), float(row["depth"]))
        kind = "member" if row["member"] else "only read"
        read = [places[other] for other in row["reads"] if other in places]
        ends = [(float(other["round"]), float(other["depth"])) for other in read]
        rows += [(*base, kind, *end) for end in ends or [(np.nan, np.nan)]]
    frame = pd.DataFrame(rows, columns=["label", "x", "y", "series", "x2", "y2"])
    many = int(tree["reads"].map(len).sum())
    return Chart(
        "subnetworks",
        "Subnetworks by round, with lines to those that they read",
        f"{len(tree)} subnetworks; {many} connections between them.",
        frame,
        "links",
        "round",
        "depth",
    )


def rounds_section(board: pd.DataFrame) -> Section:
    """Returns what each round tried, and why it was taken or left out.

    Args:
        board: A search's leaderboard.
    """
    rows = []
    for entry in board.to_dict("records"):
        status = str(entry["status"])
        why = _STATUS.get(status, status)
        if entry["candidate"] == "previous":
            why = (
                "kept: no candidate of the round was better"
                if status == "selected"
                else "replaced by a better candidate"
            )
        told = (entry["objective"], entry["seconds"], entry["parameters"])
        rows.append((entry["round"], entry["candidate"], why, *told))
    columns = ["round", "candidate", "what_became_of_it", "objective", "seconds", "parameters"]
    frame = pd.DataFrame(rows, columns=columns)
    times = board.groupby("round", as_index=False)["seconds"].max()
    bars = pd.DataFrame(
        {"label": [f"round {k}" for k in times["round"]], "value": times["seconds"]}
    )
    total = float(times["seconds"].sum())
    return Section(
        "rounds",
        "What each round tried",
        (
            Table("rounds", "Candidates and what became of them", frame),
            Chart("round_seconds", "Training time by round", f"{total:.1f} seconds in all.",
                  bars, "bars", "seconds"),
        ),
    )  # fmt: skip


def _settings(search):
    settings = search.settings.as_arguments()
    settings["head"] = search.head.name
    settings["seed"] = search.seed
    return {name: _named(value) for name, value in settings.items()}


def _named(value):
    return value if isinstance(value, str | int | float | None) else show(value)


def _use(search):
    folder = search.model_dir
    load = (
        f"search = an.AdaNet.load({folder!r})"
        if folder
        else "# This search has no model_dir: it is lost with its process. Export the model."
    )
    return (
        f"import adaptive_nets as an\n\n{load}\nsearch.predict(x)\n"
        'search.export("export/1")  # a SavedModel for TF Serving\n'
    )
