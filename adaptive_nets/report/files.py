"""`report_data` and `write_report`: the report of anything, as data, a page, or a folder."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from adaptive_nets import _checks
from adaptive_nets.energy import RBM, EnergyNet, StructureReport
from adaptive_nets.files.atomic import atomic_write, sweep
from adaptive_nets.growth.core.compare import GrowthReport
from adaptive_nets.report.content.document import Chart, Report
from adaptive_nets.report.content.energies import machine_report, structure_report
from adaptive_nets.report.content.growths import growth_report
from adaptive_nets.report.html.charts import specification
from adaptive_nets.report.html.engine import check_installed, still
from adaptive_nets.report.html.looks import settings
from adaptive_nets.report.html.page import render

_EXPECTED = (
    "a fitted AutoClassifier, AutoRegressor or AdaNet, a growth callback, a GrowthReport or a list "
    "of them, an energy machine, an EnergyNet, or a Report"
)


def report_data(source: Any, x: Any = None, y: Any = None) -> Report:
    """Returns what a report says, as data.

    Args:
        source: A fitted `AutoClassifier`, `AutoRegressor` or `AdaNet`; a growth callback after
            `fit`, a `GrowthReport` or a list of them; an energy machine; an `EnergyNet`, or what
            its `fit` returned.
        x: Features of rows to measure it on, or rows for a machine. Defaults to `None`: what is
            known without them.
        y: `[rows]` labels. Defaults to `None`.

    Returns:
        A `Report`: `frames` holds the data of each table and chart as a DataFrame.

    Raises:
        TypeError: There is no report of such a thing.
        ValueError: It was not fitted, or the rows do not suit it.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8), keras.layers.Dense(1)])
    plan = an.growth.plan_widen(model, 2.0)
    bigger, grown = an.growth.apply(plan)
    an.report.report_data(grown)["growths"]  # a DataFrame
    ```
    """
    if isinstance(source, Report):
        return _no_rows(source, x, y)
    if isinstance(source, type):
        raise TypeError(f"A report is made of {_EXPECTED}. Received: {_checks.show(source)}.")
    if isinstance(source, GrowthReport):
        return growth_report([_no_rows(source, x, y)])
    if isinstance(source, RBM):
        return machine_report(source, x)
    if isinstance(source, EnergyNet | StructureReport):
        return structure_report(_no_rows(source, x, y))
    if isinstance(source, list | tuple) and source:
        if all(isinstance(each, GrowthReport) for each in source):
            return growth_report(_no_rows(source, x, y))
    elif isinstance(source, keras.callbacks.Callback) and hasattr(source, "reports"):
        return _of_callback(_no_rows(source, x, y))
    elif hasattr(source, "report_data"):
        return source.report_data(x, y)
    raise TypeError(f"A report is made of {_EXPECTED}. Received: {_checks.show(source)}.")


def _no_rows(source, x, y):
    if x is not None or y is not None:
        raise ValueError(
            f"x and y must be None: nothing of a {type(source).__name__} is measured on rows. "
            f"Received: {'x' if x is not None else 'y'}."
        )
    return source


def _of_callback(callback):
    grown: Sequence[GrowthReport] = callback.reports
    if not grown:
        raise ValueError(
            f"There is nothing to report: {type(callback).__name__} has grown no model. Pass it to "
            "model.fit first. Received: no growths."
        )
    history = getattr(callback.model, "history", None)
    found: Mapping[str, Sequence[float]] = history.history if history is not None else {}
    return growth_report(grown, found)


def write_report(
    source: Any, path: str | os.PathLike, x: Any = None, y: Any = None
) -> Path | list[Path]:
    """Writes a report: as one HTML file, as JSON, or as a folder of tables and pictures.

    The HTML file needs no network, and shows charts that react to the pointer. All is drawn before
    anything is written, and existing files are replaced atomically.

    Args:
        source: What to report on, as for `report_data`.
        path: A path that ends in `.html` or `.json`; any other is a folder, made if missing, with
            all data as CSV files, charts as PNG files, and the page as `index.html`.
        x: Features of rows to measure it on. Defaults to `None`.
        y: `[rows]` labels. Defaults to `None`.

    Returns:
        The path; of a folder, a list of the paths of its files.

    Raises:
        ImportError: The extra `report` is not installed, which all but JSON needs.
        TypeError: There is no report of such a thing.
        ValueError: It was not fitted, or the rows do not suit it.

    Example:

    ```python
    import numpy as np
    import adaptive_nets as an

    x = np.random.default_rng(0).normal(size=(200, 4))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    search = an.AdaNet(an.heads.BinaryClass(), max_iterations=1, steps_per_iteration=20, seed=0)
    search.fit(x, y, verbose=0)
    an.report.write_report(search, "search.json", x, y)
    ```
    """
    path = check_report_path(path)
    report = report_data(source, x, y)
    form = path.suffix.lower()
    if form == ".json":
        return _write(path, report.to_json())
    if form == ".html":
        return _write(path, render(report))
    return _write_folder(report, path)


def check_report_path(path: str | os.PathLike) -> Path:
    """Returns the path of a report, which is checked before work.

    Args:
        path: A file that ends in `.html` or `.json`, or a folder.

    Raises:
        ImportError: The extra `report` is not installed, which all but JSON needs.
        ValueError: It ends like another file, or stands for something else.
    """
    path = Path(_checks.check_path("path", path))
    form = path.suffix.lower()
    if form in (".html", ".json"):
        if path.is_dir():
            raise ValueError(
                f"path must be a file to write, but it is a folder. Received: path={str(path)!r}."
            )
    elif form in (".htm", ".pdf", ".csv", ".png", ".svg", ".txt", ".md") or path.is_file():
        raise ValueError(
            "A report is a file that ends in .html or .json, or a folder. "
            f"Received: path={_checks.show(str(path))}."
        )
    if form != ".json":
        check_installed()
    return path


def _write_folder(report, folder) -> list[Path]:
    pictures = {
        block.name: still(specification(block), {**settings("light"), "background": "white"}, "png")
        for block in report.blocks
        if isinstance(block, Chart)
    }
    page = render(report)
    written = []
    sweep(folder)
    for name, frame in report.frames.items():
        written.append(_write(folder / f"{name}.csv", frame.to_csv(index=False)))
        if name in pictures:
            written.append(_write(folder / f"{name}.png", pictures[name]))
    written.append(_write(folder / "index.html", page))
    return written


def _write(path, content):
    with atomic_write(path) as name:
        if isinstance(content, bytes):
            Path(name).write_bytes(content)
        else:
            Path(name).write_text(content, encoding="utf-8", newline="")
    return path
