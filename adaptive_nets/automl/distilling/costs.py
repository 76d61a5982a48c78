"""What serving a model costs: its time for a row, its parameters, its size on disk."""

import dataclasses
import os
import statistics
import tempfile
import time
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from adaptive_nets.data.schema import Schema

# Rows of a large call, and seconds that are measured for each size.
_ROWS, _SECONDS, _LEAST_CALLS = 1000, 0.3, 5


@dataclasses.dataclass(frozen=True)
class Costs:
    """What it takes to serve a model.

    Args:
        parameters: Number of its weights.
        bytes: Size of the model as a `.keras` file.
        one_row: Microseconds of a call with one row.
        a_row: Microseconds for each row of a call with up to 1,000 rows.
    """

    parameters: int
    bytes: int
    one_row: float
    a_row: float

    def columns(self) -> dict[str, Any]:
        """Returns the figures by the names of a leaderboard's columns."""
        return {
            "parameters": self.parameters,
            "bytes": self.bytes,
            "microseconds_one_row": round(self.one_row, 1),
            "microseconds_a_row": round(self.a_row, 3),
        }


def costs_of(model: keras.Model, schema: Schema, table: pd.DataFrame) -> Costs:
    """Measures a model from raw columns to logits.

    Args:
        model: The model.
        schema: How a table is read.
        table: Rows to predict.
    """
    call = tf.function(lambda features: model(features, training=False))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.keras")
        model.save(path)
        size = os.path.getsize(path)
    table = table.head(_ROWS)
    many = _tensors(schema.read(table))
    one = keras.tree.map_structure(lambda tensor: tensor[:1], many)
    seconds = [_seconds(call, features) for features in (one, many)]
    return Costs(model.count_params(), size, 1e6 * seconds[0], 1e6 * seconds[1] / len(table))


def _tensors(features):
    return keras.tree.map_structure(lambda a: tf.convert_to_tensor(np.asarray(a)), features)


def _seconds(call, features):
    """Returns the median time of a call."""
    call(features)
    taken, began = [], time.perf_counter()
    while len(taken) < _LEAST_CALLS or time.perf_counter() - began < _SECONDS:
        start = time.perf_counter()
        keras.tree.map_structure(np.asarray, call(features))
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)
