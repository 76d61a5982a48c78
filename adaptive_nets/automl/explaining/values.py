"""The values of a table's columns as numbers that can be ordered, where they can be."""

import numpy as np
import pandas as pd

from adaptive_nets.data.columns.date_text import days_of_numbers, parse_dates
from adaptive_nets.data.columns.feature import Feature
from adaptive_nets.data.columns.number_text import parse_numbers
from adaptive_nets.data.columns.values import MISSING_INTEGER

ORDERED = ("number", "date")


def ordered_values(feature: Feature, column: pd.Series) -> np.ndarray:
    """Returns numbers as float64 with NaN, or dates as `datetime64[us]` with NaT.

    Args:
        feature: A feature of kind `"number"` or `"date"`.
        column: Its values in a table.
    """
    read = feature.read(column)[:, 0]
    if feature.kind == "date":
        if feature.dtype == "string":
            return parse_dates(read.astype(str), feature.style)[0]
        if feature.style is not None:
            return days_of_numbers(read).astype("datetime64[us]")
        # The least int64 is NaT.
        return read.astype("datetime64[us]")
    if feature.dtype == "string":
        return parse_numbers(read, feature.style)[0]
    numbers = read.astype("float64")
    if read.dtype.kind == "i":
        numbers[read == MISSING_INTEGER] = np.nan
    return numbers


def level_values(feature: Feature, column: pd.Series) -> np.ndarray:
    """Returns `[rows]` values of categories, booleans or texts as they are read, as objects."""
    return feature.read(column)[:, 0].astype(object)
