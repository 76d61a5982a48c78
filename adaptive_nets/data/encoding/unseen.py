"""Categories of which no value was in the training data: perhaps they are written differently."""

import warnings
from collections.abc import Iterator
from typing import Any, TypeVar

import keras
import numpy as np
import pandas as pd

from adaptive_nets.data.columns.feature import Feature
from adaptive_nets.data.columns.naming import some
from adaptive_nets.data.columns.number_text import MISSING_CATEGORIES, is_missing_word
from adaptive_nets.data.columns.values import MISSING_INTEGER
from adaptive_nets.data.encoding import keys
from adaptive_nets.data.encoding.layer import TableEncoding
from adaptive_nets.data.tables.source import TableSource, as_frame
from adaptive_nets.keras_internals import layers_in

_Table = TypeVar("_Table", pd.DataFrame, TableSource)
# Fewer values may well all be new.
_LEAST_VALUES = 10
# The first rows are enough to tell.
_MOST_ROWS = 1000


def check_seen(model: keras.Model, table: _Table) -> _Table:
    """Warns of categories without any known value, such as "male" where "Male" was learnt.

    Looks at the first 1,000 rows, and only at columns with ten values or more. Returns the table.

    Args:
        model: A model of raw columns. One without a `TableEncoding` is left alone.
        table: Rows to predict.
    """
    rows: Any = table
    if isinstance(table, TableSource):
        rows = next((as_frame(part.table) for part in table.batches(rows=_MOST_ROWS)), [])
    for layer in layers_in(model) if len(rows) >= _LEAST_VALUES else ():
        if isinstance(layer, TableEncoding):
            for feature, values in _unseen(layer, rows.iloc[:_MOST_ROWS]):
                warnings.warn(
                    f"Feature '{feature.name}' has no value that was in the training data, so "
                    "all of its values count as unseen. Are they written differently? "
                    f"Received: {some(map(repr, values.tolist()))}.",
                    stacklevel=5,
                )
    return table


def _unseen(layer: TableEncoding, table: pd.DataFrame) -> Iterator[tuple[Feature, np.ndarray]]:
    """Yields categories without any known value, and their values."""
    features = {feature.key: feature for feature in layer.schema.features}
    known = np.asarray(layer.learnt["keys"]) if "keys" in layer.learnt else np.empty(0, "int64")
    for place, key in enumerate(layer.plan.categories):
        feature = features[key]
        name = feature.name if feature.name in table else key
        if name not in table:
            continue
        values = feature.read(table[name])[:, 0]
        if feature.dtype == "string":
            values = values[~is_missing_word(values, MISSING_CATEGORIES)]
        else:
            values = values[(values != MISSING_INTEGER) & ~np.isnan(values)]
        if len(values) >= _LEAST_VALUES:
            values = pd.unique(values)
            if not np.isin(keys.salted(keys.keys_of(values), place), known).any():
                yield feature, values
