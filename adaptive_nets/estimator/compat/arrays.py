"""Input functions over arrays and tables, as of `tf.compat.v1.estimator.inputs`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

from adaptive_nets._arguments import Ignored, takes
from adaptive_nets._checks import (
    check_bool,
    check_instance,
    check_integer,
    check_text,
    or_none,
    show,
)
from adaptive_nets.data.columns.alignment import check_aligned
from adaptive_nets.data.datasets import plain_features, plain_labels

if TYPE_CHECKING:
    import tensorflow as tf

_QUEUES = "datasets have no queues"
QUEUES = {
    "queue_capacity": Ignored(_QUEUES, (None, 1000)),
    "num_threads": Ignored(_QUEUES, (None, 1)),
}


@takes(QUEUES)
def numpy_input_fn(
    x: Any,
    y: Any = None,
    batch_size: int = 128,
    num_epochs: int | None = 1,
    shuffle: bool | None = None,
    queue_capacity: int = 1000,
    num_threads: int = 1,
) -> Callable[[], "tf.data.Dataset"]:
    """Returns an `input_fn` over arrays.

    Args:
        x: Array, or dict of arrays by name.
        y: Labels: array, or dict of arrays. Defaults to `None`: none, as for prediction.
        batch_size: Rows per batch. Defaults to `128`.
        num_epochs: How often the rows are read, or `None` for ever. Defaults to `1`.
        shuffle: Whether the rows come in a random order, another each time. Must be passed.
        queue_capacity: Ignored. Defaults to `1000`.
        num_threads: Ignored. Defaults to `1`.

    Raises:
        ValueError: An option is out of range, or numbers of rows differ.

    Example:

    ```python
    import numpy as np
    import adaptive_nets as an

    x, y = {"age": np.array([30.0, 41.0])}, np.array([0, 1])
    input_fn = an.estimator.inputs.numpy_input_fn(x, y, batch_size=1, shuffle=False)
    ```
    """
    check_aligned(x, y)
    parts = (plain_features(x),) if y is None else (plain_features(x), plain_labels(y))
    batch_size = check_integer("batch_size", batch_size, 1)
    num_epochs = or_none(check_integer, "num_epochs", num_epochs, 1)
    if shuffle is None:
        raise ValueError("shuffle must be True or False. Received: shuffle=None.")
    shuffle = check_bool("shuffle", shuffle)
    rows = {len(part) if getattr(part, "ndim", 0) else -1 for part in keras.tree.flatten(parts)}
    if len(rows) != 1 or not max(rows) > 0:
        raise ValueError(
            "x and y must be arrays with the same number of rows, at least one. "
            f"Received: {', '.join(map(str, sorted(rows)))} rows."
        )

    def input_fn():
        import tensorflow as tf

        found = tf.data.Dataset.from_tensor_slices(parts if y is not None else parts[0])
        if shuffle:
            found = found.shuffle(max(rows))
        if num_epochs != 1:
            found = found.repeat(num_epochs)
        return found.batch(batch_size)

    return input_fn


@takes(QUEUES)
def pandas_input_fn(
    x: Any,
    y: Any = None,
    batch_size: int = 128,
    num_epochs: int | None = 1,
    shuffle: bool | None = None,
    queue_capacity: int = 1000,
    num_threads: int = 1,
    target_column: str = "target",
) -> Callable[[], "tf.data.Dataset"]:
    """Returns an `input_fn` over a DataFrame, each of whose columns becomes a feature.

    Args:
        x: DataFrame.
        y: Series or DataFrame of labels, with the index of `x`. Defaults to `None`: none.
        batch_size: As in `numpy_input_fn`. Defaults to `128`.
        num_epochs: As in `numpy_input_fn`. Defaults to `1`.
        shuffle: As in `numpy_input_fn`. Must be passed.
        queue_capacity: Ignored. Defaults to `1000`.
        num_threads: Ignored. Defaults to `1`.
        target_column: Name that labels get inside, which no column may have. Defaults to
            `"target"`.

    Raises:
        TypeError: `x` is not a DataFrame.
        ValueError: An option is out of range, or `y` has other rows than `x`.
    """
    import pandas as pd

    check_instance("x", x, pd.DataFrame, "a pandas DataFrame")
    if check_text("target_column", target_column) in x.columns:
        raise ValueError(
            "target_column must be no column of x: rename one of the two. "
            f"Received: target_column={show(target_column)}."
        )
    if y is not None:
        check_instance("y", y, pd.Series | pd.DataFrame, "a pandas Series or DataFrame, or None")
        if not x.index.equals(y.index):
            raise ValueError(
                "x and y must have the same index, in the same order. Received: "
                f"{show(x.index)} and {show(y.index)}."
            )
        if isinstance(y, pd.DataFrame):
            y = {str(name): y[name] for name in y.columns}
    return numpy_input_fn(x, y, batch_size, num_epochs, shuffle)
