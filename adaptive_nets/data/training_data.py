"""`TrainingData`: a subnetwork's own training data."""

import dataclasses
from typing import Any

import numpy as np

from adaptive_nets._checks import check_array, show
from adaptive_nets.data.weights import read_weights


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """A subnetwork's own training data: a sample of `fit`'s rows, weights for them, or other rows.

    Args:
        indices: Integer array of row numbers in `fit`'s data, possibly with repetitions (bagging).
            Defaults to `None`.
        sample_weight: Array of weights >= 0, one per row of `fit`'s data or of `x`. Defaults to
            `None`.
        x: Features with the same spec as `fit`'s, or a finite batched `tf.data.Dataset` with
            labels. Defaults to `None`.
        y: Labels of `x`. Defaults to `None`.

    Raises:
        ValueError: Both `x` and `indices` are passed, `y` is passed without `x`, or nothing is.

    Example:

    ```python
    import numpy as np
    import adaptive_nets as an

    sample = np.random.default_rng(0).integers(0, 100, 100)
    an.adanet.TrainingData(indices=sample)
    ```
    """

    indices: Any = None
    sample_weight: Any = None
    x: Any = None
    y: Any = None

    def __post_init__(self):
        if self.x is not None and self.indices is not None:
            raise ValueError(
                "Pass only one of indices (a sample of fit's rows) and x (other rows) to "
                "TrainingData."
            )
        if self.x is None and self.y is not None:
            raise ValueError("TrainingData received labels y without features x.")
        if self.x is None and self.indices is None and self.sample_weight is None:
            raise ValueError("TrainingData is empty. Pass indices, sample_weight, or x and y.")
        if self.indices is not None:
            _check_indices(self.indices)
        if self.sample_weight is not None:
            given = check_array("sample_weight", self.sample_weight, "an array of numbers >= 0")
            if not given.size:
                raise ValueError(
                    "sample_weight must be numbers >= 0, one per row. "
                    f"Received: sample_weight={show(self.sample_weight)}."
                )
            read_weights(self.sample_weight, len(np.atleast_1d(given)))

    def check(self, rows: int, builder: str) -> None:
        """Raises a `ValueError` for indices or weights that do not fit the data.

        Args:
            rows: Number of training rows in `fit`.
            builder: The builder's name.
        """
        if self.indices is not None:
            index = np.asarray(self.indices)
            usable = index.ndim == 1 and index.dtype.kind in "iu" and len(index)
            if not usable or index.min() < 0 or index.max() >= rows:
                raise ValueError(
                    f"The training data indices of builder '{builder}' must be a non-empty array "
                    f"of row numbers from 0 to {rows - 1}. Received: an array of shape "
                    f"{index.shape} and dtype {index.dtype}"
                    + (f", from {index.min()} to {index.max()}." if usable else ".")
                )
        if self.sample_weight is not None:
            weight = np.asarray(self.sample_weight, "float64")
            if weight.shape != (rows,) or not np.isfinite(weight).all() or weight.min() < 0:
                raise ValueError(
                    f"The weights of builder '{builder}' must be {rows} finite numbers >= 0, one "
                    f"per training row. Received: an array of shape {weight.shape}."
                )
            if not weight.any():
                raise ValueError(
                    f"The weights of builder '{builder}' must not be zero in every row."
                )


def _check_indices(indices):
    """Refuses what can be no row numbers of any data."""
    index = check_array("indices", indices, "an array of row numbers >= 0")
    if index.ndim != 1 or index.dtype.kind not in "iu" or not len(index) or index.min() < 0:
        raise ValueError(
            "indices must be a non-empty array of row numbers >= 0. "
            f"Received: indices={show(indices)}."
        )
