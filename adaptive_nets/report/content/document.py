"""`Report`: sections of text, tables and charts, all of them data."""

import dataclasses
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

# Columns with these names are what a chart of each kind reads.
KINDS = {
    "bars": ("label", "value"),
    "bins": ("start", "end", "count"),
    "cells": ("row", "column", "value"),
    "lines": ("x", "y"),
    "links": ("label", "x", "y", "x2", "y2"),
    "points": ("x", "y"),
}


@dataclasses.dataclass(frozen=True)
class Text:
    """A paragraph.

    Args:
        text: The paragraph.
        warning: Whether it warns of something. Defaults to `False`.
    """

    text: str
    warning: bool = False


@dataclasses.dataclass(frozen=True)
class Code:
    """Lines to copy.

    Args:
        text: The lines.
        title: What they do.
    """

    text: str
    title: str


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Args:
        name: Its name among the frames of the report.
        title: Its caption.
        frame: A `pandas.DataFrame`.
    """

    name: str
    title: str
    frame: "pd.DataFrame"


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart.

    Args:
        name: Its name among the frames of the report.
        title: Its caption.
        alt: What it shows, in words, for those who cannot see it.
        frame: A `pandas.DataFrame` with the columns that `KINDS` lists for the kind. `series`
            tells lines, points or bins apart; `lower` and `upper` are the ends of intervals.
        kind: A key of `KINDS`.
        x: Title of the horizontal axis. Defaults to `""`.
        y: Title of the vertical axis. Defaults to `""`.
        diagonal: Whether to draw the line `y = x`. Defaults to `False`.
        level: Where to draw a horizontal line. Defaults to `None`.
        zero: Whether both axes begin at 0. Defaults to `False`.
    """

    name: str
    title: str
    alt: str
    frame: "pd.DataFrame"
    kind: str
    x: str = ""
    y: str = ""
    diagonal: bool = False
    level: float | None = None
    zero: bool = False


Block = Text | Code | Table | Chart


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of a report.

    Args:
        name: Its name, which is also its anchor on the page.
        title: Its heading.
        blocks: What it holds, in order.
    """

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclasses.dataclass(frozen=True)
class Report:
    """What is known of a model, a search, growth or a machine.

    `print(report)` shows its verdict and what it holds; `report["leaderboard"]` is a DataFrame.

    Args:
        title: Its title.
        verdict: What matters most, in a sentence or two.
        sections: The `Section`s.
    """

    title: str
    verdict: str
    sections: tuple[Section, ...]

    @property
    def frames(self) -> "dict[str, pd.DataFrame]":
        """The data of all tables and charts by name, each a `pandas.DataFrame`."""
        return {
            block.name: block.frame for block in self.blocks if isinstance(block, Table | Chart)
        }

    @property
    def blocks(self) -> list[Block]:
        """The blocks of all sections."""
        return [block for section in self.sections for block in section.blocks]

    def __getitem__(self, name: str) -> "pd.DataFrame":
        frames = self.frames
        if name not in frames:
            raise KeyError(f"The report has no {name!r}. It has {', '.join(frames)}.")
        return frames[name]

    def __str__(self) -> str:
        lines = [self.title, self.verdict, ""]
        for section in self.sections:
            named = [block.name for block in section.blocks if isinstance(block, Table | Chart)]
            lines.append(f"{section.title}: {', '.join(named)}" if named else section.title)
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as JSON values. Numbers that are not finite are `None`."""
        sections = [
            {
                "name": section.name,
                "title": section.title,
                "blocks": [_block_dict(block) for block in section.blocks],
            }
            for section in self.sections
        ]
        return {"title": self.title, "verdict": self.verdict, "sections": sections}

    def to_json(self) -> str:
        """Returns the report as JSON text."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)


def _block_dict(block):
    found = {"type": type(block).__name__.lower()}
    for field in dataclasses.fields(block):
        value = getattr(block, field.name)
        if field.name == "frame":
            found["columns"] = [str(name) for name in value.columns]
            found["data"] = rows_of(value)
        else:
            found[field.name] = value
    return found


def rows_of(frame: "pd.DataFrame") -> list[list[Any]]:
    """Returns a frame's rows as lists of JSON values."""
    columns = [[plain(value) for value in frame.iloc[:, k]] for k in range(frame.shape[1])]
    return [list(row) for row in zip(*columns, strict=True)]


def plain(value: Any) -> Any:
    """Returns a value as JSON holds it: text for what it does not know, `None` for no number."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return None if value != value else str(value)


def rounded(value: float, digits: int = 4) -> str:
    """Returns a number as text: large ones whole, with commas, and none below 1e15 as 1e+05.

    Args:
        value: The number.
        digits: Digits of numbers that are not whole. Defaults to `4`.
    """
    text = f"{value:.{digits}g}"
    return f"{value:,.0f}" if "e+" in text and abs(value) < 1e15 else text
