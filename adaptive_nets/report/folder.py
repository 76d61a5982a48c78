"""Writes a search's report: plots, their data and the leaderboard in one folder."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from adaptive_nets._checks import check_path
from adaptive_nets.files.atomic import atomic_write, sweep
from adaptive_nets.report import architecture, curves, mixture
from adaptive_nets.report.figure import save
from adaptive_nets.report.frames import frame_of

if TYPE_CHECKING:
    import pandas as pd

    from adaptive_nets.adanet import AdaNet

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>AdaNet search</title>
<style>
body {{ font-family: sans-serif; margin: 2em; }}
img {{ max-width: 100%; }}
table {{ border-collapse: collapse; font-size: 85%; }}
th, td {{ padding: 0.2em 0.7em; text-align: right; border-bottom: 1px solid #ddd; }}
</style>
</head>
<body>
{sections}
</body>
</html>
"""


def write_report(search: "AdaNet", folder: str | os.PathLike) -> list[Path]:
    """Writes the results of a search into a folder: CSV tables, PNG plots and an HTML page.

    Everything is drawn before anything is written, and existing files are replaced atomically.

    Args:
        search: A fitted search.
        folder: Folder to write to. Created if missing.

    Returns:
        Paths of `leaderboard.csv`, of `learning_curves`, `architecture` and `mixture_weights` as
        `.csv` and `.png`, and of `index.html`.

    Raises:
        ImportError: Matplotlib is not installed.
        ValueError: The search is not fitted.

    Example:

    ```python
    import numpy as np
    import adaptive_nets as an

    x = np.random.default_rng(0).normal(size=(200, 4))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    search = an.AdaNet(an.heads.BinaryClass(), max_iterations=1, steps_per_iteration=20, seed=0)
    search.fit(x, y, verbose=0)
    an.report.write_report(search, "report")
    ```
    """
    folder = Path(check_path("folder", folder))
    learning_curves = frame_of(search, "learning_curves", curves.COLUMNS)
    tree = frame_of(search, "architecture", architecture.COLUMNS)
    weights = frame_of(search, "member_weights", mixture.COLUMNS)
    tables = {
        "leaderboard": search.leaderboard(),
        "learning_curves": learning_curves,
        "architecture": tree.assign(reads=tree["reads"].map(", ".join)),
        "mixture_weights": weights,
    }
    figures = {
        "learning_curves": curves.draw_learning_curves(learning_curves),
        "architecture": architecture.draw_architecture(tree, weights),
        "mixture_weights": mixture.draw_mixture_weights(weights),
    }
    written = []
    sweep(folder)
    for name, table in tables.items():
        written.append(_write(folder / f"{name}.csv", table.to_csv(index=False)))
        if name in figures:
            written.append(save(figures[name], folder / f"{name}.png"))
    written.append(_write(folder / "index.html", _page(tables, figures)))
    return written


def _write(path, text):
    with atomic_write(path) as name:
        Path(name).write_text(text, encoding="utf-8", newline="")
    return path


def _page(tables: "dict[str, pd.DataFrame]", figures):
    sections = []
    for name, table in tables.items():
        title = name.replace("_", " ").capitalize()
        sections.append(f"<h2>{title}</h2>")
        if name in figures:
            sections.append(f'<img src="{name}.png" alt="{title}">')
        # Tables that a curve or a heat map shows better are only in their files.
        if name in ("leaderboard", "architecture"):
            sections.append(table.to_html(index=False, border=0, float_format="{:.4g}".format))
    return PAGE.format(sections="\n".join(sections))
