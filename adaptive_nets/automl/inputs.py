"""Features in whatever form scikit-learn's users pass them, as a table of named columns."""

import functools
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from adaptive_nets._checks import check_array, check_nesting, show
from adaptive_nets._values import tried
from adaptive_nets.automl.streaming.target import all_labels
from adaptive_nets.automl.targets import Target
from adaptive_nets.data.tables.collected import is_collected
from adaptive_nets.data.tables.files import is_paths
from adaptive_nets.data.tables.opening import open_shared, open_table
from adaptive_nets.data.tables.source import TableSource
from adaptive_nets.data.tables.table import read_table, split_target

Reader = Callable[[Any], pd.DataFrame | TableSource]


def reader_for(target: Target, names: Iterable[str], text: Iterable[str]) -> Reader:
    """Returns how tables are read whose columns are those of the training data.

    Args:
        target: The target.
        names: Names of all columns.
        text: Names of those that are text in a CSV file.
    """
    written = [target.name] if getattr(target, "style", None) is not None else []
    return functools.partial(open_table, text=[*text, *written], known=[*names, *text, target.name])


def opened(x: Any, shared: bool = False) -> Any:
    """Returns files and datasets as a table, or as a `TableSource` if too large for memory.

    Args:
        x: What was passed for the features. Anything else is returned as it is.
        shared: Whether several processes each read their share of the rows. Defaults to `False`.
    """
    check_nesting((), {"X": x} if isinstance(x, dict) else {})
    is_opened = is_paths(x) or is_collected(x)
    if not is_opened:
        return x
    return open_shared(x) if shared else open_table(x)


def training_table(x: Any, y: Any, read: Reader = read_table) -> tuple[Any, Any, str]:
    """Returns features, labels, and the target's name.

    Args:
        x: Features; or a table or path, with the target among its columns.
        y: Labels, or the name of the target's column.
        read: How tables are read. Defaults to `read_table`.

    Raises:
        ValueError: There are no labels, or no such column.
    """
    named = isinstance(y, int | tuple) and tried(lambda: y in x.columns)
    if named is True:
        raise ValueError(
            "The target's name must be text, as which names of columns are read. Received: "
            f"y={show(y)}. Pass y={str(y)!r}."
        )
    if isinstance(y, str):
        if not _has_names(x):
            raise ValueError(
                f"y={y!r} names a column, so X must be a table or a path. Received: X={show(x)}."
            )
        table = read(x)
        if isinstance(table, TableSource):
            return table, all_labels(table, y), y
        return *split_target(table, y), y
    if y is None:
        raise ValueError(
            "fit requires y to be passed, but the target y is None. Pass labels, or the name of "
            "the target's column."
        )
    return x, y, str(getattr(y, "name", None) or "y")


def feature_table(
    estimator: BaseEstimator, x: Any, learn: bool, read: Reader = read_table
) -> pd.DataFrame:
    """Returns features as a table, and checks them as scikit-learn does.

    Args:
        estimator: The estimator, which keeps the number and names of the features.
        x: A table, a path, a dict of columns, or an array `[rows, features]`.
        learn: Whether these are training rows, whose number and names of features are kept.
        read: How tables are read. Defaults to `read_table`.

    Raises:
        ValueError: There are no rows or features, or not those of the training data.
        TypeError: A value is neither number, text nor date.
    """
    check_nesting((), {"X": x} if isinstance(x, dict) else {})
    if _has_names(x):
        table = read(x)
        if isinstance(table, TableSource):
            return table  # Its rows are checked as they are read.
        if learn:
            _check_filled(table)
            validate_data(estimator, table, reset=True, skip_check_array=True)
        elif not hasattr(estimator, "feature_names_in_"):
            names = [f"x{place}" for place in range(estimator.n_features_in_)]
            if not set(names) <= set(table.columns):
                # As scikit-learn does: a warning, and columns are read in their order.
                validate_data(estimator, table, reset=False, skip_check_array=True)
                table = table.set_axis(names, axis=1)
        return table
    if np.ma.isMaskedArray(x):
        # What is masked is missing.
        x = (
            x.astype("float64").filled(np.nan)
            if x.dtype.kind in "biuf"
            else x.astype(object).filled(np.nan)
        )
    if not isinstance(x, list | tuple) and _is_scalar(x):
        raise TypeError(
            f"X must be a table, a path or an array [rows, features]. Received: X={show(x)}."
        )
    if getattr(getattr(x, "dtype", None), "kind", "") == "c":
        raise ValueError(
            "Complex data not supported: X must be numbers, text or dates. "
            f"Received: dtype {x.dtype}."
        )
    if isinstance(x, list) or getattr(getattr(x, "dtype", None), "kind", "") in ("O", "U"):
        x = _objects(x)
    words = getattr(getattr(x, "dtype", None), "kind", "") == "O"
    options = {"dtype": None, "ensure_all_finite": False} if words else {}
    options = {"dtype": "numeric", "ensure_all_finite": "allow-nan", **options}
    try:
        array = validate_data(estimator, x, reset=learn, **options)
    except ValueError as error:
        # scikit-learn shows arrays on several lines.
        raise ValueError(f"Cannot read X: {' '.join(str(error).split())}") from error
    return _with_names(estimator, read_table(np.asarray(array)), learn)


def _with_names(estimator, table, learn):
    """Returns an array's columns with the names of the training data, by position."""
    names = getattr(estimator, "feature_names_in_", None)
    return table if learn or names is None else table.set_axis(list(names), axis=1)


def _objects(x):
    """Returns values of several kinds as an array of objects, and numbers alone as numbers."""
    words = "a table, a path or an array [rows, features]"
    if isinstance(x, list):
        lengths = {len(row) if isinstance(row, list | tuple) else -1 for row in x}
        if len(lengths) > 1:
            raise ValueError(
                f"X must be {words}, whose rows have the same number of values. "
                f"Received: X={show(x)}."
            )
    array = check_array("X", x, words)
    if array.dtype.kind in "biufc":
        return array
    array = array.astype(object) if isinstance(x, np.ndarray) else np.array(x, dtype=object)
    for value in array.ravel()[:1000]:
        if isinstance(value, dict | list | tuple | set):
            raise TypeError(
                "argument must be a string, a number or a date. "
                f"Received: {type(value).__name__} {show(value)}."
            )
    return array


def _has_names(x: Any) -> bool:
    """Returns whether features have names: in a file, a table, or in rows of dicts."""
    if sparse.issparse(x):  # It may be a dict too.
        return False
    if is_paths(x) or is_collected(x) or isinstance(x, dict | TableSource) or hasattr(x, "columns"):
        return True
    if isinstance(x, np.ndarray):
        return x.dtype.names is not None
    return isinstance(x, list) and bool(x) and all(isinstance(row, dict) for row in x)


def _check_filled(table: pd.DataFrame) -> None:
    rows, columns = table.shape
    if columns == 0:
        raise ValueError(
            f"0 feature(s) (shape={table.shape}) while a minimum of 1 is required by the model."
        )
    if rows == 0:
        raise ValueError(
            f"Found array with 0 sample(s) (shape={table.shape}) while a minimum of 1 is required."
        )


def as_labels(y: Any, name: str = "y") -> np.ndarray:
    """Returns labels as an array whose rows can be taken.

    Args:
        y: What was passed for `y`.
        name: Name of the argument. Defaults to `"y"`.

    Raises:
        TypeError: It holds no rows.
    """
    if isinstance(y, pd.Series | pd.DataFrame):
        return y.to_numpy()
    if np.ma.isMaskedArray(y):
        # What is masked is missing, and refused as such.
        return y.astype(object).filled(np.nan) if np.ma.is_masked(y) else np.asarray(y)
    if hasattr(y, "to_pylist"):
        return np.asarray(pd.Series(y.to_pylist()))
    if hasattr(y, "to_numpy"):
        return np.asarray(y.to_numpy())
    found = np.asarray(y) if not isinstance(y, list | tuple) else pd.Series(y).to_numpy()
    if found.ndim == 0:
        what = "label" if name == "y" else "value"
        raise TypeError(f"{name} must hold one {what} a row. Received: {name}={show(y)}.")
    return found


def warn_of_like_classes(labels: np.ndarray, name: str) -> None:
    """Warns of classes that differ in capital letters or blanks alone, which may be one.

    Args:
        labels: The classes.
        name: The target's name.
    """
    alike: dict[str, list[str]] = {}
    for label in labels.tolist():
        if isinstance(label, str):
            alike.setdefault(" ".join(label.split()).casefold(), []).append(label)
    found = next((group for group in alike.values() if len(group) > 1), None)
    if found:
        warnings.warn(
            f"The target {name!r} has classes that differ in capital letters or blanks alone: "
            f"{', '.join(map(repr, found))}. If they are one class, write it in one way, such as "
            "by y.str.strip().str.lower().",
            stacklevel=3,
        )


def check_weights(weights: Any, rows: int) -> np.ndarray | None:
    """Returns one weight >= 0 a row as float64, or `None`.

    Args:
        weights: What was passed for `sample_weight`.
        rows: Number of rows.

    Raises:
        ValueError: There is another number of weights, or one is negative or not finite.
    """
    if weights is None:
        return None
    if np.ma.is_masked(weights):
        raise ValueError(
            "sample_weight must be one number a row. Received: a masked array with missing weights."
        )
    found = check_array("sample_weight", weights, "one number a row")
    if found.dtype.kind not in "biuf":
        raise ValueError(
            f"sample_weight must be one number a row. Received: sample_weight={show(weights)}."
        )
    found = found.astype("float64")
    if found.shape != (rows,):
        raise ValueError(
            f"sample_weight.shape == {found.shape}, expected ({rows},): one weight a row."
        )
    wrong = ~(np.isfinite(found) & (found >= 0))
    if wrong.any() or not found.any():
        first = found[wrong][0] if wrong.any() else 0.0
        raise ValueError(
            "sample_weight must be finite numbers >= 0, and not every weight zero. "
            f"Received: {first} in {'row ' + str(int(np.argmax(wrong))) if wrong.any() else 'all'}."
        )
    return found


def _is_scalar(x):
    """Whether something is one value; what only offers `__array__` is not asked for its shape."""
    asked = isinstance(x, np.ndarray | np.generic) or not hasattr(x, "__array__")
    return asked and not sparse.issparse(x) and np.ndim(x) == 0
