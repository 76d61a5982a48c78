"""Plots a machine's filters, its energies of data and samples, and its units over time."""

import math
import os
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets._checks import check_instance, check_integer, check_list, show
from adaptive_nets.energy import RBM
from adaptive_nets.energy.checks import check_built, check_visible
from adaptive_nets.report.figure import COLORS, check_path, save, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_filters(
    machine: Any, path: str | os.PathLike, shape: tuple[int, int] | None = None, most: int = 100
) -> Path:
    """Plots the weights of hidden units, in order, as images into a file.

    Args:
        machine: A trained `energy.RBM` or an instance of a subclass.
        path: File to write: `.png`, `.pdf` or `.svg`.
        shape: Height and width of the images that it was trained on. Defaults to `None`: a square.
        most: Maximum number of units. Defaults to `100`.

    Returns:
        The path.

    Raises:
        ImportError: Matplotlib is not installed.
        ValueError: The shape does not match the visible units, or the suffix is not supported.
    """
    path = check_path(path)
    check_instance("machine", machine, RBM, "an energy.RBM")
    check_built(machine)
    most = check_integer("most", most, 1)
    if shape is not None:
        pixels = check_list("shape", shape, Integral, "(height, width) of the images")
        if len(pixels) != 2 or min(pixels) < 1:
            raise ValueError(
                f"shape must be (height, width) of the images. Received: shape={show(shape)}."
            )
    return save(draw_filters(machine.kernel, shape, most), path)


def draw_filters(
    kernel: np.ndarray, shape: tuple[int, int] | None = None, most: int = 100
) -> "Figure":
    """Draws the figure of `plot_filters` from a kernel `(units, visible)`."""
    size = kernel.shape[1]
    shape = shape or (math.isqrt(size),) * 2
    if math.prod(shape) != size:
        raise ValueError(
            f"shape must have as many pixels as there are visible units, {size}. "
            f"Received: shape={tuple(shape)}."
        )
    kernel = kernel[:most]
    columns = math.ceil(math.sqrt(len(kernel)))
    rows = math.ceil(len(kernel) / columns)
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 6 * rows / columns), layout="constrained")
        for number, weights in enumerate(kernel, start=1):
            axes = figure.add_subplot(rows, columns, number)
            # Each on its own scale, as later units have smaller weights. Zero is white.
            limit = float(np.abs(weights).max()) or 1.0
            axes.imshow(weights.reshape(shape), cmap="RdBu_r", vmin=-limit, vmax=limit)
            axes.set_axis_off()
        return figure


def plot_energies(machine: Any, x: Any, path: str | os.PathLike, samples: int = 1000) -> Path:
    """Plots histograms of the free energies of rows and of a machine's samples into a file.

    If the machine models the rows well, the two histograms overlap.

    Args:
        machine: A trained `energy.RBM` or an instance of a subclass.
        x: `(rows, visible)`, preferably rows that it was not trained on.
        path: File to write: `.png`, `.pdf` or `.svg`.
        samples: Number of samples. Defaults to `1000`.

    Returns:
        The path.
    """
    path = check_path(path)
    check_instance("machine", machine, RBM, "an energy.RBM")
    check_built(machine)
    check_visible(x, machine)
    drawn = machine.sample(check_integer("samples", samples, 1), seed=0)
    energies = (np.asarray(machine.free_energy(each)) for each in (x, drawn))
    return save(draw_energies(*energies), path)


def draw_energies(data: np.ndarray, samples: np.ndarray) -> "Figure":
    """Draws the figure of `plot_energies` from free energies in nats."""
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 3), layout="constrained")
        axes = figure.add_subplot()
        bins = np.histogram_bin_edges(np.concatenate([data, samples]), 40)
        for values, label, color in zip((data, samples), ("data", "samples"), COLORS, strict=False):
            axes.hist(values, bins, density=True, alpha=0.6, label=label, color=color)
        axes.set_xlabel("free energy, nats")
        axes.set_ylabel("density")
        axes.legend(frameon=False)
        return figure


def plot_units(history: Any, path: str | os.PathLike) -> Path:
    """Plots the number of trained units after each epoch into a file.

    Args:
        history: The `History` returned by `InfiniteRBM.fit`.
        path: File to write: `.png`, `.pdf` or `.svg`.

    Returns:
        The path.

    Raises:
        ValueError: The history has no units, or the suffix is not supported.
    """
    path = check_path(path)
    check_instance("history", history, keras.callbacks.History, "what InfiniteRBM.fit returned")
    if "units" not in history.history:
        raise ValueError(
            "plot_units needs the history of InfiniteRBM.fit. Received: a history with "
            f"{', '.join(history.history) or 'nothing'}."
        )
    return save(draw_units(history.history["units"]), path)


def draw_units(units: list[int]) -> "Figure":
    """Draws the figure of `plot_units` from one number per epoch."""
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 3), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(range(1, len(units) + 1), units, color=COLORS[0], marker=".")
        axes.set_xlabel("epoch")
        axes.set_ylabel("trained units")
        axes.grid(axis="y")
        return figure
