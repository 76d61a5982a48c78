"""`Shares`: which rows of a table each process of a cluster reads."""

import dataclasses
import os
from collections.abc import Iterator, Sequence

from adaptive_nets.automl.clusters.together import ALONE, Together
from adaptive_nets.data.tables.parquet_file import Piece, footer_checksum
from adaptive_nets.data.tables.source import BATCH_ROWS, Batch, TableSource

# Parts of a table that are read side by side. So many replicas, or a divisor of it, train on the
# same batches as one process does.
LANES = 8


@dataclasses.dataclass(frozen=True)
class Shares:
    """A table in lanes of equally many rows, of which each process reads some.

    A batch has equally many rows of each lane, whoever reads them. So training does not depend on
    the number of processes, as long as it divides the number of lanes.

    Args:
        source: The table; or the part of a larger one that only this process has.
        together: The processes. Defaults to one that is alone.
    """

    source: TableSource
    together: Together = ALONE

    @property
    def rows(self) -> int:
        """Number of rows of the whole table."""
        return self.source.rows if self.source.total is None else self.source.total

    @property
    def lanes(self) -> int:
        """Number of lanes."""
        replicas, least = self.together.replicas, 1 if self.rows < LANES else LANES
        return replicas * -(-least // replicas)

    @property
    def own(self) -> range:
        """Numbers of the lanes that this process reads."""
        rank, each = self.together.rank, self.lanes // self.together.count
        return range(rank * each, (rank + 1) * each)

    def bounds(self, lane: int) -> tuple[int, int]:
        """Returns the first row of a lane, and its end.

        Args:
            lane: Number of the lane.
        """
        return lane * self.rows // self.lanes, (lane + 1) * self.rows // self.lanes

    def pieces(self, lane: int) -> list[Piece]:
        """Returns the row groups, or parts of them, of a lane, of those that this process has.

        Args:
            lane: Number of the lane.
        """
        return self.source.between(*self.bounds(lane))

    def batches(
        self, columns: Sequence[str] | None = None, rows: int = BATCH_ROWS
    ) -> Iterator[Batch]:
        """Yields the rows that this process reads, in order, some at a time.

        Args:
            columns: Names of the columns to read. Defaults to `None`: all.
            rows: Most rows at a time.
        """
        first, end = self.bounds(self.own[0])[0], self.bounds(self.own[-1])[1]
        return self.source.batches(columns, self.source.between(first, end), rows)

    def check(self) -> None:
        """Compares what the processes know of the table, and refuses one that is too short.

        Raises:
            ValueError: They do not have the same table, or it has too few rows.
        """
        if self.together.alone:
            return
        files = [] if self.source.total is not None else self.source.files
        # Folders may have other names on other machines.
        names = [repr(os.path.basename(file.path)) for file in files]
        described = self.together.in_step(
            lambda: {
                "columns": [f"{field.name!r} ({field.type})" for field in self.source.schema],
                "files": names,
                "lengths": [f"{n} with {f.rows} rows" for n, f in zip(names, files, strict=True)],
                "contents": [
                    f"{n} with checksum {footer_checksum(f.path)}"
                    for n, f in zip(names, files, strict=True)
                ],
                "rows": self.rows,
            }
        )
        self.together.check_same("table, of which each reads its share", described)
        if self.rows < self.lanes:
            raise ValueError(
                f"A table that {self.together.count} processes share must have at least "
                f"{self.lanes} rows. Received: {self.rows} rows of {self.source.name}."
            )
