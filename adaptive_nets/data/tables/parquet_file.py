"""Parquet files: what is in them, before their rows are read, and their rows batch by batch."""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from adaptive_nets.data.containers import check_names

if TYPE_CHECKING:
    import pyarrow as pa

# Bytes that a value takes in memory, as a number and as text.
_NUMBER_BYTES, _TEXT_BYTES = 8, 64


@dataclasses.dataclass(frozen=True)
class Piece:
    """Some rows of a Parquet file, which are stored together: a row group.

    Args:
        path: The file.
        group: Number of the row group.
        rows: Number of its rows.
        first: Number of the file's rows before it.
    """

    path: str
    group: int
    rows: int
    first: int


@dataclasses.dataclass(frozen=True)
class ParquetFile:
    """What is known of a Parquet file without reading its rows.

    Args:
        path: The file.
        schema: Its columns, as `pyarrow.Schema`.
        pieces: Its row groups.
    """

    path: str
    schema: "pa.Schema"
    pieces: tuple[Piece, ...]

    @classmethod
    def of(cls, path: str) -> "ParquetFile":
        """Looks at a file.

        Raises:
            ValueError: It is empty, damaged, has no rows, or names a column twice.
            ImportError: pyarrow is not installed.
            OSError: There is no such file.
        """
        with opened(path) as file:
            schema, about = file.schema_arrow, file.metadata
            sizes = [about.row_group(group).num_rows for group in range(about.num_row_groups)]
        if not sum(sizes):
            raise ValueError(f"{path!r} has no rows. Leave it out.")
        check_names(schema.names)
        starts = [sum(sizes[:group]) for group in range(len(sizes))]
        pieces = [Piece(path, g, rows, starts[g]) for g, rows in enumerate(sizes) if rows]
        return cls(path, without_index(schema), tuple(pieces))

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(piece.rows for piece in self.pieces)

    @property
    def bytes(self) -> int:
        """About how many bytes the rows take in memory."""
        each = [_TEXT_BYTES if kind_of(f.type) == "text" else _NUMBER_BYTES for f in self.schema]
        return self.rows * sum(each)


@contextlib.contextmanager
def opened(path: str) -> Iterator[Any]:
    """Opens a Parquet file, and names it in all errors.

    Args:
        path: The file.

    Raises:
        ValueError: The file is empty or damaged.
        ImportError: pyarrow is not installed.
        OSError: There is no such file.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            f"Reading {path!r} needs pyarrow, which is not installed: pip install pyarrow"
        ) from error
    if not os.path.exists(path):
        raise FileNotFoundError(f"No such file: {path!r}.")
    if os.path.getsize(path) == 0:
        raise ValueError(f"{path!r} is empty. Expected a Parquet file.")
    kinds = (pa.ArrowException, OSError, OverflowError)  # Also known while Python ends.
    try:
        with parquet.ParquetFile(path) as file:
            yield file
    except kinds as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        why = " ".join(str(error).split())
        raise ValueError(f"Cannot read {path!r} as a Parquet file: {why}") from error


def read_batches(
    pieces: Sequence[Piece], columns: Sequence[str], schema: "pa.Schema", rows: int
) -> Iterator["pa.Table"]:
    """Yields the rows of row groups of one file as tables of at most some rows.

    Args:
        pieces: Row groups of one file, in the order to read them.
        columns: Names of the columns.
        schema: Their types, to which values are converted without loss.
        rows: Most rows of a table.

    Raises:
        ValueError: The file is damaged, or a value does not fit its type.
    """
    import pyarrow as pa

    wanted = pa.schema([schema.field(name) for name in columns])
    with opened(pieces[0].path) as file:
        groups = [piece.group for piece in pieces]
        for batch in file.iter_batches(rows, row_groups=groups, columns=list(columns)):
            yield pa.Table.from_batches([batch]).select(list(columns)).cast(wanted)


def without_index(schema: "pa.Schema") -> "pa.Schema":
    """Returns the columns of a table, without those that pandas has kept its index in."""
    import pyarrow as pa

    about = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    index = {name for name in about.get("index_columns", ()) if isinstance(name, str)}
    kept = [field for field in schema if field.name not in index]
    return pa.schema([pa.field(field.name, _plain(field.type)) for field in kept])


def _plain(kind):
    """Returns the type of values that may come by number from a dictionary."""
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def kind_of(kind: Any) -> str:
    """Returns what a column of a type holds, in a word; `""` if all its values are missing."""
    import pyarrow as pa

    types, kind = pa.types, _plain(kind)
    if types.is_null(kind):
        return ""
    if types.is_boolean(kind):
        return "true and false"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "numbers"
    if types.is_timestamp(kind) or types.is_date(kind):
        return "dates"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text"
    return str(kind)
