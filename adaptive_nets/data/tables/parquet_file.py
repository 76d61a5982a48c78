"""Parquet files: what is in them, before their rows are read, and their rows batch by batch."""

import contextlib
import dataclasses
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from adaptive_nets.data.containers import check_names

if TYPE_CHECKING:
    import pyarrow as pa

# Bytes that a value takes in memory, as a number and as text.
_NUMBER_BYTES, _TEXT_BYTES = 8, 64


@dataclasses.dataclass(frozen=True)
class Piece:
    """Some rows of a Parquet file, which are stored together: a row group, or a part of one.

    Args:
        path: The file.
        group: Number of the row group.
        rows: Number of the rows.
        first: Number of the file's rows before them.
        skipped: Number of the row group's rows before them. Defaults to 0.
        start: Number of the table's rows before them. Defaults to 0.
    """

    path: str
    group: int
    rows: int
    first: int
    skipped: int = 0
    start: int = 0

    def between(self, start: int, stop: int) -> "Piece | None":
        """Returns those of its rows that lie in a range of the table's, or `None`.

        Args:
            start: First row of the range.
            stop: End of the range, exclusive.
        """
        left = max(0, start - self.start)
        rows = min(self.rows, stop - self.start) - left
        if rows <= 0:
            return None
        return dataclasses.replace(
            self,
            rows=rows,
            first=self.first + left,
            skipped=self.skipped + left,
            start=self.start + left,
        )


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


def footer_checksum(path: str) -> str:
    """Returns a checksum of what a Parquet file says of its row groups, their statistics too.

    Args:
        path: The file, which has been looked at before.
    """
    with open(path, "rb") as file:
        file.seek(-8, os.SEEK_END)
        length = int.from_bytes(file.read(4), "little")
        file.seek(-8 - length, os.SEEK_END)
        return f"{zlib.crc32(file.read(length)):08x}"


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
    piece: Piece, columns: Sequence[str], schema: "pa.Schema", rows: int
) -> Iterator["pa.Table"]:
    """Yields the rows of a row group as tables of some rows, of which the last may have fewer.

    Args:
        piece: The row group, or a part of it.
        columns: Names of the columns.
        schema: Their types, to which values are converted without loss.
        rows: Rows of a table.

    Raises:
        ValueError: The file is damaged, or a value does not fit its type.
    """
    import pyarrow as pa

    wanted = pa.schema([schema.field(name) for name in columns])
    yield from rebatched(
        (table.select(list(columns)).cast(wanted) for table in _parts_of(piece, columns, rows)),
        rows,
    )


def _parts_of(piece, columns, rows):
    """Yields the rows of a row group as they come."""
    import pyarrow as pa

    before, end = 0, piece.skipped + piece.rows
    with opened(piece.path) as file:
        for batch in file.iter_batches(rows, row_groups=[piece.group], columns=list(columns)):
            first, last = max(0, piece.skipped - before), min(batch.num_rows, end - before)
            before += batch.num_rows
            if first < last:
                yield pa.Table.from_batches([batch.slice(first, last - first)])
            if before >= end:
                return


def rebatched(
    tables: Iterable["pa.Table"], rows: int, first: int | None = None
) -> Iterator["pa.Table"]:
    """Yields the rows of tables as tables of equally many rows, of which the last may have fewer.

    Args:
        tables: Tables of the same columns.
        rows: Rows of a table.
        first: Rows of the first table. Defaults to `None`: as many as of the others.
    """
    import pyarrow as pa

    held, count, wanted = [], 0, rows if first is None else first
    for table in tables:
        if held and table.schema != held[0].schema:
            yield pa.concat_tables(held)
            held, count, wanted = [], 0, rows
        held.append(table)
        count += table.num_rows
        while count >= wanted:
            whole = pa.concat_tables(held)
            yield whole.slice(0, wanted)
            held, count, wanted = [whole.slice(wanted)], count - wanted, rows
    if count:
        yield pa.concat_tables(held)


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
