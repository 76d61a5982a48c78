"""`Numeric`: reads the labels of a head whose targets are numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from adaptive_nets._checks import check_integer, show
from adaptive_nets.heads.base import Head
from adaptive_nets.heads.labels import read_labels


class Numeric(Head):
    """Base of heads of numbers, with one or several targets a row.

    Args:
        dim: Integer >= 1. Number of targets, or `None`: learned by `adapt`.
        name: String. The head's name in errors and reports.
        weight_column: Name of the feature with the weights of the rows, or `None`.
    """

    # What to do with another number of targets.
    _several = "Omit `dim` to learn it from the labels."

    def __init__(self, dim: int | None, name: str, weight_column: str | None = None) -> None:
        super().__init__(name, weight_column)
        self.dim = None if dim is None else check_integer("dim", dim, 1)

    @property
    def units(self) -> int:
        if self.dim is None:
            raise ValueError(
                f"The number of targets of head '{self.name}' is not known yet. "
                f"Call `adapt` with the training labels, or pass dim. Received: dim=None."
            )
        return self.dim

    @property
    def default_output(self) -> str:
        return "predictions"

    def adapt(self, y: Any) -> Head:
        targets = self._read_targets(y)
        if targets.size == 0:
            raise ValueError(
                f"Cannot adapt head '{self.name}': expected at least one target. "
                f"Received: shape {list(targets.shape)}."
            )
        self._check_resolution(read_labels(y, self.name), targets)
        self.dim = targets.shape[1]
        return self

    def _check_resolution(self, given: np.ndarray, targets: np.ndarray) -> None:
        """Raises a `ValueError` if float32 blurs the targets' differences."""
        exact = np.reshape(given, targets.shape).astype("float64")
        error = np.sqrt(np.mean((exact - targets) ** 2, axis=0))
        deviation = exact.std(axis=0)
        blurred = np.flatnonzero((deviation > 0) & (error > 0.05 * deviation))
        if blurred.size:
            column = exact[:, blurred[0]]
            raise ValueError(
                f"Cannot adapt head '{self.name}': float32 cannot tell targets apart whose offset "
                f"is that large. Subtract it, and add it to the predictions. Received: mean "
                f"{column.mean():.6g}, deviation {column.std():.2g}."
            )

    def encode(self, y: Any) -> np.ndarray:
        if self.dim is None:
            raise ValueError(
                f"Cannot encode labels for head '{self.name}': the number of targets is not "
                f"known yet. Call `adapt` with the training labels first, or pass dim. "
                f"Received: dim=None."
            )
        return self._read_targets(y)

    def _read_targets(self, y: Any) -> np.ndarray:
        array = read_labels(y, self.name)
        if array.dtype.kind == "O":
            raise ValueError(
                f"Cannot encode labels for head '{self.name}': expected numbers. For classes use "
                f"MultiClass; convert numbers stored as text with y.astype('float32'). "
                f"Received: string {show(array.ravel()[0])}."
            )
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] != (self.dim or array.shape[1]):
            raise ValueError(
                f"Cannot encode labels for head '{self.name}': expected shape "
                f"[n, {self.dim or 'dim'}]{' or [n]' if self.dim in (None, 1) else ''}. "
                f"{self._several} Received: shape {list(np.shape(array))}."
            )
        with np.errstate(over="ignore"):
            targets = array.astype("float32")
        if not np.isfinite(targets).all():
            row = int(np.argwhere(~np.isfinite(targets))[0][0])
            raise ValueError(
                f"Cannot encode labels for head '{self.name}': a target overflows float32. "
                f"Divide the targets by their scale. Received: {array[row]} in row {row}."
            )
        return targets

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dim": self.dim}
