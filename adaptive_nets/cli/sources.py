"""Reads scikit-learn's bundled sets, `.npz` and CSV files, and tensorflow-datasets."""

import contextlib
import sys
import types
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from adaptive_nets.files.arrays import load_arrays

if TYPE_CHECKING:
    import pandas as pd

# Raw arrays by part: x_train and y_train, and x_test and y_test if the source has them.
Parts = dict[str, np.ndarray]

_NPZ_NAMES = {
    "x_train": ("x", "train_x", "x_train"),
    "y_train": ("y", "train_y", "y_train"),
    "x_test": ("x_test", "test_x"),
    "y_test": ("y_test", "test_y"),
}
_TFDS_BATCH = 1024


def bundled(name: str) -> tuple[Parts, list[str] | None]:
    """Reads a data set of scikit-learn: its rows, and its class names if it has any."""
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    # The names of the digits are their labels, and numbers need no names.
    names = [str(each) for each in getattr(bunch, "target_names", ()) if isinstance(each, str)]
    return {"x_train": bunch.data, "y_train": bunch.target}, names or None


def npz(path: str) -> Parts:
    """Reads an `.npz` file of features and labels.

    Args:
        path: Path of the file.

    Returns:
        The parts `x_train` and `y_train`, and `x_test` and `y_test` if the file has them.

    Raises:
        ValueError: The file is not an `.npz` file, holds pickled objects, or lacks an array.
        OSError: The file cannot be read.
    """
    parts = npz_arrays(path)
    tested = {"x_test", "y_test"} & parts.keys()
    for part in ("x_train", "y_train", *(("x_test", "y_test") if tested else ())):
        if part not in parts:
            raise ValueError(
                f"{path!r} has no array named {' or '.join(_NPZ_NAMES[part])}. Expected x and y, "
                f"or x, y, x_test and y_test. Received: {', '.join(parts) or 'none of them'}."
            )
    return parts


def npz_arrays(path: str) -> Parts:
    """Reads the arrays of an `.npz` file that have known names."""
    arrays = npz_all(path)
    return {
        part: arrays[name] for part, names in _NPZ_NAMES.items() for name in names if name in arrays
    }


def npz_all(path: str) -> dict[str, np.ndarray]:
    """Reads all arrays of an `.npz` file by name.

    Raises:
        ValueError: The file is not an `.npz` file, or holds pickled objects.
        OSError: The file cannot be read.
    """
    try:
        return load_arrays(path)
    except ValueError as error:
        raise ValueError(
            f"Cannot read {path!r} as an .npz file of plain arrays: {error}"
        ) from error


def npz_columns(path: str) -> dict[str, np.ndarray]:
    """Returns all arrays of an `.npz` file by name, each with one entry per row."""
    arrays = npz_all(path)
    if not arrays or any(array.ndim == 0 for array in arrays.values()):
        raise ValueError(
            f"{path!r} must hold an array x, or one array of rows per feature. "
            f"Received: {', '.join(arrays) or 'no arrays'}."
        )
    return arrays


def read_csv(path: str, text: Iterable[str] = (), encoding: str | None = None) -> "pd.DataFrame":
    """Reads a CSV file whose first line names the columns.

    Args:
        path: Path of the file.
        text: Names of columns to read as text even if they hold digits, such as "007".
        encoding: Its encoding. Defaults to `None`: UTF-8.

    Raises:
        ValueError: It is not a CSV file of equally long lines.
        OSError: The file cannot be read.
    """
    import pandas as pd

    from adaptive_nets.data.tables.csv_file import check_encoding, not_utf8

    try:
        encoding = None if encoding is None else check_encoding(encoding)
        with warnings.catch_warnings():
            # Of lines that are longer than the first, pandas would take the beginning for labels.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                path, dtype=dict.fromkeys(text, str), encoding=encoding, index_col=False
            )
    except UnicodeError as error:
        reason = not_utf8(str(error)) if encoding is None else str(error)
        raise ValueError(f"Cannot read {path!r} as a CSV file: {reason}") from error
    except (ValueError, pd.errors.ParserError, pd.errors.ParserWarning) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"Cannot read {path!r} as a CSV file: {reason}") from error


def tfds(name: str, data_dir: str | None) -> tuple[Parts, list[str] | None]:
    """Reads a data set of tensorflow-datasets, and prepares it first if necessary.

    Args:
        name: Name of a data set that defines which feature is its label.
        data_dir: Folder of prepared data sets, or `None` for the package's own default.

    Returns:
        The parts, with a test part if the data set has a split `test`, and the class names if
        they are more than numbers.

    Raises:
        ValueError: The data set is unknown, or cannot be read as arrays of features and labels.
        ImportError: tensorflow-datasets is missing.
    """
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise missing("tensorflow-datasets", f"tfds:{name}") from error
    with _warnings_withheld():
        return _read_tfds(tensorflow_datasets, name, data_dir)


def _read_tfds(
    tensorflow_datasets: types.ModuleType, name: str, data_dir: str | None
) -> tuple[Parts, list[str] | None]:
    try:
        builder = tensorflow_datasets.builder(name, data_dir=data_dir)
    except tensorflow_datasets.core.DatasetNotFoundError as error:
        raise ValueError(f"tensorflow-datasets has no data set {name!r}.") from error
    keys = builder.info.supervised_keys
    if keys is None or len(keys) != 2:
        raise ValueError(
            f"tfds:{name} does not define which feature is its label, so it cannot be used here. "
            f"Received: features {', '.join(builder.info.features)}."
        )
    # Its download messages do not belong in the command's output.
    with contextlib.redirect_stdout(sys.stderr):
        builder.download_and_prepare()
    parts = {}
    for part in ("train", "test") if "test" in builder.info.splits else ("train",):
        rows = builder.as_dataset(split=part, as_supervised=True)
        if not all(spec.shape.is_fully_defined() for spec in rows.element_spec):
            raise ValueError(
                f"tfds:{name} cannot be read as arrays: its rows have different shapes."
            )
        batches = list(tensorflow_datasets.as_numpy(rows.batch(_TFDS_BATCH)))
        parts[f"x_{part}"] = np.concatenate([features for features, _ in batches])
        parts[f"y_{part}"] = np.concatenate([labels for _, labels in batches])
    names = getattr(builder.info.features[keys[1]], "names", None)
    if names == [str(label) for label in range(len(names or ()))]:
        names = None
    return parts, names


@contextlib.contextmanager
def _warnings_withheld() -> Iterator[None]:
    """Hides what tensorflow-datasets logs about its own deprecations, unless debugging."""
    verbosity = logging.get_verbosity()
    if verbosity < logging.DEBUG:
        logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def missing(package: str, name: str) -> ImportError:
    """Returns the error that says which optional package the data set `name` needs."""
    return ImportError(
        f"{name} needs {package}, which is not installed: pip install 'adaptive-nets[examples]'"
    )
