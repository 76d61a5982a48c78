"""Columns that say the same, which are to be permuted together."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from adaptive_nets._checks import check_number, show
from adaptive_nets.automl.explaining.values import ORDERED, level_values, ordered_values
from adaptive_nets.data.columns.naming import some
from adaptive_nets.data.schema import Schema

# Columns whose canonical correlation is higher belong together.
_CORRELATED = 0.8
# More values of a category stand together for the rest; more rows are thinned.
_LEVELS, _ROWS = 20, 10_000


def groups_of(schema: Schema, table: pd.DataFrame, asked: Any) -> dict[str, list[str]]:
    """Returns the columns to permute together, by name; none for columns that are not read.

    Args:
        schema: The schema.
        table: Features, by which correlations are measured.
        asked: What was passed for `group_correlated`.

    Raises:
        ValueError: It is none of the forms, or names an unknown column.
    """
    if isinstance(asked, np.bool_):
        asked = bool(asked)
    read = [name for name in schema.names if name in table.columns]
    unread = {name: [] for name in schema.columns if name in table.columns and name not in read}
    if isinstance(asked, Mapping):
        listed = {str(name): _columns(each, schema, asked) for name, each in asked.items()}
    elif isinstance(asked, list | tuple):
        each = [_columns(columns, schema, asked) for columns in asked]
        listed = {" + ".join(columns): columns for columns in each}
    elif asked is None or asked is False:
        listed = {}
    else:
        limit = _CORRELATED
        if asked is not True:
            limit = check_number("group_correlated", asked, 0, 1, inclusive=False)
        listed = {" + ".join(names): names for names in _clusters(schema, table, read, limit)}
    taken = [name for columns in listed.values() for name in columns]
    twice = next((name for name in taken if taken.count(name) > 1), None)
    if twice is not None:
        raise ValueError(
            f"group_correlated must name each column once. Received: {twice!r} in two groups."
        )
    single = {name: [name] for name in read if name not in taken}
    both = set(listed) & (set(single) | set(unread))
    if both:
        raise ValueError(
            "group_correlated must not name a group as a column that is not in it. "
            f"Received: {sorted(both)[0]!r}."
        )
    return {name: [c for c in each if c in read] for name, each in listed.items()} | single | unread


def _columns(given, schema, asked):
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or not names:
        raise ValueError(
            "group_correlated must be True, False, a correlation between 0 and 1, or lists of "
            f"columns, perhaps by name. Received: group_correlated={show(asked)}."
        )
    for name in names:
        if name not in schema.columns:
            raise ValueError(
                f"group_correlated must name columns of the training data: {some(schema.columns)}. "
                f"Received: {show(name)}."
            )
    return list(names)


def _clusters(schema, table, read, limit):
    """Returns clusters of at least two columns by average linkage of their correlations."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(read) < 2:
        return []
    if len(table) > _ROWS:
        table = table.iloc[np.linspace(0, len(table) - 1, _ROWS).astype(int)]
    features = [next(f for f in schema.features if f.name == name) for name in read]
    spaces = [_space(feature, table[feature.name]) for feature in features]
    apart = np.zeros((len(read), len(read)))
    for a in range(len(read)):
        for b in range(a):
            apart[a, b] = apart[b, a] = 1.0 - _correlation(spaces[a], spaces[b])
    labels = fcluster(linkage(squareform(apart), "average"), 1.0 - limit, "distance")
    found = [[n for n, k in zip(read, labels, strict=True) if k == each] for each in set(labels)]
    return [names for names in found if len(names) > 1]


def _space(feature, column):
    """Returns an orthonormal basis `[rows, dimensions]` of what a column says, centred."""
    if feature.kind in ORDERED:
        values = pd.Series(ordered_values(feature, column))
        wide = values.rank().fillna((values.notna().sum() + 1) / 2).to_numpy()[:, None]
    else:
        values = pd.Series(level_values(feature, column)).astype(str)
        known = values.value_counts().index[: _LEVELS - 1]
        wide = (values.to_numpy()[:, None] == known.to_numpy()[None, :]).astype("float64")
    wide = wide - wide.mean(axis=0)
    left, sizes, _ = np.linalg.svd(wide, full_matrices=False)
    return left[:, sizes > 1e-9 * max(sizes.max(initial=0.0), 1.0)]


def _correlation(first, second):
    """Returns the first canonical correlation, less what as many dimensions have by chance."""
    dimensions = first.shape[1] + second.shape[1] - 1
    rows = len(first)
    if min(first.shape[1], second.shape[1]) == 0 or rows - dimensions - 1 < 1:
        return 0.0
    square = min(float(np.linalg.norm(first.T @ second, 2)) ** 2, 1.0)
    square = 1.0 - (1.0 - square) * (rows - 1) / (rows - dimensions - 1)
    return float(np.sqrt(np.clip(square, 0.0, 1.0)))
