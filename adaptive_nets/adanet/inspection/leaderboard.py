"""The leaderboard as a DataFrame."""

import dataclasses
import shutil
import textwrap
from collections.abc import Sequence
from typing import Any

import pandas as pd

from adaptive_nets.adanet.context import SearchContext
from adaptive_nets.adanet.rounds.records import Entry

LEADING = ["round", "candidate", "status", "objective", "loss", "penalty"]

TRAILING = [
    "parameters", "steps", "seconds", "complexity", "gamma", "mixture_weight", "parent",
]  # fmt: skip

_NAN = float("nan")

# What is said below a table whose objective is not of what was trained on.
_OBJECTIVE_OF = {
    "validation": "The objective is of the validation data.",
    "folds": "The objective is of outputs out of fold.",
}

# Columns that are printed next to the metric if the terminal is wide enough.
_SHOWN = ("round", "candidate", "status", "objective", "model", "kind")


class _AnyFrame(type):
    """The type of a frame that differs from others only in its text.

    Every DataFrame is an instance of it, as `pandas.testing.assert_frame_equal` requires of the
    frame that it is compared with.
    """

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, pd.DataFrame)


class Leaderboard(pd.DataFrame, metaclass=_AnyFrame):
    """A DataFrame that prints the main metric first, and only the columns that fit the terminal.

    In all else it is an ordinary DataFrame with all columns. `to_string()` prints them all, and
    so does a notebook.
    """

    # The name of the head's main metric; pandas hands it on to frames made of this one.
    main_metric = None
    _metadata = ["main_metric"]  # noqa: RUF012 (pandas reads a list)

    @property
    def _constructor(self) -> type["Leaderboard"]:
        return Leaderboard

    @property
    def metric_first(self) -> pd.DataFrame:
        """The same rows as a plain DataFrame, with the columns in the order of their importance."""
        metrics = (f"val_{self.main_metric}", self.main_metric)
        first = dict.fromkeys(c for c in (*metrics, *_SHOWN) if c in self.columns)
        # By position, as operations of pandas can make two columns of one name.
        places = [self.columns.get_loc(c) for c in first]
        if not all(isinstance(place, int) for place in places):
            return pd.DataFrame(self)
        rest = [place for place in range(len(self.columns)) if place not in places]
        return pd.DataFrame(self).iloc[:, [*places, *rest]]

    def __repr__(self) -> str:
        frame, most = self.metric_first, pd.get_option("display.max_rows")
        if frame.empty:
            return super().__repr__()
        count, gap = len(frame), None
        if most and count > most:
            shown = min(pd.get_option("display.min_rows") or most, most)
            gap = (shown + 1) // 2
            frame = pd.concat([frame.iloc[:gap], frame.iloc[count - shown // 2 :]])
        width = shutil.get_terminal_size().columns
        lines, hidden = _table(frame, gap, width)
        lines += ["", f"[{count} rows x {len(self.columns)} columns]"]
        if hidden:
            lines += textwrap.wrap(f"not shown: {', '.join(hidden)}", width)
        told = _OBJECTIVE_OF.get(self.attrs.get("objective_of"))
        if told is not None:
            lines += textwrap.wrap(told, width)
        return "\n".join(lines)

    def _repr_html_(self) -> str | None:
        if not pd.get_option("display.notebook_repr_html"):
            return None
        rows = {"max_rows": pd.get_option("display.max_rows")}
        return self.metric_first.to_html(**rows, na_rep="-", notebook=True)


def _table(frame: pd.DataFrame, gap: int | None, width: int) -> tuple[list[str], list[str]]:
    """Returns the lines of a table, and the names of the columns for which there is no room."""
    widest = max(8, width // 3)

    def shortened(value):
        return _shortened(_cell(value), widest)

    cells = pd.DataFrame(frame.astype(object).map(shortened)).rename(columns=shortened)
    cells.index = cells.index.map(lambda label: _shortened(str(label), widest))
    cells.index.name = None
    # In the corner of the header; under its own name an index has a line of its own.
    cells.columns.name = ", ".join(str(each) for each in frame.index.names if each is not None)
    if gap is not None:
        dots = pd.DataFrame("...", index=["..."], columns=cells.columns)
        cells = pd.concat([cells.iloc[:gap], dots, cells.iloc[gap:]])
    count, lines = 0, []
    for count in range(len(frame.columns), 0, -1):
        lines = cells.iloc[:, :count].to_string().splitlines()
        if max(map(len, lines)) <= width:
            break
    return lines, [str(name) for name in frame.columns[count:]]


def _shortened(text: str, widest: int) -> str:
    """Returns the text without its middle if it is too long: names differ at either end."""
    if len(text) <= widest:
        return text
    end = (widest - 3) // 2
    return f"{text[: widest - 3 - end]}...{text[-end:]}"


def _cell(value: Any) -> str:
    """Returns a value as tables show it: numbers with five digits, and "-" for none."""
    if value is None or value != value:
        return "-"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def to_frame(entries: Sequence[Entry], context: SearchContext | None = None) -> Leaderboard:
    """Returns all entries, the best of each round first.

    Args:
        entries: Rows of the leaderboard.
        context: The search's `SearchContext`, with the head, whose main metric is printed first.
            Defaults to `None`.
    """
    if entries:
        fields = [f.name for f in dataclasses.fields(Entry) if f.name != "measured"]
        measured = dict.fromkeys(name for entry in entries for name in entry.measured)
        # Column by column: pandas takes as long for rows as for all else.
        columns = {name: [entry.measured.get(name, _NAN) for entry in entries] for name in measured}
        columns |= {name: [getattr(entry, name) for entry in entries] for name in fields}
        trailing = [*TRAILING, *(["best_step"] if any(columns["best_step"]) else [])]
        middle = [name for name in measured if name not in LEADING]
        leading = [name for name in LEADING if name in columns]
        frame = Leaderboard({name: columns[name] for name in (*leading, *middle, *trailing)})
        frame = frame.sort_values(["round", "objective"], kind="stable", ignore_index=True)
    else:
        frame = Leaderboard([], columns=[*LEADING, *TRAILING])
    if context is not None:
        frame.main_metric = context.head.main_metric[0]
        frame.attrs["objective_of"] = context.settings.objective_of
    return frame
