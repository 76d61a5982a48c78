"""A candidate's own training data."""

import dataclasses
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """A candidate's own training data: a sample of `fit`'s rows, weights for them, or other rows.

    Args:
        indices: Integer array: the rows of `fit`'s data that it is trained on; a row may be there
            several times (bagging).
        sample_weight: Array of weights >= 0: one a row of `fit`'s data, or of `x`.
        x: Features of the same form as `fit`'s, or a finite batched `tf.data.Dataset` with labels.
        y: Labels of `x`.

    Raises:
        ValueError: `x` stands beside `indices`, or `y` is without `x`.

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
            raise ValueError("TrainingData takes a sample of fit's rows (indices) or rows (x).")
        if self.x is None and self.y is not None:
            raise ValueError("TrainingData has labels y without features x.")
        if self.x is None and self.indices is None and self.sample_weight is None:
            raise ValueError("TrainingData is empty: give indices, sample_weight, or x and y.")

    def check(self, rows: int, builder: str) -> None:
        """Refuses indices or weights that do not fit the data, naming the builder.

        Args:
            rows: Number of training rows in `fit`.
            builder: The builder's name.
        """
        if self.indices is not None:
            index = np.asarray(self.indices)
            usable = index.ndim == 1 and index.dtype.kind in "iu" and len(index)
            if not usable or index.min() < 0 or index.max() >= rows:
                raise ValueError(
                    f"The training data of builder '{builder}' must be given by a non-empty list "
                    f"of row numbers from 0 to {rows - 1}. Received: an array of shape "
                    f"{index.shape} and dtype {index.dtype}"
                    + (f", from {index.min()} to {index.max()}." if usable else ".")
                )
        if self.sample_weight is not None:
            weight = np.asarray(self.sample_weight, "float64")
            if weight.shape != (rows,) or not np.isfinite(weight).all() or weight.min() < 0:
                raise ValueError(
                    f"The weights of builder '{builder}' must be {rows} finite numbers >= 0, one "
                    f"a training row. Received: an array of shape {weight.shape}."
                )
            if not weight.any():
                raise ValueError(f"The weights of builder '{builder}' are all zero.")
