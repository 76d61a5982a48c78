"""What networks for tables learn from the training rows before they are built."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import ndtri

from adaptive_nets._checks import show
from adaptive_nets._pieces import choose_rows
from adaptive_nets.generators.tabular.layers.categories import SLOTS

# Rows that statistics are computed from.
ROWS = 100_000

# Edges at quantiles of a column's rows, and as many at quantiles of its distinct values. Many
# columns have fewer: at most about so many pieces in all, but at least a few in each.
QUANTILES, ALL_PIECES, LEAST_QUANTILES = 32, 8192, 4

# Pieces that are narrower, relative to the column's scale or its values, are merged.
NARROW = 1e-6

# What occurs less often in training is not a word to learn from.
OFTEN = 2

# Shape of each kind of feature except for the rows, and whether its values are integers.
KINDS = {
    "numbers": (1, False),
    "missing": (1, False),
    "categories": (1, True),
    "codes": (1, True),
    "tokens": (2, True),
}


@dataclasses.dataclass(frozen=True)
class NumberStatistics:
    """What is known of columns of numbers.

    Args:
        edges: `[columns, pieces + 1]`, ascending; the last one is repeated in columns with fewer.
        scores: `[columns, pieces + 1]` normal quantiles of the edges' ranks.
        center: `[columns]` medians.
        scale: `[columns]` spreads, > 0.
    """

    edges: np.ndarray
    scores: np.ndarray
    center: np.ndarray
    scale: np.ndarray

    def counts(self) -> np.ndarray:
        """Returns the number of pieces of each column: 0 for a constant, 1 for two values."""
        return (np.diff(self.edges, axis=1) > 0).sum(axis=1)


@dataclasses.dataclass(frozen=True)
class CategoryStatistics:
    """What is known of columns of categories.

    Args:
        sizes: Number of values of each column, with the slots 0 to 2.
        stand_ins: For each column, what the slots are read as: a slot that training has not seen
            as rare, or as nothing (-1).
    """

    sizes: list[int]
    stand_ins: list[list[int]]

    def of(self, columns: list[int]) -> "CategoryStatistics":
        """Returns the statistics of some columns."""
        return CategoryStatistics(
            [self.sizes[c] for c in columns], [self.stand_ins[c] for c in columns]
        )


@dataclasses.dataclass(frozen=True)
class TableStatistics:
    """What is known of all features.

    Args:
        numbers: `NumberStatistics`, or `None` where there are no numbers.
        categories: `CategoryStatistics`, or `None`.
        codes: `CategoryStatistics`, or `None`.
        tokens: For each id of a token, its place among those that occur often enough, from 1, or 0;
            or `None`.
    """

    numbers: NumberStatistics | None = None
    categories: CategoryStatistics | None = None
    codes: CategoryStatistics | None = None
    tokens: np.ndarray | None = None


def named_features(features: Any) -> dict[str, Any]:
    """Returns features by kind: those of a dict, or one array as `"numbers"`.

    Args:
        features: Arrays or KerasTensors.

    Raises:
        ValueError: A kind is unknown, or a feature has not the shape or dtype of its kind.
    """
    named = dict(features) if isinstance(features, Mapping) else {"numbers": features}
    for name, feature in named.items():
        if name not in KINDS:
            raise ValueError(
                "generators.Tabular reads one array [rows, columns] of numbers, or a dict with "
                f"some of the keys {', '.join(map(repr, KINDS))}. Received: key {show(name)}. "
                "Encode the table first, as AutoClassifier and AutoRegressor do."
            )
        axes, whole = KINDS[name]
        dtype = str(feature.dtype)
        good = "int" in dtype if whole else "int" in dtype or "float" in dtype
        if len(feature.shape) != 1 + axes or not good:
            words = "integers" if whole else "numbers"
            shape = "[rows, texts, length]" if axes == 2 else "[rows, columns]"
            raise ValueError(
                f"generators.Tabular needs {name!r} as {words} of shape {shape}. Received: "
                f"{dtype} of shape {[None, *feature.shape[1:]]}."
            )
    return named


def learn_statistics(features: Any, seed: int = 0) -> TableStatistics:
    """Learns the statistics of training rows.

    Args:
        features: Array, or dict of arrays, as for `named_features`.
        seed: Seed of the sample, if there are more rows than `ROWS`. Defaults to 0.
    """
    named = named_features(features)
    rows = len(next(iter(named.values())))
    order = np.arange(rows)
    if rows > ROWS:
        order = np.sort(np.random.default_rng(seed).choice(rows, ROWS, replace=False))
    some = {name: np.asarray(choose_rows(each, order)) for name, each in named.items()}
    found = {}
    for name, array in some.items():
        if name == "numbers":
            found[name] = number_statistics(array)
        elif name in ("categories", "codes"):
            # All values count, however rare; only numbers are sampled.
            found[name] = category_statistics(np.asarray(named[name]))
        elif name == "tokens":
            found[name] = token_places(array)
    return TableStatistics(**found)


def number_statistics(array: np.ndarray) -> NumberStatistics:
    """Learns edges, normal scores, medians and spreads of columns of numbers."""
    columns = [np.sort(column) for column in array.astype("float64").T]
    quantiles = max(LEAST_QUANTILES, min(QUANTILES, ALL_PIECES // (2 * max(1, len(columns)))))
    listed = [_edges(column, quantiles) for column in columns]
    most = max(2, *map(len, listed))
    edges = np.array([np.pad(each, (0, most - len(each)), "edge") for each in listed])
    scores = np.array([_scores(*pair) for pair in zip(columns, edges, strict=True)])
    center = np.array([np.median(column) for column in columns])
    scale = np.array([_spread(*pair) for pair in zip(columns, center, strict=True)])
    return NumberStatistics(edges, scores, center, scale)


def _edges(column, quantiles):
    """Returns the edges of a sorted column's pieces: a single one if it is constant."""
    values = np.unique(column)
    if len(values) > 2 * quantiles:
        at = np.linspace(0, 1, quantiles + 1)
        values = np.union1d(np.quantile(column, at), np.quantile(values, at))
    kept = [values[0]]
    spread = _spread(column, np.median(column))
    for value in values[1:]:
        if value - kept[-1] > NARROW * max(spread, abs(value), abs(kept[-1])):
            kept.append(value)
    return np.array(kept)


def _scores(column, edges):
    below, up_to = (np.searchsorted(column, edges, side) for side in ("left", "right"))
    rank = (below + up_to) / (2 * len(column))
    least = 0.5 / len(column)
    return ndtri(np.clip(rank, least, 1 - least))


def _spread(column, center):
    low, high = np.quantile(column, (0.25, 0.75))
    if high > low:
        return high - low
    # Most values are one: the spread of the others.
    away = np.abs(column[column != center] - center)
    return 2 * np.median(away) if len(away) else 1.0


def category_statistics(array: np.ndarray) -> CategoryStatistics:
    """Learns the numbers of values of columns of categories, and which slots occur."""
    sizes, stand_ins = [], []
    for column in array.T:
        counts = np.bincount(np.clip(column, 0, None), minlength=SLOTS)
        sizes.append(len(counts))
        other = 2 if counts[2] else -1
        stand_ins.append([slot if counts[slot] else other for slot in range(SLOTS)])
    return CategoryStatistics(sizes, stand_ins)


def token_places(array: np.ndarray) -> np.ndarray:
    """Learns which tokens to embed: those that occur at least `OFTEN` times.

    Args:
        array: `[rows, texts, length]` ids, 0 for padding.

    Returns:
        For each id up to the largest, its place among these from 1, or 0.
    """
    counts = np.bincount(np.clip(array, 0, None).ravel(), minlength=2)
    counts[0] = 0
    kept = counts >= OFTEN
    return np.where(kept, np.cumsum(kept), 0)
