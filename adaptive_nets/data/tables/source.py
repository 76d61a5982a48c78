"""`TableSource`: a table in Parquet files, whose rows are read a few at a time."""

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from adaptive_nets.data.containers import unpack
from adaptive_nets.data.tables.parquet_file import ParquetFile, Piece, kind_of, read_batches
from adaptive_nets.data.tables.several import check_columns

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# Rows that are read at a time.
BATCH_ROWS = 1 << 16


@dataclasses.dataclass(frozen=True)
class Batch:
    """Some rows of a source.

    Args:
        piece: The row group that they are of.
        first: Number of the piece's rows before them.
        table: The rows.
    """

    piece: Piece
    first: int
    table: "pa.Table"

    @property
    def start(self) -> int:
        """Number of the table's rows before these."""
        return self.piece.start + self.first

    @property
    def where(self) -> str:
        """The file, and which of its rows these are, for messages."""
        start = self.piece.first + self.first
        return f"rows {start} to {start + self.table.num_rows - 1} of {self.piece.path!r}"


@dataclasses.dataclass(frozen=True)
class TableSource:
    """A table in Parquet files with the same columns.

    Args:
        files: The files.
        schema: The columns, as `pyarrow.Schema`: their common types.
        name: What it came from, for messages.
        folder: Temporary folder that holds the files, kept as long as the source. Defaults to
            `None`: they are the user's own.
        start: Number of rows before these, if they are a part of a larger table. Defaults to 0.
        total: Number of rows of that table. Defaults to `None`: these are all.
    """

    files: tuple[ParquetFile, ...]
    schema: "pa.Schema"
    name: str
    folder: "tempfile.TemporaryDirectory | None" = None
    start: int = 0
    total: int | None = None

    @classmethod
    def of_files(
        cls, paths: Sequence[str], name: str, folder: "tempfile.TemporaryDirectory | None" = None
    ) -> "TableSource":
        """Looks at Parquet files, without reading their rows.

        Args:
            paths: The files.
            name: What they came from, for messages.
            folder: Temporary folder that holds them. Defaults to `None`.

        Raises:
            ValueError: A file is damaged, has no rows, or other columns than the first.
        """
        files = tuple(ParquetFile.of(path) for path in paths)
        return cls(files, common_schema(files), name, folder)

    def __len__(self) -> int:
        return self.rows

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return self.schema.names

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(file.rows for file in self.files)

    @property
    def bytes(self) -> int:
        """About how many bytes the table would take in memory."""
        return sum(file.bytes for file in self.files)

    @property
    def pieces(self) -> list[Piece]:
        """The row groups of all files, in order."""
        pieces, start = [], self.start
        for piece in (piece for file in self.files for piece in file.pieces):
            pieces.append(dataclasses.replace(piece, start=start))
            start += piece.rows
        return pieces

    def between(self, start: int, stop: int) -> list[Piece]:
        """Returns the row groups, or parts of them, that hold a range of the rows.

        Args:
            start: First row of the range.
            stop: End of the range, exclusive.
        """
        found = (piece.between(start, stop) for piece in self.pieces)
        return [piece for piece in found if piece is not None]

    def batches(
        self,
        columns: Sequence[str] | None = None,
        pieces: Sequence[Piece] | None = None,
        rows: int = BATCH_ROWS,
    ) -> Iterator[Batch]:
        """Yields the rows in order, some at a time.

        Args:
            columns: Names of the columns to read. Defaults to `None`: all.
            pieces: The row groups to read. Defaults to `None`: all.
            rows: Most rows at a time.
        """
        columns = self.names if columns is None else columns
        for piece in self.pieces if pieces is None else pieces:
            first = 0
            for table in read_batches(piece, columns, self.schema, rows):
                yield Batch(piece, first, table)
                first += table.num_rows


def common_schema(files: Sequence[ParquetFile]) -> "pa.Schema":
    """Returns the columns of files, in the order of the first, with types that hold all values.

    Args:
        files: The files.

    Raises:
        ValueError: A file has other columns, or other kinds of values, than the first.
    """
    import pyarrow as pa

    first = files[0]
    kinds = {field.name: (kind_of(field.type), first.path) for field in first.schema}
    for file in files[1:]:
        check_columns(first.schema.names, first.path, file.schema.names, file.path)
        for field in file.schema:
            kind, (known, path) = kind_of(field.type), kinds[field.name]
            if kind and known and kind != known:
                raise ValueError(
                    f"The files of a table must hold values of one kind in each column. Received: "
                    f"{field.name!r} as {kind} ({field.type}) in {file.path!r}, and as {known} in "
                    f"{path!r}."
                )
            kinds[field.name] = (known, path) if known else (kind, file.path)
    fields = []
    for name in first.schema.names:
        try:
            each = pa.unify_schemas(
                [pa.schema([file.schema.field(name)]) for file in files],
                promote_options="permissive",
            )
        except (pa.ArrowException, TypeError) as error:
            listed = sorted({str(file.schema.field(name).type) for file in files})
            raise ValueError(
                "The files of a table must hold values of one type in each column. "
                f"Received: {name!r} as {' and as '.join(listed)}."
            ) from error
        fields.append(each.field(0))
    return pa.schema(fields)


def read_whole(source: TableSource) -> "pd.DataFrame":
    """Returns all rows of a source as a `pandas.DataFrame`, as `read_table` reads them.

    Args:
        source: The source.
    """
    import pyarrow as pa

    return as_frame(pa.concat_tables([batch.table for batch in source.batches()]))


def as_frame(table: "pa.Table") -> "pd.DataFrame":
    """Returns rows as a `pandas.DataFrame`, as `read_table` reads them.

    Args:
        table: The rows.
    """
    return frame_of(unpack(table).parts)


def frame_of(parts: Mapping[str, Any]) -> "pd.DataFrame":
    """Returns columns as a `pandas.DataFrame`.

    Args:
        parts: Values by name.

    Raises:
        ValueError: A column has several values a row.
    """
    import pandas as pd

    for name, values in parts.items():
        fields = getattr(getattr(values, "dtype", None), "names", None)
        if fields or len(np.shape(values)) != 1:
            what = f"fields {', '.join(fields)}" if fields else f"shape {list(np.shape(values))}"
            raise ValueError(
                "The columns of a table must have one value a row. Make columns of the parts of "
                f"{name!r}, or leave it out. Received: {name!r} with {what}."
            )
    return pd.DataFrame(parts)


def draw(batch: Batch, seed: int) -> np.ndarray:
    """Returns one random number in [0, 1) for each row, the same whenever the row is read.

    Args:
        batch: The rows.
        seed: Seed of the draw.
    """
    random = np.random.Philox(np.random.SeedSequence(seed))
    # Each number takes one of the four that a step of the generator gives.
    steps, skipped = divmod(batch.start, 4)
    random.advance(steps)
    return np.random.Generator(random).random(skipped + batch.table.num_rows)[skipped:]
