"""The table of `test_every_door`: the kinds of input, and the habits that they come in."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import tensorflow as tf

RNG = np.random.default_rng(0)
ROWS, BATCH = 40, 20
Y = np.arange(ROWS) % 2
NUMBERS = pd.DataFrame(
    RNG.normal(size=(ROWS, 3)).astype("float32"), columns=["age", "b c", "größe"]
).round(1)
MIXED = pd.DataFrame({"age": NUMBERS["age"], "n o": np.arange(ROWS) % 5, "word": ["x", "y"] * 20})


class Pairs(keras.utils.PyDataset):
    """Batches that were made before."""

    def __init__(self, pairs):
        super().__init__()
        self.pairs = pairs

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, k):
        return self.pairs[k]


def pairs(make, frame, y):
    cuts = range(0, len(frame), BATCH)
    return [(make(frame[k : k + BATCH]), y[k : k + BATCH]) for k in cuts]


def columns(frame):
    return {name: frame[name].to_numpy() for name in frame}


def tensors(frame):
    return {name: tf.constant(frame[name].tolist()) for name in frame}


def sliced(make):
    return lambda frame, y: tf.data.Dataset.from_tensor_slices((make(frame), y)).batch(BATCH)


def generated(make):
    """A dataset whose shapes are not known before it is read."""

    def dataset(frame, y):
        dtype = tf.float32 if len(frame) == 0 else tf.as_dtype(frame.to_numpy().dtype)
        elements = pairs(make, frame, y)
        types = (dict.fromkeys(frame, dtype) if make is columns else dtype, tf.int64)
        return tf.data.Dataset.from_generator(lambda: iter(elements), types)

    return dataset


def halves(frame):
    whole = frame.to_numpy()
    return [whole[:, :1], whole[:, 1:]]


# Kinds: functions of a table that return features, or batches of features and labels.
NAMED = {
    "pandas DataFrame": lambda f: f,
    "nullable DataFrame": lambda f: f.convert_dtypes(),
    "polars DataFrame": lambda f: pl.from_dict({n: f[n].to_list() for n in f}),
    "Arrow table": lambda f: pa.Table.from_pandas(f, preserve_index=False),
    "dict of arrays": columns,
    "dict of tensors": tensors,
    "dict of Series": dict,
    "dict of lists": lambda f: f.to_dict("list"),
    "dict of columns [n, 1]": lambda f: {n: v[:, None] for n, v in columns(f).items()},
    "list of row dicts": lambda f: f.to_dict("records"),
    "structured array": lambda f: f.to_records(index=False),
    "masked columns": lambda f: {n: np.ma.masked_array(v, False) for n, v in columns(f).items()},
}
NAMED_BATCHES = {
    "tf.data of dicts": sliced(columns),
    "PyDataset of tables": lambda f, y: Pairs(pairs(lambda part: part, f, y)),
    "generator of row dicts": lambda f, y: iter(pairs(lambda p: p.to_dict("records"), f, y)),
    "tf.data of dicts of unknown shape": generated(columns),
}
PLAIN = {
    "float array": lambda f: f.to_numpy(),
    "tf tensor": lambda f: tf.constant(f.to_numpy()),
    "list of rows": lambda f: f.to_numpy().tolist(),
    "masked array": lambda f: np.ma.masked_array(f.to_numpy(), False),
    "nameless DataFrame": lambda f: pd.DataFrame(f.to_numpy()),
}
PLAIN_BATCHES = {
    "tf.data of tuples": sliced(lambda f: f.to_numpy()),
    "PyDataset of arrays": lambda f, y: Pairs(pairs(lambda part: part.to_numpy(), f, y)),
    "generator of arrays": lambda f, y: iter(pairs(lambda part: part.to_numpy(), f, y)),
    "tf.data of unknown shape": generated(lambda f: f.to_numpy()),
}
INPUTS = {
    "list of arrays": halves,
    "tuple of tensors": lambda f: tuple(map(tf.constant, halves(f))),
}
INPUT_BATCHES = {"tf.data of tuples of inputs": sliced(lambda f: tuple(halves(f)))}
# Text and numbers together are no masked array, and of one dtype in no dataset of unknown shape.
SPACE = {n: NAMED[n] for n in NAMED if n not in ("nullable DataFrame", "masked columns")}
SPACE_BATCHES = {n: NAMED_BATCHES[n] for n in list(NAMED_BATCHES)[:3]}

KINDS = {
    "columns": {**NAMED, "float array": PLAIN["float array"], **NAMED_BATCHES},
    "array": {**PLAIN, **PLAIN_BATCHES},
    "inputs": {**INPUTS, **INPUT_BATCHES},
    "FeatureSpace": {**SPACE, **SPACE_BATCHES},
}
ONE_DTYPE = {
    "tf tensor", "tf.data of tuples", "tf.data of unknown shape", "tuple of tensors",
    "tf.data of tuples of inputs", "tf.data of dicts of unknown shape",
}  # fmt: skip
BATCHED = {*NAMED_BATCHES, *PLAIN_BATCHES, *INPUT_BATCHES}


@dataclasses.dataclass(frozen=True)
class Habit:
    """What somebody does to a table before it is passed on.

    Args:
        change: Function of the table.
        message: The error's text where it is refused; `None` if its values are read.
        by_name: Whether only tables with names can have it. Defaults to `False`.
    """

    change: Callable[[pd.DataFrame], Any]
    message: str | None = None
    by_name: bool = False


def with_age(value):
    def change(frame):
        age = frame["age"].astype(object if isinstance(value, str) else frame["age"].dtype)
        age = age.copy()
        if isinstance(value, str):
            return frame.assign(age=[value] * len(frame))
        age.iloc[3] = value
        return frame.assign(age=age)

    return change


def without(frame):
    return frame.drop(columns="age")


HABITS = {
    "as it was": Habit(lambda f: f),
    "reordered": Habit(lambda f: f[list(f)[::-1]], by_name=True),
    "extra": Habit(lambda f: f.assign(more=f["age"]), by_name=True),
    "renamed": Habit(
        lambda f: f.rename(columns={"age": "aged"}), r"missing: 'age' \(is it 'aged'\?\)", True
    ),
    "missing": Habit(without, "missing: 'age'", True),
    "too few": Habit(without, r"expects|same features|by name|MismatchError"),
    "float64": Habit(lambda f: f.astype({"age": "float64"})),
    "whole numbers": Habit(lambda f: f.assign(age=f["age"].round().astype("int64"))),
    "text": Habit(with_age("old"), "must be numbers|mixed objects|numbers and text"),
    "NaN": Habit(with_age(np.nan), "must be finite.* first in row 3|missing value"),
    "infinity": Habit(with_age(np.inf), "must be finite.* first in row 3"),
    "one row": Habit(lambda f: f[:1]),
    "no rows": Habit(lambda f: f[:0], "empty|0 rows|at least one"),
}


FEW = ("reordered", "missing", "too few", "NaN", "one row")


def cells(doors):
    """Yields every (family, kind, door, habit) that there is."""
    for family, kinds in KINDS.items():
        for kind in kinds:
            for door, its in doors.items():
                if family not in its.families:
                    continue
                for name, habit in HABITS.items():
                    nameless = kind in PLAIN or family in ("array", "inputs")
                    # A table without "age" is refused by its name or, without names, by its shape.
                    if habit.by_name if nameless else name == "too few":
                        continue
                    if kind == "list of rows" and name == "no rows":
                        continue
                    # A tensor holds one dtype.
                    if name == "text" and kind in ONE_DTYPE:
                        continue
                    # TensorFlow's generators and the files of a search are slow to read.
                    if name not in FEW and ("unknown" in kind or its.slow):
                        continue
                    yield family, kind, door, name
