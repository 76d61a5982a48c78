"""`open_table`: tables of several files and of streams, in memory or, if too large, on disk."""

import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from adaptive_nets.data.tables.collected import collect, is_collected
from adaptive_nets.data.tables.csv_parts import convert_csv, csv_bytes
from adaptive_nets.data.tables.files import is_parquet, is_paths, table_files
from adaptive_nets.data.tables.source import TableSource, read_whole
from adaptive_nets.data.tables.table import read_table

if TYPE_CHECKING:
    import pandas as pd

# Tables of up to so many bytes are read into memory.
MEMORY_LIMIT = 1 << 30


def open_table(
    given: Any,
    text: Collection[str] = (),
    encoding: str | None = None,
    known: Collection[str] = (),
) -> "pd.DataFrame | TableSource":
    """Returns a table in memory if it fits there, else as one whose rows are read as needed.

    Args:
        given: What `read_table` takes.
        text: As for `read_table`.
        encoding: As for `read_table`.
        known: As for `read_table`.

    Raises:
        ValueError: A file is damaged, or the files are not of one table.
        OSError: A file cannot be read.
    """
    if isinstance(given, TableSource):
        return given
    if is_collected(given):
        source = collect(given)
        return source if source.bytes > MEMORY_LIMIT else read_whole(source)
    source = _large(given, text, encoding, known) if is_paths(given) else None
    return read_table(given, text, encoding, known) if source is None else source


def _large(given, text, encoding, known):
    """Returns files that do not fit into memory as a source, or `None` if they do."""
    files = table_files(given)
    if not is_parquet(files[0]):
        if not all(map(os.path.isfile, files)) or csv_bytes(files) <= MEMORY_LIMIT:
            return None
        return convert_csv(files, text, encoding, known)
    if encoding is not None:
        return None
    try:
        source = TableSource.of_files(files, describe(given, files))
    except (ValueError, ImportError, OSError):
        if len(files) > 1:
            raise
        return None  # `read_table` says what is wrong.
    return source if source.bytes > MEMORY_LIMIT else None


def open_shared(given: Any) -> TableSource:
    """Returns files of which several processes each read their share, however small they are.

    Args:
        given: Paths of Parquet files.

    Raises:
        ValueError: They are not Parquet files, a file is damaged, or their columns differ.
        OSError: A file cannot be read.
    """
    if isinstance(given, TableSource):
        return given
    files = table_files(given) if is_paths(given) else []
    missing = next((file for file in files if not os.path.exists(file)), None)
    if missing is not None:
        raise FileNotFoundError(f"No such file: {missing!r}.")
    if not files or not is_parquet(files[0]):
        what = repr(files[0]) if files else f"a {type(given).__name__}"
        raise ValueError(
            "Processes that each read their share of a table need it in Parquet files, of which "
            f"they need not read all. Write it to such files first. Received: {what}."
        )
    return TableSource.of_files(files, describe(given, files))


def describe(given: Any, files: list[str]) -> str:
    """Returns the name of a table of files, for messages.

    Args:
        given: What was passed for it.
        files: Its files.
    """
    if isinstance(given, str | os.PathLike):
        return repr(os.fspath(given))
    return repr(files[0]) if len(files) == 1 else f"{files[0]!r} and {len(files) - 1} more"
