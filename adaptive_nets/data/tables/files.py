"""The files of a table: a path, several paths, a pattern such as `part-*.parquet`, or a folder."""

import glob
import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adaptive_nets._checks import check_path, show

PARQUET = (".parquet", ".pq")
PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
_TEXT = (".csv", ".tsv")
# A part of a path that holds a value of a column, as Hive and Spark write it.
_PARTITION = re.compile(r"^[^=]+=[^=]*$")


def is_parquet(path: str) -> bool:
    """Returns whether a file is a Parquet file by its name."""
    return Path(path).suffix.lower() in PARQUET


def is_paths(source: Any) -> bool:
    """Returns whether a table is given by paths: one, or a list of them."""
    if isinstance(source, str | os.PathLike):
        return True
    listed = isinstance(source, list | tuple) and len(source) > 0
    return listed and all(isinstance(each, str | os.PathLike) for each in source)


def table_files(source: str | os.PathLike | Sequence[str | os.PathLike]) -> list[str]:
    """Returns the files of a table.

    Args:
        source: Path of a file, a pattern, a folder of CSV or Parquet files, or a list of these.

    Raises:
        ValueError: A folder or list holds no such files, files of both kinds, or one twice.
        OSError: Nothing matches a pattern.
    """
    if isinstance(source, str | os.PathLike):
        found = _files_of(check_path("source", source))
    else:
        found = [file for each in source for file in _files_of(check_path("source", each))]
    real = [os.path.realpath(file) for file in found]
    twice = next((file for file, path in zip(found, real, strict=True) if real.count(path) > 1), "")
    if twice:
        raise ValueError(f"Each file of a table must be passed once. Received: {twice!r} twice.")
    kinds = {is_parquet(file): file for file in found}
    if len(kinds) > 1:
        raise ValueError(
            "The files of a table must be of one kind, CSV or Parquet. "
            f"Received: {kinds[True]!r} and {kinds[False]!r}."
        )
    return found


def _files_of(path: str) -> list[str]:
    if os.path.isdir(path):
        return _in_folder(path)
    if os.path.exists(path) or not any(sign in path for sign in "*?["):
        return [path]
    found = sorted(file for file in glob.glob(path, recursive=True) if os.path.isfile(file))
    if not found:
        raise FileNotFoundError(
            f"Expected a pattern that matches a file. Received: {path!r}, which no file matches."
        )
    _warn_of_partitions(path, found)
    return found


def _in_folder(path):
    names = sorted(name for name in os.listdir(path) if not name.startswith((".", "_")))
    files = [os.path.join(path, name) for name in names if _is_table(name)]
    found = [file for file in files if os.path.isfile(file)]
    if found:
        return found
    inside = next((name for name in names if os.path.isdir(os.path.join(path, name))), None)
    if inside is not None and _PARTITION.match(inside):
        raise ValueError(
            f"The folder {path!r} is divided by the column {inside.partition('=')[0]!r}, whose "
            "values stand in the names of folders and not in the files. Pass the table that "
            f"pyarrow.dataset.dataset(path, partitioning='hive').to_table() returns. Received: "
            f"the folder {inside!r}."
        )
    raise ValueError(
        f"The folder {path!r} holds no CSV or Parquet files, whose names end in "
        f"{', '.join((*_TEXT, *PARQUET))}. Received: "
        + (", ".join(map(show, names[:5])) if names else "an empty folder")
        + "."
    )


def _is_table(name):
    suffixes = [each.lower() for each in Path(name).suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes = suffixes[:-1]
    return bool(suffixes) and suffixes[-1] in (*_TEXT, *PARQUET)


def _warn_of_partitions(pattern, files):
    """Says that values of columns that stand in the names of folders are not read."""
    folders = {part for file in files for part in Path(file).parts[:-1] if _PARTITION.match(part)}
    columns = sorted({folder.partition("=")[0] for folder in folders})
    if columns:
        warnings.warn(
            f"The folders of {pattern!r} are named by values of {', '.join(map(repr, columns))}, "
            "which are not in the files. They are not read.",
            stacklevel=4,
        )
