"""Training data: checked, encoded, and laid out as rows that can be gathered by index."""

import dataclasses
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from adaptive_nets.adanet.storage import Spool
from adaptive_nets.heads import Head

if TYPE_CHECKING:
    import tensorflow as tf

MEMORY_LIMIT = 1 << 30

Features = np.ndarray | dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class FeatureSpec:
    """Shape (without the batch axis) and dtype of one feature."""

    shape: tuple
    dtype: str

    def __str__(self):
        return f"{self.dtype}{list(self.shape)}"


Spec = FeatureSpec | dict[str, FeatureSpec]


def spec_to_json(spec: Spec) -> dict:
    """A feature spec as JSON values."""
    if isinstance(spec, dict):
        return {name: dataclasses.asdict(s) for name, s in spec.items()}
    return dataclasses.asdict(spec)


def spec_from_json(spec: dict) -> Spec:
    """The feature spec that `spec_to_json` wrote."""
    if set(spec) == {"shape", "dtype"} and isinstance(spec["dtype"], str):
        return FeatureSpec(tuple(spec["shape"]), spec["dtype"])
    return {name: spec_from_json(s) for name, s in spec.items()}


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


def is_dataset(x: Any) -> bool:
    """Whether x is a `tf.data.Dataset`."""
    return hasattr(x, "element_spec")


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
    head: Head,
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


def check_batched(dataset: "tf.data.Dataset") -> None:
    """Refuses datasets that are not batched (features, labels[, weights])."""
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        raise ValueError(
            "A dataset must yield (features, labels) or (features, labels, weights). "
            f"Received: {type(spec).__name__}"
            + (f" of {len(spec)}." if isinstance(spec, tuple) else ".")
        )
    shapes = [s.shape for s in keras.tree.flatten(spec)]
    leading = {s[0] for s in shapes if s.rank}
    if any(s.rank == 0 for s in shapes) or len(leading - {None}) > 1:
        raise ValueError(
            "The dataset is not batched: its elements have no common first axis. "
            "Call dataset.batch(batch_size) first."
        )


def is_endless(dataset: "tf.data.Dataset") -> bool:
    """Whether the dataset says that it never ends."""
    return int(dataset.cardinality()) == -1


def read_dataset(
    dataset: "tf.data.Dataset", limit: int = MEMORY_LIMIT, folder: str | None = None
) -> tuple[Features, np.ndarray, np.ndarray | None]:
    """One pass over a finite dataset: raw `(x, y, weights or None)`, kept by `Spool`."""
    check_batched(dataset)
    unknown = int(dataset.cardinality()) == -2
    spools, structure = None, None
    for element in dataset.as_numpy_iterator():
        if spools is None:
            structure = element
            spools = [Spool(limit, folder) for _ in keras.tree.flatten(element)]
        for spool, batch in zip(spools, keras.tree.flatten(element), strict=True):
            spool.append(batch)
        if unknown and sum(s.bytes for s in spools) > 16 * limit:
            raise ValueError(
                "The dataset does not say its length and gave more than "
                f"{16 * limit >> 30} GiB. If it never ends, add .repeat(); if it does, add "
                ".apply(tf.data.experimental.assert_cardinality(n))."
            )
    if spools is None:
        raise ValueError("The data is empty: expected at least one row. Received: 0 rows.")
    x, y, *w = keras.tree.pack_sequence_as(structure, [s.close() for s in spools])
    return x, y, (w[0] if w else None)


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


class Batches:
    """The seeded order of rows: step s of a round always reads the same rows.

    Every epoch is a fresh permutation; a batch may run over the end of one into the next, so
    all batches are full and every row is seen once an epoch.

    Args:
        rows: Number of rows.
        batch_size: Rows a step.
        seed: Of the order.
        index: The rows of a sample of them, also repeatedly, or `None` for each once.
    """

    def __init__(self, rows: int, batch_size: int, seed: int, index: np.ndarray | None = None):
        self.index = np.arange(rows, dtype="int32") if index is None else np.asarray(index, "int32")
        self.rows, self.size, self.seed = len(self.index), batch_size, seed
        if index is None:
            self.size = min(batch_size, rows)
        self._epoch = (-1, None)

    def _permutation(self, epoch):
        if self._epoch[0] != epoch:
            rng = np.random.default_rng([self.seed, epoch])
            self._epoch = (epoch, rng.permutation(self.index))
        return self._epoch[1]

    def indices(self, step: int, steps: int) -> np.ndarray:
        """int32 row numbers of shape `(steps, batch_size)` from step `step` on."""
        first, last = step * self.size, (step + steps) * self.size
        parts = []
        for epoch in range(first // self.rows, -(-last // self.rows)):
            start = epoch * self.rows
            cut = slice(max(first - start, 0), min(last - start, self.rows))
            parts.append(self._permutation(epoch)[cut])
        return np.concatenate(parts).reshape(steps, self.size)
