"""Reads arrays from scikit-learn's bundled sets, `.npz` files and tensorflow-datasets."""

import contextlib
import importlib
import sys
import types
import zipfile
from collections.abc import Iterator, Mapping

import numpy as np
from absl import logging

# Raw arrays by part: x_train and y_train, and x_test and y_test where the source has them.
Parts = dict[str, np.ndarray]

_NPZ_NAMES = {
    "x_train": ("x", "train_x", "x_train"),
    "y_train": ("y", "train_y", "y_train"),
    "x_test": ("x_test", "test_x"),
    "y_test": ("y_test", "test_y"),
}
_TFDS_BATCH = 1024


def bundled(name: str) -> tuple[Parts, list[str] | None]:
    """Reads a set that comes with scikit-learn: its rows, and the class names where it has any."""
    bunch = getattr(sklearn("datasets", name), f"load_{name}")()
    # The names of the digits are their labels; numbers need no names.
    names = [str(each) for each in getattr(bunch, "target_names", ()) if isinstance(each, str)]
    return {"x_train": bunch.data, "y_train": bunch.target}, names or None


def npz(path: str) -> Parts:
    """Reads an `.npz` file of features and labels.

    Args:
        path: the file.

    Returns:
        The parts `x_train` and `y_train`, and `x_test` and `y_test` where the file has them.

    Raises:
        ValueError: it is no such file, holds pickled objects, or lacks an array.
        OSError: it cannot be read.
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
    """Reads those arrays of an `.npz` file whose names are known, be it all or none."""
    try:
        # Pickled objects run code when loaded: they are refused, always.
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, Mapping):
            raise ValueError("it holds one array, not arrays by name")
        with archive:
            return {
                part: archive[name]
                for part, names in _NPZ_NAMES.items()
                for name in names
                if name in archive
            }
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"Cannot read {path!r} as an .npz of plain arrays: {error}") from error


def tfds(name: str, data_dir: str | None) -> tuple[Parts, list[str] | None]:
    """Reads a set of tensorflow-datasets, prepared first where it is not yet.

    Args:
        name: a data set that says which feature is its label.
        data_dir: folder of prepared sets; the package's own default if `None`.

    Returns:
        The parts, with a test part where the set has a split `test`, and the class names where
        they are more than numbers.

    Raises:
        ValueError: the set is unknown, or does not fit arrays of features and labels.
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
        raise ValueError(f"tensorflow-datasets knows no data set {name!r}.") from error
    keys = builder.info.supervised_keys
    if keys is None or len(keys) != 2:
        raise ValueError(
            f"tfds:{name} does not say which feature is its label, so the command cannot search "
            f"on it. Received: features {', '.join(builder.info.features)}."
        )
    # What it says while it downloads is no part of a command's output.
    with contextlib.redirect_stdout(sys.stderr):
        builder.download_and_prepare()
    parts = {}
    for part in ("train", "test") if "test" in builder.info.splits else ("train",):
        rows = builder.as_dataset(split=part, as_supervised=True)
        if not all(spec.shape.is_fully_defined() for spec in rows.element_spec):
            raise ValueError(f"tfds:{name} does not fit arrays: its rows differ in shape.")
        batches = list(tensorflow_datasets.as_numpy(rows.batch(_TFDS_BATCH)))
        parts[f"x_{part}"] = np.concatenate([features for features, _ in batches])
        parts[f"y_{part}"] = np.concatenate([labels for _, labels in batches])
    names = getattr(builder.info.features[keys[1]], "names", None)
    if names == [str(label) for label in range(len(names or ()))]:
        names = None
    return parts, names


@contextlib.contextmanager
def _warnings_withheld() -> Iterator[None]:
    """Withholds what tensorflow-datasets logs about its own deprecations, unless debugging."""
    verbosity = logging.get_verbosity()
    if verbosity < logging.DEBUG:
        logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def sklearn(module: str, name: str) -> object:
    """A module of scikit-learn, or an `ImportError` that says how to install it for `name`."""
    try:
        return importlib.import_module(f"sklearn.{module}")
    except ImportError as error:
        raise missing("scikit-learn", name) from error


def missing(package: str, name: str) -> ImportError:
    """The error that says which optional package the data set `name` needs."""
    return ImportError(
        f"{name} needs {package}, which is not installed: pip install 'adaptive-nets[examples]'"
    )
