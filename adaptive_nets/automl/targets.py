"""What is predicted: classes, or numbers. Labels in, what a head is trained on out."""

import abc
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import check_classification_targets

from adaptive_nets import heads
from adaptive_nets._checks import show
from adaptive_nets.automl.losses.squared import SquaredErrors
from adaptive_nets.data.columns.number_text import (
    MISSING_NUMBERS,
    is_missing_word,
    parse_numbers,
    style_of,
)

# Squares of larger numbers, or of smaller deviations, are none in float64.
_LARGEST, _LEAST = 1e150, 1e-150
# An offset of so many deviations, or a unit beyond these, would be blurred by float32.
_FAR, _WIDE, _NARROW = 1000.0, 1e30, 1e-30
# A target of this many rows that holds 1, 2, 3, ... in order is a row number.
_FEW_ROWS, _COUNTING_ROWS = 10, 100


class Target(abc.ABC):
    """The target of a table, as it was learnt from the training rows.

    Args:
        name: Its name, for messages.
    """

    def __init__(self, name: str):
        self.name = name

    def plain(self, y: Any) -> np.ndarray:
        """Returns labels of some rows without the signs that they are written with as text."""
        return y

    @abc.abstractmethod
    def encode(self, y: Any) -> np.ndarray:
        """Returns the labels of some rows as the search reads them. Unknown ones are refused."""

    @abc.abstractmethod
    def head(self) -> heads.Head:
        """Returns a new head for the search."""

    @property
    @abc.abstractmethod
    def strata(self) -> bool:
        """Whether splits keep the shares of the encoded labels."""

    @abc.abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Returns what is known as JSON values."""


class Classes(Target):
    """A target of classes: strings, whole numbers, booleans, or what else can be sorted.

    Args:
        labels: The classes, sorted.
        name: The target's name, for messages.
    """

    def __init__(self, labels: np.ndarray, name: str):
        super().__init__(name)
        self.labels = labels

    @classmethod
    def learn(cls, y: Any, name: str) -> "Classes":
        """Learns the classes from training labels.

        Raises:
            ValueError: Labels are missing, are numbers with fractions, are one class, or nearly
                all differ.
        """
        values = read_labels(y, name)
        if values.dtype.kind == "f":
            check_classification_targets(values)
        labels = np.unique(values)
        if len(labels) < 2:
            raise ValueError(
                f"The target {name!r} has one class: there is nothing to tell apart. Expected at "
                f"least two classes. Received: {show(labels.tolist()[0])} in every row."
            )
        if len(values) >= _FEW_ROWS and len(labels) > len(values) / 2:
            raise ValueError(
                f"The target {name!r} has {len(labels)} classes in {len(values)} rows: it looks "
                "like an id. Expected classes of several rows each; numbers are predicted by "
                f"AutoRegressor. Received: {_some(values.tolist(), 2)}."
            )
        return cls(labels, name)

    @property
    def names(self) -> list[Any]:
        """The classes as a head names them: strings, integers or booleans."""
        kind = self.labels.dtype.kind
        listed = self.labels.tolist()
        if kind in "biu" or all(isinstance(label, str) for label in listed):
            return listed
        if all(isinstance(label, bool | int) for label in listed):
            return [int(label) for label in listed]
        return [str(label) for label in listed]

    @property
    def strata(self) -> bool:
        return True

    def codes(self, y: Any) -> np.ndarray:
        """Returns the position of each label among the classes."""
        values = read_labels(y, self.name)
        found = pd.Index(self.labels).get_indexer(values)
        if (found < 0).any():
            row = int(np.argmax(found < 0))
            raise ValueError(
                f"The target {self.name!r} must be one of its {len(self.labels)} classes, "
                f"{_some(self.labels)}. Received: {show(values[row])} in row {row}."
            )
        return found

    def encode(self, y: Any) -> np.ndarray:
        return np.array(self.names, dtype=object)[self.codes(y)]

    def head(self) -> heads.Head:
        if len(self.labels) == 2:
            return heads.BinaryClass(class_names=self.names)
        return heads.MultiClass(class_names=self.names)

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "classes",
            "name": self.name,
            "dtype": self.labels.dtype.str,
            "labels": self.labels.tolist(),
        }


class Numbers(SquaredErrors, Target):
    """A target of numbers, which the search sees with mean 0 and deviation 1.

    Args:
        mean: `[targets]` means of the training rows.
        scale: `[targets]` deviations of the training rows, none of them 0.
        name: The target's name, for messages.
        flat: Whether labels came as `[rows]` and not as `[rows, targets]`.
        style: How numbers are written, if they came as text; see `Feature`. Defaults to `None`.
    """

    def __init__(
        self, mean: np.ndarray, scale: np.ndarray, name: str, flat: bool, style: str | None = None
    ):
        super().__init__(name)
        self.mean, self.scale, self.flat, self.style = mean, scale, flat, style

    @classmethod
    def learn(cls, y: Any, name: str) -> "Numbers":
        """Learns mean and deviation from training labels.

        Raises:
            ValueError: Labels are missing, are text, or number the rows.
        """
        style = _style_of(y)
        values = read_numbers(y, name, style)
        _check_no_count(values, name)
        wide = values.reshape(len(values), -1)
        _check_range(wide, name)
        deviation = wide.std(axis=0)
        scale = np.where(deviation > 0, deviation, 1.0)
        return cls(wide.mean(axis=0), scale, name, values.ndim == 1, style)

    @property
    def strata(self) -> bool:
        return False

    @property
    def unit(self) -> tuple[np.ndarray, np.ndarray]:
        """Offset and factor by which the search's logits become those of the served model."""
        return self.mean, self.scale

    def linear(self, linear: Any) -> Any:
        """Returns a `LinearModel` of the target as one of what the search's networks give."""
        return linear.in_unit(*self.unit)

    @property
    def output_dtype(self) -> str:
        """Dtype of predicted numbers: float64 where float32 would blur them."""
        size = np.abs(self.mean)
        far = (size > _FAR * self.scale) & (size > _FAR)
        wide = np.maximum(size, self.scale)
        return "float64" if (far | (wide > _WIDE) | (self.scale < _NARROW)).any() else "float32"

    def plain(self, y: Any) -> np.ndarray:
        return y if self.style is None else read_numbers(y, self.name, self.style)

    def encode(self, y: Any) -> np.ndarray:
        values = read_numbers(y, self.name, self.style)
        wide = values.reshape(len(values), -1)
        if wide.shape[1] != len(self.mean):
            raise ValueError(
                f"The target must have {len(self.mean)} column(s), as in the training data. "
                f"Received: {wide.shape[1]}."
            )
        return ((wide - self.mean) / self.scale).astype("float32")

    def head(self) -> heads.Head:
        return heads.Regression(len(self.mean))

    def serving_head(self) -> heads.Head:
        """Returns the head that reads the served model's outputs."""
        return heads.Regression(len(self.mean))

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "numbers",
            "name": self.name,
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "flat": self.flat,
            "style": self.style,
        }


def read_labels(y: Any, name: str) -> np.ndarray:
    """Returns labels `[rows]` as an array; of dtype object if they are text.

    Raises:
        ValueError: They are missing in some rows, infinite, or not one per row.
    """
    from sklearn.utils.validation import column_or_1d

    if isinstance(y, pd.DataFrame) and y.shape[1] == 1:
        y = y.iloc[:, 0]
    series = pd.Series(y) if isinstance(y, pd.Series | list | tuple) else None
    values = series.to_numpy() if series is not None else np.asarray(y)
    values = column_or_1d(values, warn=True)
    missing = np.asarray(pd.isna(values))
    _refuse_missing(missing, name, values)
    if values.dtype in (np.float16, np.longdouble):
        values = values.astype("float64")
    if values.dtype.kind in "OUT":
        kinds = {type(value).__name__ for value in values.tolist()}
        if kinds <= {"str", "str_"}:
            # An array of NumPy's own strings would lose what is behind a NUL at their end.
            return np.array([str(value) for value in values.tolist()], dtype=object)
        if kinds <= {"bool", "bool_"}:
            return values.astype(bool)
        if kinds <= {"int", "float", "int64", "float64"}:
            return _check_whole(np.array(values.tolist()), name)
        raise ValueError(
            f"The target {name!r} must hold values of one kind: text, whole numbers or booleans. "
            f"Received: {', '.join(sorted(kinds))}. Convert it, such as by y.astype(str)."
        )
    if values.dtype.kind == "f":
        _check_finite(values, name)
    elif values.dtype.kind not in "biu":
        raise ValueError(
            f"Unknown label type: the target {name!r} must hold text, whole numbers or booleans. "
            f"Received: dtype {values.dtype}."
        )
    return _check_whole(values, name)


def _check_whole(values, name):
    """Returns labels, and refuses whole numbers that 64 bits cannot hold."""
    if values.dtype.kind == "O" or (values.dtype.kind == "u" and values.max() >= 2**63):
        raise ValueError(
            f"The target {name!r} must have classes of at most 64 bits. Pass them as text, such "
            f"as by y.astype(str). Received: {show(max(values.tolist()))}."
        )
    return values


def read_numbers(y: Any, name: str, style: str | None = None) -> np.ndarray:
    """Returns labels `[rows]` or `[rows, targets]` as float64.

    Args:
        y: Labels.
        name: The target's name, for messages.
        style: How numbers are written that come as text; see `Feature`. Defaults to `None`: no
            text is read.

    Raises:
        ValueError: They are missing in some rows, infinite, or no numbers.
    """
    values = np.asarray(y)
    if style is not None and values.dtype.kind in "OUT":
        values = _of_text(values, style)
    if values.ndim not in (1, 2) or values.size == 0:
        raise ValueError(
            f"The target {name!r} must be numbers [rows] or [rows, targets]. "
            f"Received: shape {list(values.shape)}."
        )
    if values.ndim == 2 and values.shape[1] == 1:
        from sklearn.utils.validation import column_or_1d

        values = column_or_1d(values, warn=True)
    _refuse_missing(np.asarray(pd.isna(values)), name, values)
    try:
        numbers = values.astype("float64") if values.dtype.kind != "c" else None
        # Neither text nor dates, nor what has an imaginary part.
        exact = values.dtype.kind in "biuf" or (
            values.dtype.kind == "O" and all(isinstance(v, Real | Decimal) for v in values.flat)
        )
    except (TypeError, ValueError):
        exact = False
    if not exact:
        raise ValueError(f"The target {name!r} must be numbers{_instead_of_numbers(values)}.")
    _check_finite(numbers, name)
    if values.dtype.kind in "iu" and (np.abs(numbers) > 2.0**53).any():
        raise ValueError(
            f"The target {name!r} must be numbers that float64 holds, whole ones up to 2**53. "
            f"Subtract a constant from it. Received: {show(values.max().item())}."
        )
    return numbers


def _instead_of_numbers(values):
    """Returns what a target holds that is not a number, and what is to be done, for a message."""
    if values.dtype.kind == "M":
        return ", such as days since a date: (y - y.min()).dt.days. Received: dates"
    if values.dtype.kind == "m":
        return ", such as seconds: y.dt.total_seconds(). Received: durations"
    text = next((v for v in values.flat if not isinstance(v, Real | Decimal)), values.flat[0])
    texts = np.array([str(v) for v in values.flat if isinstance(v, str)], dtype=object)
    style = _style_of(texts, most=True)
    if style is not None:
        _, _, bad = parse_numbers(texts, style)
        text = texts[bad][0] if bad.any() else text
    return f"; classes are predicted by AutoClassifier. Received: {show(text)}"


def _style_of(y, most=False):
    """Returns how numbers are written that came as text, or `None` if some are not numbers."""
    values = np.asarray(y)
    if values.dtype.kind not in "OUT" or (values.ndim == 2 and values.shape[1] != 1):
        return None
    texts = pd.Series(values.ravel(), dtype=object).dropna()
    if not len(texts) or not all(isinstance(text, str) for text in texts):
        return None
    texts = pd.unique(texts).astype(object)
    style, odd = style_of(texts[~is_missing_word(texts, MISSING_NUMBERS)])
    return style if most or not odd.any() else None


def _of_text(values, style):
    """Returns text as numbers, with NaN where they are missing and text where there is none."""
    found, flat = values.astype(object).ravel(), values.ravel()
    places = [place for place, value in enumerate(flat) if isinstance(value, str)]
    numbers, _, bad = parse_numbers(found[places], style)
    found[places] = np.where(bad, found[places], numbers.astype(object))
    return found.reshape(values.shape)


def _refuse_missing(missing, name, values):
    if missing.any():
        rows = missing.reshape(len(values), -1).any(axis=1)
        raise ValueError(
            f"Input y contains NaN: the target {name!r} is missing in {int(rows.sum())} of "
            f"{len(rows)} rows, first in row {int(np.argmax(rows))}. Leave these rows out, such "
            f"as by table.dropna(subset=[{name!r}])."
        )


def _check_finite(values, name):
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.argwhere(bad)[0][0])
        raise ValueError(
            f"Input y contains infinity or a value too large for float64: the target {name!r} in "
            f"row {row}. Correct it or leave the row out."
        )


def _check_range(values, name):
    largest, spread = np.abs(values).max(), np.ptp(values / 2, axis=0)
    if largest > _LARGEST or ((spread > 0) & (spread < _LEAST)).any():
        raise ValueError(
            f"The target {name!r} must have numbers whose squares are float64 numbers: up to "
            f"{_LARGEST:g}, and with differences of {_LEAST:g} or more. Multiply it by a constant, "
            f"or take its logarithm. Received: numbers up to {largest:g}, differences up to "
            f"{2 * spread.min():g}."
        )


def _check_no_count(values, name):
    if values.ndim == 1 and len(values) >= _COUNTING_ROWS and (np.diff(values) == 1).all():
        raise ValueError(
            f"The target {name!r} numbers the rows: it looks like an id. Expected a quantity. "
            f"Received: {values[0]:g}, {values[1]:g}, {values[2]:g}, ..."
        )


def _some(labels, most=6):
    shown = ", ".join(show(label) for label in list(labels[:most]))
    return shown + (", ..." if len(labels) > most else "")
