"""Several CSV files as one table."""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from adaptive_nets.data.columns.naming import some
from adaptive_nets.data.columns.values import EXACT

if TYPE_CHECKING:
    import pandas as pd


def join_files(
    paths: Sequence[str],
    read: Callable[[str, Collection[str]], "pd.DataFrame"],
    text: Collection[str],
) -> "pd.DataFrame":
    """Reads CSV files as one table, in the order of the first file's columns.

    A column that is text in one of them is text in all.

    Args:
        paths: The files.
        read: Function from a path, and the names of columns to read as text, to a table.
        text: Names of columns to read as text in any case.

    Raises:
        ValueError: A file has other columns than the first.
    """
    import pandas as pd

    frames = [read(path, text) for path in paths]
    names = list(frames[0].columns)
    for path, frame in zip(paths, frames, strict=True):
        check_columns(names, paths[0], list(frame.columns), path)
    mixed = {name for name in names if _is_mixed([frame[name] for frame in frames])}
    for place, frame in enumerate(frames):
        if any(_is_number(frame[name]) for name in mixed):
            frames[place] = read(paths[place], [*text, *mixed])
    return pd.concat([frame[names] for frame in frames], ignore_index=True)


def check_columns(known: list[str], first: str, given: list[str], path: str) -> None:
    """Refuses a file that has other columns than the first file of a table.

    Args:
        known: Columns of the first file.
        first: The first file.
        given: Columns of the file.
        path: The file.

    Raises:
        ValueError: A column is missing, or there are more.
    """
    lacking = [name for name in known if name not in given]
    more = [name for name in given if name not in known]
    if lacking or more:
        what = f"without {some(lacking)}" if lacking else f"with {some(more)}"
        raise ValueError(
            f"The files of a table must have the same columns. Received: {path!r} {what}, unlike "
            f"{first!r}."
        )


def _is_number(column):
    return getattr(column.dtype, "kind", "O") in "iuf"


def _is_mixed(columns):
    """Returns whether values of a column are text in one file, or would be rounded by another."""
    numbers = [column for column in columns if _is_number(column)]
    if len(numbers) < len(columns):
        return bool(numbers)
    kinds = {column.dtype.kind for column in columns}
    whole = [column for column in numbers if column.dtype.kind in "iu"]
    if len(kinds) == 1:
        return False
    return any(len(c) and int(np.abs(c.astype("float64")).max()) >= EXACT for c in whole)
