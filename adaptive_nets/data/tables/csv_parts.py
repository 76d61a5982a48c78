"""CSV files that do not fit into memory, converted to Parquet files."""

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adaptive_nets.data.columns.number_text import GROUPED, LEAST_GROUPED
from adaptive_nets.data.columns.values import EXACT
from adaptive_nets.data.tables.collected import write_parts
from adaptive_nets.data.tables.csv_file import LEADING_ZERO, LONG_WHOLE, open_csv, read_errors
from adaptive_nets.data.tables.files import PACKED
from adaptive_nets.data.tables.several import check_columns
from adaptive_nets.data.tables.source import TableSource

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# Bytes in memory for each byte of a file, and of a packed one; lines that are read at a time.
_PLAIN_BYTES, _PACKED_BYTES, _LINES = 2, 10, 50_000


def csv_bytes(paths: Sequence[str]) -> int:
    """Returns about how many bytes the rows of CSV files take in memory."""
    packed = [Path(path).suffix.lower() in PACKED for path in paths]
    each = [_PACKED_BYTES if one else _PLAIN_BYTES for one in packed]
    return sum(os.path.getsize(path) * n for path, n in zip(paths, each, strict=True))


def convert_csv(
    paths: Sequence[str], text: Collection[str], encoding: str | None, known: Collection[str]
) -> TableSource:
    """Converts CSV files to Parquet files in a temporary folder, with the values of `read_table`.

    The files are read twice: a column is numbers only if each of its values is one.

    Args:
        paths: The files.
        text: Names of columns to read as text in any case.
        encoding: Their encoding, or `None`.
        known: Names that columns may have.

    Raises:
        ValueError: A file is damaged, or has other columns than the first.
    """
    files, names = [], None
    for path in paths:
        with read_errors(path, encoding):
            files.append((path, *open_csv(path, encoding, known)))
        names = names or files[0][1]
        check_columns(names, paths[0], files[-1][1], path)
    words = {name for name in text if name in names}
    for name, found in _seen(files, names, encoding).items():
        if found.is_text():
            words.add(name)
    name = repr(paths[0]) if len(paths) == 1 else f"{paths[0]!r} and {len(paths) - 1} more"
    return write_parts(_typed(files, names, sorted(words), encoding), name)


class _Seen:
    """What the values of a column are, as far as they were seen."""

    def __init__(self, grouped: bool):
        self.words = self.float = self.far = False
        # Thousands with points, as in 1.234, are common where a semicolon separates columns.
        self.grouped, self.pointed, self.count = grouped, 0, 0

    def add(self, guessed: "pd.Series", plain: "pd.Series") -> None:
        """Adds values as pandas reads them, and as they stand in the file."""
        there = plain.dropna()
        if self.words or not len(there):
            return
        kind = guessed.dtype.kind
        if kind not in "iuf" or there.str.match(LEADING_ZERO).any():
            self.words = True
            return
        if kind == "f":
            self.float = True
            self.words = bool(there.str.match(LONG_WHOLE).any())
        else:
            self.far |= bool((np.abs(guessed.astype("float64")) >= EXACT).any())
        if self.grouped:
            self.grouped = bool(there.str.match(GROUPED).all())
            self.pointed += int(there.str.contains(".", regex=False).sum())
            self.count += len(there)

    def is_text(self) -> bool:
        """Returns whether the column is text."""
        blurred = self.far and self.float
        points = self.grouped and LEAST_GROUPED <= self.pointed < self.count
        return self.words or blurred or points


def _seen(files: Any, names: list[str], encoding: str | None) -> dict[str, _Seen]:
    found = {}
    for path, _, options in files:
        for name in names:
            found.setdefault(name, _Seen(True)).grouped &= options["sep"] == ";"
        plain = {"dtype": str, "keep_default_na": False, "na_values": [""]}
        with read_errors(path, encoding):
            chunks = zip(_chunks(path, {}, options), _chunks(path, plain, options), strict=True)
            for guessed, given in chunks:
                for name in names:
                    found[name].add(guessed[name], given[name])
    return found


def _typed(
    files: Any, names: list[str], words: list[str], encoding: str | None
) -> Iterator["pa.Table"]:
    import pyarrow as pa

    numbers = [name for name in names if name not in words]
    plain = {"usecols": words, "dtype": str, "keep_default_na": False, "na_values": [""]}
    for path, _, options in files:
        with read_errors(path, encoding):
            parts = [_chunks(path, {"usecols": numbers}, options)] if numbers else []
            parts += [_chunks(path, plain, options)] if words else []
            for frames in zip(*parts, strict=True):
                columns = {name: frame[name] for frame in frames for name in frame}
                arrays = {
                    name: pa.array(columns[name], pa.string() if name in words else None)
                    for name in names
                }
                yield pa.table(arrays)


def _chunks(path, more, options) -> Iterator["pd.DataFrame"]:
    import pandas as pd

    with pd.read_csv(path, chunksize=_LINES, low_memory=False, **more, **options) as chunks:
        yield from chunks
