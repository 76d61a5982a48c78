"""Shared by all plots: a style, and files that are written atomically."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from adaptive_nets import _checks
from adaptive_nets.files.atomic import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "pdf", "svg")
# Distinguishable with all common kinds of color blindness (Okabe and Ito).
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

_STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "svg.hashsalt": "adaptive_nets",
}
# Without dates, so that the same data give the same file.
_METADATA = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}


@contextmanager
def style() -> Iterator[None]:
    """Applies the style of the plots within this block only.

    Raises:
        ImportError: Matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError(
            "Plots need matplotlib. Install it: pip install 'adaptive-nets[examples]'"
        ) from error
    with matplotlib.rc_context(_STYLE):
        yield


def check_path(path: str | os.PathLike) -> Path:
    """Returns the path, or raises `ValueError` if its suffix is not a supported format."""
    path = Path(_checks.check_path("path", path))
    if path.suffix.lower().removeprefix(".") not in FORMATS:
        raise ValueError(
            f"The file name of a plot must end in one of {', '.join(f'.{f}' for f in FORMATS)}. "
            f"Received: path={_checks.show(str(path))}."
        )
    return path


def save(figure: "Figure", path: Path) -> Path:
    """Writes a figure atomically, in the format of the path's suffix."""
    kind = path.suffix.lower().removeprefix(".")
    # Ticks are created when they are drawn, so the style is needed here too.
    with style(), atomic_write(path) as name:
        figure.savefig(name, format=kind, dpi=150, metadata=_METADATA[kind])
    return path
