"""`fit_encoding`: what an encoding learns from training rows, in one pass over each column."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from adaptive_nets._checks import check_instance
from adaptive_nets.data.columns.number_text import MISSING_CATEGORIES, is_missing_word
from adaptive_nets.data.columns.values import MISSING_INTEGER
from adaptive_nets.data.encoding import dates, keys
from adaptive_nets.data.encoding.layer import RawColumns, TableEncoding
from adaptive_nets.data.encoding.plan import Plan
from adaptive_nets.data.encoding.tokens import token_ids
from adaptive_nets.data.schema import Schema
from adaptive_nets.data.specs import make_inputs

# Most values of a column that are known; rarer ones are read as unseen.
MOST_VALUES = 100_000
# A value is rare below 2 rows, or below this share of them.
RARE_SHARE = 1e-4
# Texts are cut so that this share of them, at most MOST_TOKENS long, loses nothing.
WHOLE_SHARE, MOST_TOKENS = 0.95, 128
_ROWS = 65_536


def fit_encoding(schema: Schema, x: Any) -> keras.Model:
    """Learns from training rows how the columns of a table become tensors.

    Args:
        schema: The schema of the table, from `Schema.infer(table, target=...)`.
        x: The training rows: a table, or what `schema.read` returned.

    Returns:
        A `keras.Model` from a dict of columns `[rows, 1]` by the features' keys to a dict:
        `"numbers"` float32 `[rows, numbers]`, less the median and divided by the range of the
        middle half, 0 where missing; `"missing"` float32 `[rows, m]`, 1 where a number is missing,
        for those that had missing values in these rows; `"categories"` and `"codes"` int32
        `[rows, c]`, codes of values, 0 if missing, 1 if not seen here, 2 if rare (in one row, or
        in less than 0.01 % of them), then 3 for the most frequent value and so on, at most 100,000;
        `"tokens"` int32 `[rows, texts, length]`, ids from 1 to 32,768, filled up with 0. A name is
        left out where it has no columns.

    Raises:
        ValueError: The schema is not one of a table, or the rows do not fit it.

    Example:

    ```python
    import pandas as pd
    import adaptive_nets as an

    table = pd.DataFrame({"age": [31, 52, None], "town": ["Oslo", None, "Oslo"], "paid": [1, 0, 1]})
    schema = an.data.Schema.infer(table, target="paid")
    encode = an.data.encoding.fit_encoding(schema, table)
    search = an.AdaNet(an.heads.BinaryClass(), preprocessing=encode)
    ```
    """
    check_instance("schema", schema, Schema, "a data.Schema")
    if not schema.is_table:
        raise ValueError(
            "schema must be one of a table, from Schema.infer(table, target=...) or "
            "Schema.infer(table, kinds={}). Received: a schema of arrays."
        )
    columns = _read(schema, x)
    plan = Plan.of(schema, {}, [])
    values, seconds = _numbers(plan, columns)
    parts = _parts(plan, seconds)
    gaps = [n for n, v in zip(plan.numbers, values.T, strict=True) if np.isnan(v).any()]
    known, codes = _known_keys(plan, columns, values)
    length = _length(plan, columns)
    layer = TableEncoding(schema.to_dict(), parts, gaps, len(known), length, name="table_encoding")
    inputs = make_inputs(schema.spec)
    encode = keras.Model(inputs, layer(inputs), name="encoding")
    center, scale = _center_and_scale(values)
    learnt = {"center": center, "scale": scale, "keys": known, "codes": codes}
    learnt["zero"] = _zeros(plan, columns)
    for name, variable in layer.learnt.items():
        variable.assign(learnt[name])
    return encode


def _read(schema, x):
    columns = schema.read(x)
    if not len(next(iter(columns.values()))):
        raise ValueError("The table is empty: expected at least one row. Received: 0 rows.")
    return columns


def _tensors(columns):
    """Yields the columns as tensors, some rows at a time."""
    rows = len(next(iter(columns.values())))
    for start in range(0, rows, _ROWS):
        yield {n: tf.convert_to_tensor(a[start : start + _ROWS]) for n, a in columns.items()}


def _numbers(plan, columns):
    """Returns float64 numbers `[rows, numbers]`, and seconds of dates `[rows, dates]`."""
    rows, zero = len(next(iter(columns.values()))), tf.constant(_zeros(plan, columns), "int64")
    values, seconds = np.empty((rows, len(plan.numbers))), np.empty((rows, len(plan.dates)))
    used = {name: columns[name] for name in plan.numbers}
    if not used:
        return values, seconds
    for place, piece in enumerate(_tensors(used)):
        some, read = slice(place * _ROWS, (place + 1) * _ROWS), RawColumns(plan, piece)
        values[some] = read.numbers(zero)
        if plan.dates:
            seconds[some] = read.seconds
    return values, seconds


def _zeros(plan, columns):
    """Returns the medians of whole numbers that need 64 bits."""
    found = []
    for name in plan.whole_numbers:
        values = columns[name][columns[name] != MISSING_INTEGER]
        middle = len(values) // 2
        found.append(np.partition(values, middle)[middle] if len(values) else 0)
    return np.array(found, "int64")


def _center_and_scale(values):
    """Returns the median of each number, and how far its values spread.

    The spread is the range of the middle half. Where that is one value, as in a column of zeros
    with few other numbers, it is the median distance of the others.
    """
    center, scale = np.zeros(values.shape[1]), np.ones(values.shape[1])
    for place in range(values.shape[1]):
        column = values[:, place]
        column = column[~np.isnan(column)]
        if not len(column):
            continue
        with np.errstate(over="ignore"):
            low, center[place], high = np.quantile(column, [0.25, 0.5, 0.75])
            spread = min(high - low, np.finfo("float64").max)
        if not spread > 0:
            others = np.abs(column[column != center[place]] - center[place])
            spread = np.median(others) if len(others) else 1.0
        # TensorFlow takes what is smaller for 0.
        good = np.isfinite(spread) and spread >= np.finfo("float64").tiny
        scale[place] = spread if good else 1.0
    return center, scale


def _parts(plan, seconds):
    """Returns the parts of each date that differ between rows, by key."""
    found = {}
    for place, name in enumerate(plan.dates):
        there = seconds[~np.isnan(seconds[:, place]), place]
        turned = dates.turns(tf.constant(there)) if len(there) else {}
        found[name] = [part for part in turned if np.ptp(turned[part]) > 0]
    return found


def _known_keys(plan, columns, values):
    """Returns the keys of all known values, ascending, and their codes."""
    rows, found, codes = len(next(iter(columns.values()))), [], []
    # Columns are told apart by their places among the encoded ones, in the order of the table.
    places = {name: place for place, name in enumerate([*plan.categories, *plan.codes])}
    for name, distinct, counts in _category_values(plan, columns, values):
        order = np.lexsort((np.arange(len(counts)), -counts))[:MOST_VALUES]
        distinct, counts = distinct[order], counts[order]
        rank = keys.FIRST + np.arange(len(order), dtype="int32")
        rare = counts < max(2, RARE_SHARE * rows)
        codes.append(np.where(rare, np.int32(keys.RARE), rank))
        found.append(keys.salted(keys.keys_of(distinct), places[name]))
    found = np.concatenate([np.empty(0, "int64"), *found])
    codes = np.concatenate([np.empty(0, "int32"), *codes])
    if not len(found) and (plan.categories or plan.codes):
        return np.zeros(1, "int64"), np.full(1, keys.UNSEEN, "int32")
    order = np.argsort(found, kind="stable")
    return found[order], codes[order]


def _category_values(plan, columns, values):
    """Yields each category and code: its key, its values, ascending, and how often they are."""
    import pandas as pd

    for name in plan.words:
        counts = pd.Series(columns[name][:, 0], dtype=object).value_counts(sort=False)
        there = ~is_missing_word(counts.index.to_numpy(object), MISSING_CATEGORIES)
        counts = counts[there].sort_index()
        yield name, counts.index.to_numpy(object), counts.to_numpy()
    places = {name: place for place, name in enumerate(plan.numbers)}
    for name in [*plan.float_categories, *plan.whole_categories, *plan.codes]:
        whole = name in plan.whole_categories or name in plan.whole_codes
        floats = name in plan.float_categories
        column = columns[name][:, 0] if whole or floats else values[:, places[name]]
        there = column != MISSING_INTEGER if whole else ~np.isnan(column)
        yield name, *np.unique(column[there], return_counts=True)


def _length(plan, columns):
    """Returns how many tokens of a text are read."""
    if not plan.texts:
        return 0
    longest = []
    for name in plan.texts:
        texts = columns[name][:, 0]
        some = texts[:: max(1, len(texts) // 20_000)]
        longest.append(
            np.quantile(token_ids(tf.constant(some.tolist())).row_lengths(), WHOLE_SHARE)
        )
    return int(np.clip(np.ceil(max(longest)), 1, MOST_TOKENS))
