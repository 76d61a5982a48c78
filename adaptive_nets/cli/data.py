"""Loads the data set of `--data`, with a training and a test part."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from adaptive_nets.cli import sources

BUNDLED = ("digits", "breast_cancer", "wine", "iris", "diabetes")
FORMS = f"{', '.join(BUNDLED)}, npz:FILE or tfds:NAME"
PREDICTED_FORMS = f"{', '.join(BUNDLED)}, csv:FILE, npz:FILE or tfds:NAME"


@dataclasses.dataclass(frozen=True)
class DataSet:
    """Features and labels of a training and a test part.

    Args:
        name: The source, as given on the command line.
        x_train: float32 array `[rows, ...]`.
        y_train: Raw labels `[rows]` or `[rows, columns]`.
        x_test: float32 array `[rows, ...]`.
        y_test: Raw labels.
        head: `"binary"`, `"multi_class"`, `"multi_label"` or `"regression"`.
        one_hot: Whether each row of the labels is the one-hot code of a class. Defaults to `False`.
        class_names: Names of the classes by label. Defaults to `None`: the labels themselves.
        held_out: Fraction of the rows held out for testing. Defaults to `None`: the source has
            its own test part.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    head: str
    class_names: list[str] | None = None
    held_out: float | None = None
    one_hot: bool = False

    def for_head(self, kind: str) -> "DataSet":
        """Returns the data set with its labels as a kind of head takes them.

        Args:
            kind: A value of `head`, or `"auto"` for the one that the labels suggest.

        Returns:
            A data set for that head. One-hot rows are the numbers of their classes, unless the
            head takes several labels or numbers.
        """
        kind = self.head if kind == "auto" else kind
        if not self.one_hot or kind in ("multi_label", "regression"):
            return dataclasses.replace(self, head=kind, one_hot=False)
        names = self.class_names or list(range(self.y_train.shape[1]))
        return dataclasses.replace(
            self,
            y_train=self.y_train.argmax(axis=1),
            y_test=self.y_test.argmax(axis=1),
            head=kind,
            class_names=names,
        )

    @property
    def description(self) -> str:
        """One line that is shown before the search starts."""
        shape = " x ".join(str(size) for size in self.x_train.shape[1:])
        if self.held_out is None:
            part = "the source's own test part"
        else:
            part = f"{self.held_out:.0%} held out"
        return (
            f"{self.name}: {len(self.x_train)} training rows, {len(self.x_test)} test rows "
            f"({part}), features {shape}, {self.head.replace('_', '-')}"
            + (" with one-hot labels (--head=multi_label: independent labels)" * self.one_hot)
        )


def is_name(name: str, predicted: bool = False) -> bool:
    """Returns whether `load`, or `rows_to_predict`, accepts a name of this form."""
    source, _, argument = name.partition(":")
    sourced = ("csv", "npz", "tfds") if predicted else ("npz", "tfds")
    return name in BUNDLED or (source in sourced and bool(argument))


def load(
    name: str, *, test_split: float = 0.25, split_seed: int = 0, data_dir: str | None = None
) -> DataSet:
    """Loads a data set by name.

    Bytes (uint8) become floats between 0 and 1, and images of bytes get a channel axis. All other
    numbers are cast to float32. If the source has no test part, rows are held out by
    scikit-learn's `train_test_split(test_size=test_split, random_state=split_seed)`, stratified
    for classes.

    Args:
        name: A bundled set (`digits`, `breast_cancer`, `wine`, `iris`, `diabetes`), `npz:FILE`
            with the arrays `x` and `y` (and `x_test` and `y_test`; `train_x`, `train_y`,
            `test_x`, `test_y` also work), or `tfds:NAME`.
        test_split: Fraction of the rows held out, between 0 and 1. Defaults to `0.25`.
        split_seed: Seed of the hold-out. Defaults to `0`.
        data_dir: Folder of tensorflow-datasets. Defaults to `None`: the package's own default.

    Returns:
        A `DataSet`.

    Raises:
        ValueError: The source is unknown or its content cannot be used.
        OSError: The file cannot be read.
        ImportError: An optional package that the source needs is missing.

    Example:

    ```python
    from adaptive_nets.cli import data

    data.load("iris").x_test.shape  # (38, 4)
    ```
    """
    if not is_name(name):
        raise ValueError(f"Unknown data set. Expected one of {FORMS}. Received: {name!r}.")
    source, _, argument = name.partition(":")
    if source == "npz":
        parts, class_names = sources.npz(argument), None
    elif source == "tfds":
        parts, class_names = sources.tfds(argument, data_dir)
    else:
        parts, class_names = sources.bundled(name)
    parts = {
        part: _features(name, array) if part.startswith("x") else _labels(array)
        for part, array in parts.items()
    }
    _check_rows(name, "training", parts["x_train"], parts["y_train"])
    if "x_test" in parts:
        _check_rows(name, "test", parts["x_test"], parts["y_test"])
    labels = [array for part, array in parts.items() if part.startswith("y")]
    one_hot = all(map(is_one_hot, labels)) and len({array.shape[1] for array in labels}) == 1
    head = kind_of(labels[0], one_hot)
    held_out = None
    if "x_test" not in parts:
        held_out = test_split
        parts = _hold_out(name, parts["x_train"], parts["y_train"], head, test_split, split_seed)
    return DataSet(
        name=name, head=head, class_names=class_names, held_out=held_out, one_hot=one_hot, **parts
    )


def rows_to_predict(
    name: str, text: Iterable[str] = (), encoding: str | None = None, **options: object
) -> tuple[Any, list[str] | None]:
    """Loads the rows to predict.

    Args:
        name: As in `load`, or `csv:FILE` for a table whose first line names the columns. An `.npz`
            file without labels is used as a whole; one without `x` holds a column per array.
        text: Names of columns to read as text. Defaults to none.
        encoding: Encoding of a CSV file. Defaults to `None`: UTF-8.
        **options: As in `load`.

    Returns:
        Features `[rows, ...]`, or a table or dict of columns, and class names: `x_test` and
        `class_names` of `load`.
    """
    source, _, argument = name.partition(":")
    if source == "csv":
        return sources.read_csv(argument, text, encoding), None
    if source == "npz":
        arrays = sources.npz_arrays(argument)
        if not arrays:
            return sources.npz_columns(argument), None
        if not any(part.startswith("y") for part in arrays):
            return _features(name, arrays.get("x_test", arrays.get("x_train"))), None
    dataset = load(name, **options)
    return dataset.x_test, dataset.class_names


def is_one_hot(labels: np.ndarray) -> bool:
    """Returns whether labels are `[rows, columns]` of 0 and 1 with exactly one 1 in each row."""
    if labels.ndim != 2 or labels.dtype.kind not in "biuf":
        return False
    return bool(np.isin(labels, (0, 1)).all() and (np.count_nonzero(labels, axis=1) == 1).all())


def kind_of(labels: np.ndarray, one_hot: bool = False) -> str:
    """Chooses the head that suits raw labels.

    Args:
        labels: `[rows]` or `[rows, columns]`.
        one_hot: Whether several columns stand for one label. Defaults to `False`.

    Returns:
        For one column: `"regression"` for floats, otherwise `"binary"` for two distinct labels
        and `"multi_class"` for any other number. For several columns: the same by their number if
        they are one-hot, `"multi_label"` if all labels are 0 or 1, otherwise `"regression"`.
    """
    if one_hot:
        return "binary" if labels.shape[1] == 2 else "multi_class"
    if labels.ndim > 1:
        return "multi_label" if np.isin(labels, (0, 1)).all() else "regression"
    if labels.dtype.kind == "f":
        return "regression"
    return "binary" if len(np.unique(labels)) == 2 else "multi_class"


def _features(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name}: features must be numbers. Received: dtype {array.dtype}.")
    if array.dtype == np.uint8:
        array = array[..., None] if array.ndim == 3 else array
        return np.divide(array, 255, dtype="float32")
    return array.astype("float32", copy=False)


def _labels(array: np.ndarray) -> np.ndarray:
    array = array.astype(str) if array.dtype.kind == "S" else array
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _check_rows(name: str, part: str, x: np.ndarray, y: np.ndarray) -> None:
    rows = [len(array) if array.ndim else None for array in (x, y)]
    if rows[0] != rows[1] or not rows[0]:
        raise ValueError(
            f"{name}: features and labels of the {part} part must have the same number of "
            f"rows, at least one. Received: shapes {x.shape} and {y.shape}."
        )


def _hold_out(
    name: str, x: np.ndarray, y: np.ndarray, head: str, test_split: float, split_seed: int
) -> dict[str, np.ndarray]:
    from sklearn.model_selection import train_test_split as split

    classes = y.argmax(axis=1) if y.ndim == 2 else y
    stratify = classes if head in ("binary", "multi_class") else None
    try:
        x_train, x_test, y_train, y_test = split(
            x, y, test_size=test_split, random_state=split_seed, stratify=stratify
        )
    except ValueError as error:
        raise ValueError(
            f"Cannot hold out {test_split:.0%} of the {len(x)} rows of {name} for testing: {error}"
        ) from error
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
