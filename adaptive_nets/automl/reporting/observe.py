"""What a table looks like: its size, the target, copies, and how its two parts differ."""

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from adaptive_nets.automl.labelled import Labelled
from adaptive_nets.automl.targets import Classes, Target
from adaptive_nets.data.schema import Schema

# Of more rows, so many that are evenly spaced are looked at.
_COPIES, _DRIFT = 100_000, 5000
_MOST_CLASSES, _BINS, _MOST_VALUES = 30, 30, 50
# A column has drifted if its parts differ by more than chance gives in one of a thousand tables,
# and by this much at least.
_CHANCE, _LEAST = 1.95, 0.1


def observe(
    schema: Schema, train: Labelled, held: Labelled | None, target: Target
) -> dict[str, Any]:
    """Returns what a report says of the data, as JSON values.

    Args:
        schema: How the table is read.
        train: Rows to train on.
        held: Rows that are held out, or `None`.
        target: The target.
    """
    # Rows to hold out that do not fit are refused when they are read.
    tables = [rows.x for rows in (train, held) if rows is not None]
    names = [f.name for f in schema.features if all(f.name in x.columns for x in tables)]
    copies, looked, fingerprint = _copies(train, names)
    return {
        "rows": len(train.x),
        "held_rows": 0 if held is None else len(held.x),
        "columns": len(schema.features) + len(schema.ignored),
        "target": _distribution(train, held, target),
        "copies": copies,
        "copies_of": looked,
        "fingerprint": fingerprint,
        "drift": [] if held is None else _drift(train.x, held.x, names),
    }


def _distribution(train, held, target) -> list[list[Any]]:
    """Returns classes with their rows, or ends of bins with theirs."""
    y = train.y if held is None else np.concatenate([train.y, held.y])
    if isinstance(target, Classes):
        counts = np.bincount(target.codes(y), minlength=len(target.labels))
        order = np.argsort(-counts, kind="stable")
        shown, rest = order[:_MOST_CLASSES], order[_MOST_CLASSES:]
        found = [[str(target.labels[place]), int(counts[place])] for place in shown]
        return (
            [*found, [f"{len(rest)} other classes", int(counts[rest].sum())]]
            if len(rest)
            else found
        )
    values = np.asarray(y, "float64").reshape(len(y), -1)
    found = []
    for k in range(values.shape[1]):
        counts, edges = np.histogram(values[:, k], _BINS)
        ends = zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
        found += [[k, *each] for each in ends]
    return found


def _copies(train, names):
    """Returns the rows that equal an earlier one, of how many, and a fingerprint of them."""
    rows = np.unique(np.linspace(0, len(train.x) - 1, min(_COPIES, len(train.x))).astype(int))
    try:
        hashed = pd.util.hash_pandas_object(train.x[names].iloc[rows], index=False).to_numpy()
        labels = np.asarray(train.y)[rows].reshape(len(rows), -1)
        for k in range(labels.shape[1]):
            label = pd.util.hash_array(labels[:, k])
            hashed = hashed * np.uint64(1_000_003) + label
    except (TypeError, ValueError):
        # Values that have no hash, such as lists.
        return None, len(rows), None
    digest = hashlib.sha256(hashed.tobytes()).hexdigest()[:16]
    return int(len(hashed) - len(np.unique(hashed))), len(rows), digest


def _drift(train, held, names) -> list[list[Any]]:
    """Returns by column how far its two parts differ, from 0 to 1, and whether it is by chance.

    It is the Kolmogorov-Smirnov distance of numbers, and the total variation distance of others.
    """
    found = []
    for name in names:
        parts = [_spread(table[name]) for table in (train, held)]
        try:
            distance, count = _distance(*parts)
        except (TypeError, ValueError):
            continue
        limit = _CHANCE * np.sqrt(sum(1 / max(len(part), 1) for part in parts) * count)
        found.append([name, float(distance), bool(distance > max(limit, _LEAST))])
    return sorted(found, key=lambda each: -each[1])


def _spread(column):
    rows = np.linspace(0, len(column) - 1, min(_DRIFT, len(column))).astype(int)
    return column.iloc[np.unique(rows)]


def _distance(one, other):
    """Returns a distance, and by how many times chance exceeds that of numbers."""
    numeric = all(part.dtype.kind in "iufb" if isinstance(part.dtype, np.dtype) else False
                  for part in (one, other))  # fmt: skip
    if numeric and one.nunique() > _MOST_VALUES:
        first, second = (np.sort(part.to_numpy("float64")) for part in (one, other))
        first, second = (part[~np.isnan(part)] for part in (first, second))
        if not len(first) or not len(second):
            return 0.0, 1
        ends = np.concatenate([first, second])
        shares = [np.searchsorted(part, ends, "right") / len(part) for part in (first, second)]
        return float(np.abs(shares[0] - shares[1]).max()), 1
    texts = [part.astype(str) for part in (one, other)]
    counts = [part.value_counts(normalize=True) for part in texts]
    # Values that are seen once tell nothing of a shift: they are one.
    known = counts[0].index[:_MOST_VALUES]
    shares = [count.reindex(known).fillna(0.0).to_numpy() for count in counts]
    shares = [np.append(share, max(0.0, 1.0 - share.sum())) for share in shares]
    return float(np.abs(shares[0] - shares[1]).sum() / 2), max(1, len(known) / 4)
