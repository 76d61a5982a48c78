"""Plots learning curves: one panel per round, one line per candidate."""

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adaptive_nets.report.figure import COLORS, check_path, save, style
from adaptive_nets.report.frames import frame_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


COLUMNS = ("round", "candidate", "step", "loss")
DASHES = ("-", "--", ":", "-.")


def plot_learning_curves(source: Any, path: str | os.PathLike) -> Path:
    """Plots the training loss of every candidate of every round into a file.

    With early stopping, a thinner line is the loss on held-out rows.

    All panels share their axes, so that rounds can be compared. The loss is on a logarithmic scale
    if it spans more than a factor of ten. A name has the same color in all rounds.

    Args:
        source: A search, or the DataFrame returned by its `learning_curves()`.
        path: File to write: `.png`, `.pdf` or `.svg`.

    Returns:
        The path.

    Raises:
        ImportError: Matplotlib is not installed.
        ValueError: There are no curves, or the suffix is not supported.

    Example:

    ```python
    import pandas as pd
    import adaptive_nets as an

    curves = pd.DataFrame(
        {"round": 1, "candidate": "linear", "step": [10, 20, 30], "loss": [0.9, 0.5, 0.4]}
    )
    an.report.plot_learning_curves(curves, "curves.png")
    ```
    """
    path = check_path(path)
    return save(draw_learning_curves(frame_of(source, "learning_curves", COLUMNS)), path)


def draw_learning_curves(frame: "pd.DataFrame") -> "Figure":
    """Draws the figure of `plot_learning_curves` from its DataFrame."""
    with style():
        from matplotlib.figure import Figure

        rounds = sorted(frame["round"].unique())
        columns = len(rounds) if len(rounds) <= 3 else math.ceil(math.sqrt(len(rounds)))
        rows = math.ceil(len(rounds) / columns)
        panel = (3.2, 2.3) if len(rounds) <= 6 else (2.3, 1.7)
        width = max(5.0, panel[0] * columns + 0.5)
        figure = Figure((width, max(3.2, panel[1] * rows + 0.9)), layout="constrained")
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        panels = list(grid.flat)
        for unused in panels[len(rounds) :]:
            unused.remove()
        panels = panels[: len(rounds)]
        handles = {}
        for axes, number in zip(panels, rounds, strict=True):
            axes.set_title(f"Round {number}")
            axes.grid(True)
            _draw_round(axes, frame[frame["round"] == number], handles)
        # The lowest panel of a column is not always in the last row.
        for axes in panels[-columns:]:
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("Step of the round")
        losses = frame["loss"][np.isfinite(frame["loss"])]
        if losses.min() > 0 and losses.max() > 10 * losses.min():
            figure.axes[0].set_yscale("log")
        figure.supylabel("Mean training loss", fontsize=9)
        _add_legend(figure, handles, per_row=max(1, int(width / 1.7)))
    return figure


def _draw_round(axes: "Axes", frame, handles):
    for name, curve in frame.groupby("candidate", sort=False):
        held_out = curve.get("held_out_loss")
        # Rows of measurements on held-out rows need not have a training loss.
        points = curve if held_out is None else curve.dropna(subset="loss")
        place = list(handles).index(name) if name in handles else len(handles)
        (handles[name],) = axes.plot(
            points["step"],
            points["loss"],
            color=COLORS[place % len(COLORS)],
            linestyle=DASHES[place // len(COLORS) % len(DASHES)],
            # A line of a single point is invisible.
            marker="." if len(points) < 30 else None,
            linewidth=1.2,
        )
        if held_out is not None:
            axes.plot(curve["step"][held_out.notna()], held_out.dropna(),
                      color=COLORS[place % len(COLORS)], linewidth=0.5)  # fmt: skip


def _add_legend(figure: "Figure", handles, per_row):
    legend = figure.legend(
        handles.values(),
        map(str, range(len(handles))),
        loc="outside lower center",
        ncols=min(per_row, len(handles)),
        frameon=False,
    )
    # Set verbatim: a legend omits names with a leading "_" and parses "$" as mathematics.
    for text, name in zip(legend.get_texts(), handles, strict=True):
        text.set_parse_math(False)
        text.set_text(name)
