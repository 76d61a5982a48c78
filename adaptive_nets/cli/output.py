"""Writes tables and commands to standard output."""

import errno
import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import pandas as pd

from adaptive_nets.files.atomic import atomic_write

PROGRAM = "adaptive-nets"
# Files in the folder of a search that it does not read.
_RESULTS = (".csv", ".html")


def show(frame: pd.DataFrame, form: str = "table") -> None:
    """Prints a frame.

    Args:
        frame: DataFrame to print, without its index.
        form: `"csv"`, `"json"` (one object per row) or `"table"`: drawn on a terminal that is
            wide enough, plain aligned columns otherwise. A leaderboard shows its metric first, and
            on a narrow terminal the columns that fit. Defaults to `"table"`.
    """
    if form == "csv":
        frame.to_csv(sys.stdout, index=False)
    elif form == "json":
        print(frame.to_json(orient="records", indent=2))
    elif sys.stdout.isatty():
        _draw(frame)
    else:
        print(_plain(_ordered(frame)))


def check_target(flag: str, target: str | None, sources: Iterable[str | None]) -> None:
    """Refuses to write over what a command reads.

    Args:
        flag: The flag that names the target, for the message.
        target: The file or folder to be written, or `None` for standard output.
        sources: Files and folders that are read; others, such as names of data sets, and `None`
            are passed over.

    Raises:
        ValueError: The target is one of them, holds one of them, or is a file inside of one.
    """
    if target is None or not os.path.exists(target):
        return
    path = Path(target).resolve()
    # A data set may be given as `csv:FILE`.
    named = [source.removeprefix("csv:") for source in sources if source]
    for source in named:
        read = Path(source).resolve()
        if not read.exists():
            continue
        same = os.path.samefile(target, source) or path in read.parents
        if same or (read in path.parents and path.is_file() and path.suffix not in _RESULTS):
            raise ValueError(
                f"{flag}={target} would overwrite {source}, which is read. Choose another {flag}."
            )


def write_csv(frames: Iterable[pd.DataFrame], target: str | None) -> None:
    """Writes frames as one CSV, a file whole or not at all.

    Args:
        frames: DataFrames with the same columns, written one after the other without their index.
        target: The file, or `None` for standard output.
    """
    if target is None:
        _write(frames, sys.stdout)
    elif os.path.exists(target) and not os.path.isfile(target):
        # A pipe or a terminal is not replaced by a file.
        with open(target, "w", encoding="utf-8", newline="") as file:
            _write(frames, file)
    else:
        path = Path(os.path.realpath(target))
        # A folder that does not exist is more likely a misspelling than intended.
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), target)
        with atomic_write(path) as name, open(name, "w", encoding="utf-8", newline="") as file:
            _write(frames, file)


def _write(frames: Iterable[pd.DataFrame], file: TextIO) -> None:
    for place, frame in enumerate(frames):
        frame.to_csv(file, index=False, header=place == 0)


def command_line(subcommand: str, **options: object) -> str:
    """Returns a command that works when pasted into the shell that started this process.

    Args:
        subcommand: The subcommand.
        **options: Its flags by name. Flags that are `None` are omitted.

    Returns:
        The quoted command line.
    """
    words = [*_program(), subcommand]
    words += [f"--{name}={value}" for name, value in options.items() if value is not None]
    return shlex.join(words)


def _program() -> list[str]:
    started = sys.argv[0]
    if os.path.basename(started) != PROGRAM or not os.path.isfile(started):
        return [sys.executable, "-m", "adaptive_nets"]
    found = shutil.which(PROGRAM)
    return [PROGRAM] if found and os.path.samefile(found, started) else [started]


def _draw(frame: pd.DataFrame) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    own, frame = frame, _ordered(frame)
    console = Console(markup=False, highlight=False)
    table = Table(box=SIMPLE_HEAD)
    for column in frame.columns:
        numeric = pd.api.types.is_numeric_dtype(frame[column])
        table.add_column(str(column), justify="right" if numeric else "left")
    for row in frame.itertuples(index=False):
        table.add_row(*(_cell(value) for value in row))
    boundless = console.options.update(max_width=10_000)
    if console.measure(table, options=boundless).maximum <= console.width:
        console.print(table)
    elif own is not frame:
        with pd.option_context("display.max_rows", None):
            print(own)
    else:
        print(_plain(frame, line_width=console.width))


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns a leaderboard with its metric first, and any other frame as it is."""
    return getattr(frame, "metric_first", frame)


def _plain(frame: pd.DataFrame, line_width: int | None = None) -> str:
    return frame.to_string(
        index=False, float_format="{:.5g}".format, na_rep="-", line_width=line_width
    )


def _cell(value: object) -> str:
    if value is None or value != value:
        return "-"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
