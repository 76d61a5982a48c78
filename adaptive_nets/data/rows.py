"""Finite data: checked, encoded, and laid out as rows that can be gathered by index."""

import dataclasses
import zlib
from collections.abc import Iterator
from typing import Any, Protocol

import keras
import numpy as np

from adaptive_nets.data.schema import FeatureSpec, Spec

Features = np.ndarray | dict[str, np.ndarray]


class LabelEncoder(Protocol):
    """What turns raw labels into an array of one row each: a head that has been adapted."""

    def encode(self, y: Any) -> np.ndarray:
        """The encoded labels; raises a `ValueError` for labels it does not know."""


@dataclasses.dataclass
class Rows:
    """Finite data: features, encoded labels and mean-one weights, row by row.

    Attributes:
        x: Array, or dict of arrays, of `n` rows.
        y: Encoded labels, `n` rows.
        w: float32 weights of mean 1, or `None` where all are equal.
    """

    x: object
    y: np.ndarray
    w: np.ndarray | None = None

    def __len__(self):
        return len(self.y)

    @property
    def spec(self) -> Spec:
        return keras.tree.map_structure(
            lambda a: FeatureSpec(
                tuple(a.shape[1:]), "string" if a.dtype.kind in "OS" else str(a.dtype)
            ),
            self.x,
        )

    @property
    def on_disk(self) -> bool:
        return any(isinstance(a, np.memmap) for a in keras.tree.flatten(self.x))

    def in_memory(self) -> "Rows":
        """The rows without memory maps, whose files are this machine's."""
        x = keras.tree.map_structure(np.asarray, self.x)
        return dataclasses.replace(self, x=x, y=np.asarray(self.y))

    def pieces(self, size: int) -> Iterator["Rows"]:
        """Pieces of about equal length, of at most `size` rows."""
        for index in np.array_split(np.arange(len(self)), -(-len(self) // size)):
            yield self.take(index)

    def take(self, index: np.ndarray) -> "Rows":
        x = keras.tree.map_structure(lambda a: a[index], self.x)
        w = None if self.w is None else self.w[index]
        # Of all weights 0 no mean is 1; whoever takes such rows has to look.
        return Rows(x, self.y[index], w if w is None or not w.any() else w / w.mean())

    def fingerprint(self) -> str:
        """A checksum of all rows: two data sets are the same if and (nearly) only if it is."""
        crc = 0
        for a in [*keras.tree.flatten(self.x), self.y, *([] if self.w is None else [self.w])]:
            if a.dtype == object:
                # With its length before it, no string runs over into the next.
                for text in a.flat:
                    raw = text if isinstance(text, bytes) else text.encode()
                    crc = zlib.crc32(b"%d:%b" % (len(raw), raw), crc)
            elif a.size:
                crc = zlib.crc32(np.ascontiguousarray(a).reshape(-1).view("uint8"), crc)
        return f"{len(self)}-{crc:08x}"


def as_features(x: Any) -> Features:
    """Arrays, dicts of arrays, tensors and DataFrames as an array or a dict of arrays."""
    if hasattr(x, "columns") and hasattr(x, "to_numpy"):
        other = [str(c) for c, d in x.dtypes.items() if getattr(d, "kind", "O") not in "fiub"]
        if other:
            raise ValueError(
                f"DataFrame columns must be numeric to be used as features; not so: "
                f"{', '.join(other[:8])}. Encode them (keras.utils.FeatureSpace) or pass a dict "
                "of arrays and a generator that reads it."
            )
        return _as_array(x.to_numpy(dtype="float32"), "features")
    if isinstance(x, dict):
        if not x:
            raise ValueError("Features are an empty dict; expected at least one array.")
        return {str(k): _as_array(v, f"feature '{k}'") for k, v in x.items()}
    return _as_array(x, "features")


def _as_array(values, what):
    try:
        array = np.asanyarray(values)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{what.capitalize()} must be an array with rows of one shape. Received: {error}."
        ) from error
    if array.ndim == 0:
        raise ValueError(
            f"{what.capitalize()} must be an array of rows. Received: {type(values).__name__}."
        )
    if array.dtype == object:
        if not all(isinstance(v, str | bytes) for v in array.flat):
            raise ValueError(
                f"{what.capitalize()} must be numbers or strings. Received: mixed objects "
                "(rows of different length, or None)."
            )
    elif array.dtype.kind not in "fiubSU":
        raise ValueError(
            f"{what.capitalize()} must be numbers or strings. Received: dtype {array.dtype}."
        )
    elif array.dtype.kind == "f" and array.dtype != keras.config.floatx():
        # What does not fit becomes infinite, and is refused with its row.
        with np.errstate(over="ignore"):
            array = array.astype(keras.config.floatx())
    elif array.dtype.kind == "i" and array.dtype.itemsize == 8:
        small = len(array) == 0 or (
            array.min() >= np.iinfo("int32").min and array.max() <= np.iinfo("int32").max
        )
        array = array.astype("int32") if small else array
    elif array.dtype.kind == "U":
        array = array.astype(object)
    if array.ndim == 1:
        array = array[:, None]
    return array


def check_finite(x: Features) -> None:
    """Refuses NaN and infinite features, naming the feature and the first row."""
    named = x.items() if isinstance(x, dict) else [("features", x)]
    for name, array in named:
        if array.dtype.kind != "f":
            continue
        for start in range(0, len(array), 65536):
            bad = ~np.isfinite(array[start : start + 65536]).reshape(
                len(array[start : start + 65536]), -1
            )
            if bad.any():
                row = start + int(np.flatnonzero(bad.any(axis=1))[0])
                raise ValueError(
                    f"'{name}' must be finite; found NaN or infinity first in row {row}. "
                    "Impute or drop such rows."
                )


def make_rows(
    x: Any,
    y: Any,
    head: LabelEncoder,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
) -> Rows:
    """Checks arrays against each other and encodes the labels with an adapted head."""
    x = as_features(x)
    if y is None:
        raise ValueError("Labels are missing: pass y, or a tf.data.Dataset of (features, labels).")
    lengths = {len(a) for a in keras.tree.flatten(x)}
    encoded = head.encode(y)
    n = len(encoded)
    if lengths != {n}:
        raise ValueError(
            f"Features and labels must have the same number of rows. Received: features with "
            f"{' and '.join(map(str, sorted(lengths)))}, labels with {n}."
        )
    if n == 0:
        raise ValueError("The data is empty: expected at least one row. Received: 0 rows.")
    check_finite(x)
    return Rows(x, encoded, _weights(encoded, sample_weight, class_weight))


def _weights(labels, sample_weight, class_weight):
    if sample_weight is None and not class_weight:
        return None
    n = len(labels)
    w = np.ones(n) if sample_weight is None else np.asarray(sample_weight, "float64").reshape(-1)
    if len(w) != n:
        raise ValueError(
            f"sample_weight must have one number a row. Received: {len(w)} for {n} rows."
        )
    if class_weight:
        flat = labels.reshape(n, -1)
        if flat.shape[1] != 1:
            raise ValueError("class_weight needs one class a row; use sample_weight instead.")
        w = w * np.array([float(class_weight.get(int(c), 1.0)) for c in flat[:, 0]])
    if not np.all(np.isfinite(w)) or (w < 0).any() or w.sum() == 0:
        raise ValueError(
            "Weights must be finite, not negative and not all zero. "
            f"Received: minimum {w.min()}, sum {w.sum()}."
        )
    return (w / w.mean()).astype("float32")


def split_rows(rows: Rows, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """A seeded random split into training and validation rows."""
    if not 0 < fraction < 1:
        raise ValueError(f"validation_split must be between 0 and 1. Received: {fraction}.")
    held = round(len(rows) * fraction)
    if held < 1 or held >= len(rows):
        raise ValueError(
            f"validation_split={fraction} of {len(rows)} rows leaves no row on one side."
        )
    order = np.random.default_rng(seed).permutation(len(rows))
    sides = rows.take(np.sort(order[held:])), rows.take(np.sort(order[:held]))
    if any(side.w is not None and not side.w.any() for side in sides):
        raise ValueError(
            f"validation_split={fraction} leaves one side only rows of weight 0; drop such rows."
        )
    return sides
