"""The encoding of a table's columns, learnt from training rows."""

import keras
import numpy as np
import pandas as pd

from adaptive_nets.data.schema import Schema
from adaptive_nets.data.specs import make_inputs


def learn_columns(schema: Schema, table: pd.DataFrame) -> keras.Model:
    """Returns the model from raw columns to encoded ones.

    Args:
        schema: How the table is read.
        table: The training rows.
    """
    columns = schema.read(table)
    inputs = make_inputs(schema.spec)
    joined = keras.ops.concatenate(
        [keras.ops.cast(inputs[key], "float32") for key in columns], axis=1
    )
    values = np.concatenate([np.asarray(each, "float64") for each in columns.values()], axis=1)
    deviation = values.std(axis=0)
    numbers = keras.layers.Normalization(
        mean=values.mean(axis=0), variance=np.where(deviation > 0, deviation, 1.0) ** 2
    )(joined)
    return keras.Model(inputs, {"numbers": numbers})
