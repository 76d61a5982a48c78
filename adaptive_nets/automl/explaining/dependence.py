"""Partial dependence: what a model predicts on average if a column has one value in all rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from adaptive_nets._checks import check_choice, check_integer, show
from adaptive_nets.automl.explaining.targets import columns_of, explained
from adaptive_nets.automl.explaining.values import ORDERED, level_values, ordered_values
from adaptive_nets.automl.targets import Target
from adaptive_nets.data.columns.naming import missing_error
from adaptive_nets.data.schema import Schema

KINDS = ("average", "individual", "both")
# So many rows are predicted at a time.
_ROWS = 16_384
# Values of numbers and dates are taken between these quantiles, as scikit-learn does.
_ENDS = 0.05, 0.95


def depend(
    predict: Callable[[pd.DataFrame], np.ndarray],
    schema: Schema,
    output: Target,
    table: pd.DataFrame,
    column: Any,
    *,
    kind: str,
    points: int,
    rows: int | None,
    target: Any,
    seed: int,
) -> pd.DataFrame:
    """Returns partial dependence, individual curves, or both.

    Args:
        predict: Function from a table to a model's outputs.
        schema: The schema.
        output: What is predicted.
        table: The features.
        column: Name of a column.
        kind: One of `KINDS`.
        points: Number of values of the column.
        rows: At most so many rows are used, which are drawn; `None` for all.
        target: A class, or `None`.
        seed: Seed of the draw.

    Raises:
        ValueError: There is no such column, or it is not used; or another argument is wrong.
    """
    kind = check_choice("kind", kind, KINDS)
    feature = _feature(schema, column)
    points = check_integer("points", points, 2)
    absent = [name for name in schema.names if name not in table.columns]
    if absent:
        raise missing_error(schema.names, absent, table.columns)
    if not len(table):
        raise ValueError("X must have at least one row. Received: 0 rows.")
    wanted = explained(output, target)
    if rows is not None and len(table) > check_integer("rows", rows, 1):
        random = np.random.default_rng(seed)
        numbers = np.sort(random.permutation(len(table))[:rows])
    else:
        numbers = np.arange(len(table))
    places, values = _grid(feature, table[feature.name], points)
    given = table.iloc[numbers].reset_index(drop=True)
    found = np.stack(list(_curves(predict, output, given, table, feature.name, places)))
    parts = [
        frame
        for label, k in wanted
        for frame in _frames(kind, label, values, numbers, found[:, :, k])
    ]
    frame = pd.concat(parts, ignore_index=True)
    return frame.drop(columns="target") if len(wanted) == 1 else frame


def _feature(schema, column):
    if not isinstance(column, str):
        raise ValueError(f"column must be the name of a column. Received: column={show(column)}.")
    feature = next((f for f in schema.features if f.name == column), None)
    if feature is not None:
        return feature
    if column in schema.columns:
        ignored = next(f for f in schema.ignored if f.name == column)
        raise ValueError(
            f"Column {column!r} is not used by the model, so that predictions do not depend on it "
            f"({ignored.reason}). Expected one of its features."
        )
    raise missing_error([column], [column], schema.names)


def _grid(feature, column, points):
    """Returns rows that have the values to try, and these values as they are shown."""
    if feature.kind in ORDERED:
        values = pd.Series(ordered_values(feature, column))
        known = values.dropna().drop_duplicates().sort_values()
        if len(known) > points:
            spread = values.dropna().sort_values()
            shares = np.linspace(*_ENDS, points)
            at = np.unique(np.round(shares * (len(spread) - 1)).astype(int))
            known = spread.iloc[at].drop_duplicates()
    else:
        values = pd.Series(level_values(feature, column), dtype=object)
        counts = values.value_counts()
        first = values.drop_duplicates()
        known = first[first.isin(counts.index[:points])].sort_values(key=lambda v: v.astype(str))
    if len(known) == 0:
        raise ValueError(
            f"Column {feature.name!r} must have some values. Received: {len(column)} rows in which "
            "it is missing."
        )
    shown = known.to_numpy()
    if feature.kind not in ORDERED:
        raw = column.iloc[known.index].astype(object)
        shown = np.array([None if pd.isna(value) else value for value in raw], dtype=object)
    return known.index.to_numpy(), shown


def _curves(predict, output, given, table, name, places):
    """Yields `[rows, columns]` predictions for each value of the column."""
    each = max(1, _ROWS // len(given))
    for start in range(0, len(places), each):
        some = places[start : start + each]
        taken = table[name].iloc[np.repeat(some, len(given))].reset_index(drop=True)
        stacked = pd.concat([given] * len(some), ignore_index=True)
        stacked[name] = taken
        yield from np.split(columns_of(output, predict(stacked)), len(some))


def _frames(kind, label, values, numbers, found):
    if kind != "individual":
        yield pd.DataFrame({"target": label, "value": values, "mean": found.mean(axis=1)})
        if kind == "average":
            return
    count = len(numbers)
    yield pd.DataFrame(
        {
            "target": label,
            "value": np.repeat(values, count),
            "row": np.tile(numbers, len(values)),
            "prediction": found.ravel(),
        }
    )
