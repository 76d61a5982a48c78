"""Plots mixture weights: bars, or a heat map with one weight per member and logit."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaptive_nets.report.figure import COLORS, check_path, save, style
from adaptive_nets.report.frames import frame_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


COLUMNS = ("subnetwork", "unit", "weight", "norm")


def plot_mixture_weights(source: Any, path: str | os.PathLike) -> Path:
    """Plots the mixture weights of an ensemble's members into a file.

    Scalar weights are shown as bars. Vectors (one weight per logit) and matrices (the L1 norm per
    logit) are shown as a heat map, with `||w_j||_1` of each member next to it.

    Args:
        source: A search, or the DataFrame returned by its `mixture_weights()`.
        path: File to write: `.png`, `.pdf` or `.svg`.

    Returns:
        The path.

    Raises:
        ImportError: Matplotlib is not installed.
        ValueError: There are no weights, or the suffix is not supported.

    Example:

    ```python
    import pandas as pd
    import adaptive_nets as an

    weights = pd.DataFrame(
        {"subnetwork": ["1_linear", "2_deep"], "unit": -1, "weight": [0.7, 0.2], "norm": [0.7, 0.2]}
    )
    an.report.plot_mixture_weights(weights, "weights.png")
    ```
    """
    path = check_path(path)
    return save(draw_mixture_weights(frame_of(source, "member_weights", COLUMNS)), path)


def draw_mixture_weights(frame: "pd.DataFrame") -> "Figure":
    """Draws the figure of `plot_mixture_weights` from its DataFrame."""
    with style():
        from matplotlib.figure import Figure

        members = frame["subnetwork"].unique()
        table = frame.pivot(index="subnetwork", columns="unit", values="weight").loc[members]
        scalar = list(table.columns) == [-1]
        height = max(1.6, 0.3 * len(members) + (0.8 if scalar else 1.4))
        figure = Figure((6.0 if scalar else 9.0, height), layout="constrained")
        if scalar:
            axes = figure.subplots()
            _draw_bars(axes, table[-1], "Mixture weight $w_j$")
        else:
            left, axes = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
            _draw_heat_map(left, table)
            norms = frame.drop_duplicates("subnetwork").set_index("subnetwork")["norm"]
            _draw_bars(axes, norms, r"$\Vert w_j \Vert_1$")
            axes.tick_params(labelleft=False)
        # From the top, in the order in which members were added.
        axes.set_ylim(len(members) - 0.4, -0.6)
        figure.axes[0].set_yticks(range(len(members)), members, parse_math=False)
    return figure


def _draw_bars(axes: "Axes", values, label):
    bars = axes.barh(range(len(values)), values, height=0.65, color=COLORS[0])
    axes.bar_label(bars, fmt="%.3g", padding=3, fontsize=8)
    axes.axvline(0, color="0.3", linewidth=0.8)
    axes.grid(True, axis="x")
    # Space for the numbers at the ends of the bars.
    axes.margins(x=0.2)
    axes.locator_params(axis="x", nbins=6)
    axes.set_xlabel(label)


def _draw_heat_map(axes: "Axes", table):
    signed = table.min(axis=None) < 0
    largest = abs(table).max(axis=None) or 1.0
    image = axes.imshow(
        table,
        aspect="auto",
        interpolation="nearest",
        cmap="PuOr" if signed else "cividis",
        vmin=-largest if signed else 0,
        vmax=largest,
    )
    apart = -(-table.shape[1] // 15)
    axes.set_xticks(range(0, table.shape[1], apart), table.columns[::apart])
    axes.set_xlabel("Logit")
    axes.spines[:].set_visible(False)
    # The same thickness for thirty members as for one.
    height = axes.figure.get_figheight()
    bar = axes.figure.colorbar(
        image, ax=axes, location="top", label="Weight", aspect=40, fraction=0.2 / height,
        pad=0.05 / height,
    )  # fmt: skip
    bar.outline.set_visible(False)
