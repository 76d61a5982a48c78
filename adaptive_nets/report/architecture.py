"""Plots the architecture: subnetworks left to right, their connections, the ensemble below."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaptive_nets.report.figure import COLORS, check_path, save, style
from adaptive_nets.report.frames import frame_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


COLUMNS = ("subnetwork", "round", "depth", "complexity", "parameters", "reads", "member")
WEIGHT_COLUMNS = ("subnetwork", "norm")

# In units of a box's height and of the distance of boxes. Boxes start at 0, the ensemble is below.
HALF_WIDTH = 0.42
ENSEMBLE = (-1.0, -0.62)
# With more boxes than this, boxes are narrow and their text is rotated.
WIDE_BOXES = 10


def plot_architecture(
    source: Any,
    path: str | os.PathLike,
    mixture_weights: "pd.DataFrame | None" = None,
) -> Path:
    """Plots the subnetworks of an ensemble and their connections into a file.

    Each box is a subnetwork, with its depth, parameters and complexity r. Rounds go from left to
    right. Arcs lead from a frozen subnetwork to those that read its hidden layers. Arrows lead
    down from the members to the ensemble, labeled with `||w_j||_1`, which also sets their width.

    Args:
        source: A search, or the DataFrame returned by its `architecture()`.
        path: File to write: `.png`, `.pdf` or `.svg`.
        mixture_weights: DataFrame returned by `mixture_weights()`. Defaults to `None`: that of
            the search, or no weights if `source` is a DataFrame.

    Returns:
        The path.

    Raises:
        ImportError: Matplotlib is not installed.
        ValueError: There are no subnetworks, one reads an unknown subnetwork, or the suffix is
            not supported.

    Example:

    ```python
    import pandas as pd
    import adaptive_nets as an

    tree = pd.DataFrame(
        {
            "subnetwork": ["1_shallow", "2_deep"],
            "round": [1, 2],
            "depth": [1, 2],
            "complexity": [1.0, 1.41],
            "parameters": [330, 5130],
            "reads": [[], ["1_shallow"]],
            "member": True,
        }
    )
    an.report.plot_architecture(tree, "architecture.svg")
    ```
    """
    path = check_path(path)
    frame = frame_of(source, "architecture", COLUMNS)
    if mixture_weights is None and frame is not source:
        mixture_weights = source.member_weights()
    if mixture_weights is not None:
        mixture_weights = frame_of(mixture_weights, "member_weights", WEIGHT_COLUMNS)
    return save(draw_architecture(frame, mixture_weights), path)


def draw_architecture(
    frame: "pd.DataFrame", mixture_weights: "pd.DataFrame | None" = None
) -> "Figure":
    """Draws the figure of `plot_architecture` from its DataFrames."""
    frame = frame.sort_values("round", kind="stable")
    places = {name: place for place, name in enumerate(frame["subnetwork"])}
    connections = _connections(frame, places)
    norms = {}
    if mixture_weights is not None:
        norms = dict(zip(mixture_weights["subnetwork"], mixture_weights["norm"], strict=True))
    with style():
        from matplotlib.figure import Figure

        turned = len(places) > WIDE_BOXES
        cell, unit, size = (0.56, 1.35, 7) if turned else (1.7, 1.05, 9)
        top = 1.35 + max((_rise(end - start) for start, end in connections), default=0.0)
        figure = Figure((cell * len(places) + 0.3, unit * (top + 1.2)), layout="constrained")
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set_xlim(-0.55, len(places) - 0.45)
        axes.set_ylim(ENSEMBLE[0] - 0.1, top + 0.1)
        _draw_rounds(axes, frame["round"].tolist(), top, size)
        for start, end in connections:
            # With many connections, lines overlap.
            _draw_connection(axes, start, end, alpha=max(0.15, 0.8 - len(connections) / 100))
        for place, row in enumerate(frame.to_dict("records")):
            _draw_subnetwork(axes, place, row, size, turned)
        _draw_ensemble(axes, frame, norms, size, turned)
    return figure


def _connections(frame, places):
    found = []
    for row in frame.to_dict("records"):
        for name in row["reads"]:
            if name not in places:
                raise ValueError(
                    f"Subnetwork '{row['subnetwork']}' reads '{name}', which has no row. "
                    f"Received: rows for {', '.join(map(str, places))}."
                )
            found.append((places[name], places[row["subnetwork"]]))
    return found


def _rise(distance):
    """Returns how high the arc of a connection rises above the boxes."""
    return 0.3 + 0.3 * abs(distance) ** 0.6


def _draw_rounds(axes: "Axes", rounds, top, size):
    for k, number in enumerate(dict.fromkeys(rounds)):
        first = rounds.index(number)
        last = first + rounds.count(number) - 1
        if k % 2 == 0:
            axes.axvspan(first - 0.5, last + 0.5, color="0.955", linewidth=0, zorder=0)
        axes.text((first + last) / 2, top, f"Round {number}", ha="center", va="center",
                  fontsize=size, color="0.35")  # fmt: skip


def _draw_connection(axes: "Axes", start, end, alpha):
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    left, right, height = start + 0.16, end - 0.16, 1 + _rise(end - start) * 4 / 3
    curve = Curve(
        [(left, 1), (left, height), (right, height), (right, 1)],
        [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4],
    )
    axes.add_patch(
        FancyArrowPatch(
            path=curve, arrowstyle="-|>", mutation_scale=9, color=COLORS[1], alpha=alpha
        )
    )


def _draw_subnetwork(axes: "Axes", place, row, size, turned):
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch(
            (place - HALF_WIDTH, 0),
            2 * HALF_WIDTH,
            1,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor="#DCEBF5" if row["member"] else "white",
            edgecolor=COLORS[0],
            linestyle="-" if row["member"] else "--",
        )
    )
    name = str(row["subnetwork"]).removeprefix(f"{row['round']}_")
    read = "" if row["member"] else "(read only)"
    facts = [f"depth {row['depth']}", f"{row['parameters']:,} parameters"]
    measure = f"r = {row['complexity']:.3g}"
    bold = {"fontsize": size, "fontweight": "bold", "parse_math": False}
    plain = {"fontsize": size - 1, "color": "0.2"}
    if turned:
        text = f"{facts[0]}, {measure}\n{facts[1]}" + (read and f"\n{read}")
        axes.text(place - 0.3, 0.5, _shortened(name, 18), rotation=90, ha="center", va="center",
                  **bold)  # fmt: skip
        axes.text(place + 0.1, 0.5, text, rotation=90, ha="center", va="center", **plain)
    else:
        text = "\n".join([*facts, measure, *([read] if read else [])])
        axes.text(place, 0.93, _in_two_lines(name, 16), ha="center", va="top", **bold)
        axes.text(place, 0.07, text, ha="center", va="bottom", **plain)


def _draw_ensemble(axes: "Axes", frame, norms, size, turned):
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    low, high = ENSEMBLE
    members = frame["member"].tolist()
    left, right = -HALF_WIDTH, len(members) - 1 + HALF_WIDTH
    axes.add_patch(
        FancyBboxPatch(
            (left, low), right - left, high - low, boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=COLORS[0], edgecolor="none",
        )
    )  # fmt: skip
    title = "Ensemble" if all(members) else f"Ensemble: {sum(members)} of {len(members)}"
    axes.text((left + right) / 2, (low + high) / 2, title, ha="center", va="center",
              color="white", fontsize=size + 1)  # fmt: skip
    largest = max(norms.values(), default=0.0) or 1.0
    for place, (name, member) in enumerate(zip(frame["subnetwork"], members, strict=True)):
        if not member:
            continue
        norm = norms.get(name)
        width = 1.2 if norm is None else 0.6 + 3 * norm / largest
        axes.add_patch(
            FancyArrowPatch(
                (place, 0), (place, high), arrowstyle="-|>", mutation_scale=8 + 2 * width,
                linewidth=width, color=COLORS[0], shrinkA=0, shrinkB=0,
            )
        )  # fmt: skip
        if norm is not None:
            label = f"{norm:.3g}" if turned else f"‖w‖₁ = {norm:.3g}"
            axes.text(place + 0.07, high / 2, label, va="center", fontsize=size - 1)


def _in_two_lines(name, width):
    if len(name) <= width:
        return name
    cut = name.rfind("_", 0, width) + 1 or width
    return name[:cut] + "\n" + _shortened(name[cut:], width)


def _shortened(name, width):
    return name if len(name) <= width else name[: width - 1] + "…"
