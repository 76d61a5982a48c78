"""Warnings of columns and rows that give the target away, before anything is trained."""

import warnings

import numpy as np
import pandas as pd

from adaptive_nets.automl.judging.division import Division
from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.targets import Classes, Target
from adaptive_nets.data.columns.date_text import parse_dates
from adaptive_nets.data.columns.naming import some
from adaptive_nets.data.columns.number_text import parse_numbers
from adaptive_nets.data.schema import Schema

# Rows that columns are looked at in; with fewer, or with less of all but the largest class, chance
# makes columns that fit.
_SAMPLE, _LEAST_ROWS, _LEAST_OTHERS = 2000, 30, 8
# From here on a column gives the target away: from 0 (none of it) to 1. Of iris, petals reach .9.
# For numbers, .85 is about R² = .98.
_CLASSES, _NUMBERS, _ROW_NUMBERS = 0.95, 0.85, 0.5
# So large a share of equal neighbours makes a column one of categories.
_SHARED = 0.5
# Copies are reported from so many rows and so large a share on, where so few rows of the training
# would be equal by chance.
_LEAST_COPIES, _LEAST_COPIED, _CHANCE = 3, 0.01, 0.005


def warn_of_leaks(
    schema: Schema, train: Labelled, held: Labelled, target: Target, division: Division
) -> list[str]:
    """Warns of columns that give the target away, and of training rows among those held out.

    Args:
        schema: How the table is read.
        train: Rows to train on.
        held: Rows that are held out.
        target: The target.
        division: How rows are held out.

    Returns:
        The warnings.
    """
    found = []
    codes = target.codes(train.y) if isinstance(target, Classes) else None
    rows = _sample(codes, train, division)
    y = _distances_of(codes if codes is not None else np.asarray(train.y, "float64"), rows)
    if len(rows) >= _LEAST_ROWS and _is_varied(codes, rows):
        least = _NUMBERS if codes is None else _CLASSES
        found += _leaking_columns(schema, train.x, rows, y, least, division.column)
    copies = count_copies([f.name for f in schema.features], train, held)
    if copies >= max(_LEAST_COPIES, _LEAST_COPIED * len(held.x)):
        found.append(
            f"{copies} of {len(held.x)} held-out rows ({copies / len(held.x):.0%}) equal a "
            "training row in all features and in the target, so that results on held-out rows are "
            "better than they would be on new rows. Remove copies, such as by "
            "table.drop_duplicates(), or keep rows that belong together on one side by groups=."
        )
    for each in found:
        warnings.warn(each, stacklevel=4)
    return found


def _leaking_columns(schema, table, rows, y, least, known):
    leaks, ids, told = [], [], []
    for feature in (*schema.features, *schema.ignored):
        if feature.name not in table.columns or feature.name == known or feature.kind == "text":
            continue
        values = _order(feature, table[feature.name].iloc[rows])
        if values is None:
            continue
        found = max(follows(values, each) for each in y)
        numbered = _is_row_number(table[feature.name], rows)
        if numbered and found >= _ROW_NUMBERS:
            ids.append(feature.name)
        elif not numbered and found >= least and feature.kind != "ignore":
            leaks.append(feature.name)
    if leaks:
        told.append(
            f"{_columns(leaks)} alone the target can be predicted nearly perfectly. Leave out what "
            "is only known once the target is. If it says which rows belong together, pass it as "
            "groups=.",
        )
    if ids:
        left_out = {f.name for f in schema.ignored}.issuperset(ids)
        leave = "It is not used as a feature." if left_out else "Leave it out of the table."
        told.append(
            f"Rows are ordered by the target: {some(ids)} numbers them, and rows that follow each "
            f"other have like targets. {leave} If rows stand in the order of time, hold out the "
            f"last ones by time={ids[0]!r}.",
        )
    return told


def _columns(names):
    return f"From column {names[0]!r}" if len(names) == 1 else f"From each of {some(names)}"


def _sample(codes, train, division):
    """Returns row numbers in random order: as many of each class, and one of each group."""
    order = np.random.default_rng(0).permutation(len(train.x))
    if division.groups is not None:
        order = order[~pd.Series(train.by[order]).duplicated().to_numpy()]
    if codes is not None:
        drawn = pd.Series(codes[order])
        most = max(_SAMPLE // drawn.nunique(), _LEAST_OTHERS)
        order = order[(drawn.groupby(drawn).cumcount() < most).to_numpy()]
    return order[:_SAMPLE]


def _is_varied(codes, rows):
    if codes is None:
        return True
    return len(rows) - np.bincount(codes[rows]).max() >= _LEAST_OTHERS


def _distances_of(y, rows):
    """Returns classes, or the ranks of each target of numbers."""
    y = y[rows]
    if y.dtype.kind in "iu":
        return [y]
    return [pd.Series(column).rank().to_numpy() for column in y.reshape(len(y), -1).T]


def _order(feature, values):
    """Returns numbers in the order of a column's values, or `None` if they have none."""
    if feature.kind in ("number", "boolean", "date"):
        try:
            with warnings.catch_warnings():
                # They are given when all rows are read.
                warnings.simplefilter("ignore")
                read = feature.read(values.reset_index(drop=True))[:, 0]
        except ValueError:
            return None
        if feature.dtype == "string":
            parse = parse_dates if feature.kind == "date" else parse_numbers
            read = parse(read.astype(str), feature.style)[0]
        return pd.Series(read).rank().to_numpy()
    try:
        return pd.factorize(values, sort=True)[0].astype("float64")
    except TypeError:
        return None


def _is_row_number(column, rows):
    """Returns whether a column counts rows: whole numbers, all different and close together."""
    if getattr(column.dtype, "kind", "") not in ("i", "u", "f"):
        return False
    some_values = column.iloc[rows].to_numpy("float64", na_value=np.nan)
    if not np.isfinite(some_values).all() or (some_values % 1).any():
        return False
    if len(np.unique(some_values)) < len(some_values):
        return False
    return float(column.max()) - float(column.min()) < 3 * len(column)


def follows(x: np.ndarray, y: np.ndarray) -> float:
    """Returns how well a target follows a column: 1 as a function of it, about 0 without any tie.

    It compares how far apart the targets of neighbours in the column's order are with how far
    apart those of any two rows are (for ranks of numbers, Chatterjee's correlation).

    Args:
        x: `[rows]` numbers, perhaps NaN, in random order, so that equal ones are too.
        y: `[rows]` classes as integers, or ranks as floating-point numbers.
    """
    n = len(y)
    order = np.argsort(x, kind="stable")
    ordered = y[order]
    if y.dtype.kind in "iu":
        counts = np.bincount(y)
        any_two = (n * n - (counts**2).sum()) / (n * (n - 1))
        apart, least = ordered[1:] != ordered[:-1], (np.count_nonzero(counts) - 1)
    else:
        any_two = 2 * ((2 * np.arange(n) - n + 1) * np.sort(y)).sum() / (n * (n - 1))
        apart, least = np.abs(np.diff(ordered)), np.ptp(y)
    least = least / (n - 1)
    if any_two <= least:
        return 0.0
    found = 1 - (apart.mean() - least) / (any_two - least)
    same = x[order][1:] == x[order][:-1]
    if same.mean() >= _SHARED:
        # Of categories, whose order says nothing, rows of one are compared.
        found = max(found, 1 - apart[same].mean() / any_two)
    return float(found)


def count_copies(names: list[str], train: Labelled, held: Labelled) -> int:
    """Returns the number of held-out rows that equal a training row, target included.

    It is 0 where columns have so few values that rows are equal by chance.

    Args:
        names: The features.
        train: Rows to train on.
        held: Rows that are held out.
    """
    if not set(names) <= set(train.x.columns) & set(held.x.columns):
        return 0
    chance, sample = float(len(train.x)), np.linspace(0, len(train.x) - 1, _SAMPLE).astype(int)
    sample = np.unique(sample)
    rows = np.arange(len(train.x))
    key = np.zeros(len(rows) + len(held.x), "int64")
    targets = [np.asarray(y).reshape(len(y), -1).T for y in (train.y, held.y)]
    pairs = [(train.x[name], held.x[name]) for name in names]
    # Numbers tell most rows apart, and are compared sooner than text.
    pairs.sort(key=lambda pair: not _is_plain(pair[0]))
    for place, (first, second) in enumerate([*pairs, *zip(*targets, strict=True)]):
        try:
            if place < len(names):
                counts = pd.Series(np.asarray(first)[sample]).value_counts(dropna=False).to_numpy()
                many = len(sample)
                chance *= (1 + (counts * (counts - 1)).sum()) / max(many * (many - 1), 1)
            codes, known = pd.factorize(_joined(first, second, rows), use_na_sentinel=False)
        except TypeError:
            return 0
        key, _ = pd.factorize(key * len(known) + codes)
        among = np.zeros(key.max() + 1, bool)
        among[key[len(rows) :]] = True
        kept = among[key[: len(rows)]]
        rows, key = rows[kept], np.concatenate([key[: len(rows)][kept], key[len(rows) :]])
        if not len(rows):
            return 0
    return int(np.isin(key[len(rows) :], key[: len(rows)]).sum()) if chance < _CHANCE else 0


def _is_plain(column):
    return isinstance(column.dtype, np.dtype) and column.dtype.kind in "biufM"


def _joined(first, second, rows):
    """Returns values of some training rows and of all held-out rows, as one array."""
    parts = [np.asarray(first)[rows], np.asarray(second)]
    if all(part.dtype.kind in "biuf" for part in parts):
        return np.concatenate([part.astype("float64") for part in parts])
    if parts[0].dtype == parts[1].dtype and parts[0].dtype.kind == "M":
        return np.concatenate(parts)
    return np.concatenate([part.astype(object) for part in parts])
