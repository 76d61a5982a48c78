"""`Labelled`: rows of a table with labels."""

import dataclasses

import numpy as np
import pandas as pd


@dataclasses.dataclass(frozen=True)
class Labelled:
    """Rows of a table with labels.

    Args:
        x: The table.
        y: `[rows]` labels, as they were passed.
        w: `[rows]` weights, or `None`.
        by: `[rows]` groups or times that rows are held out by. Defaults to `None`.
    """

    x: pd.DataFrame
    y: np.ndarray
    w: np.ndarray | None
    by: np.ndarray | None = None

    def take(self, index: np.ndarray) -> "Labelled":
        """Returns some of the rows."""
        w, by = (None if each is None else each[index] for each in (self.w, self.by))
        return Labelled(self.x.iloc[index], self.y[index], w, by)

    def with_labels(self, y: np.ndarray) -> "Labelled":
        """Returns the rows with other labels."""
        return dataclasses.replace(self, y=y)

    def weighted(self, factors: np.ndarray) -> "Labelled":
        """Returns the rows with their weights multiplied by `[rows]` factors."""
        return dataclasses.replace(self, w=factors if self.w is None else self.w * factors)
