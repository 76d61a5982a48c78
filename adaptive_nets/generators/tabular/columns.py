"""Columns of a table as one vector: what every network for tables begins with."""

import keras
import numpy as np

from adaptive_nets.generators.tabular.layers import (
    CategoryEmbedding,
    OneHot,
    Periodic,
    Pieces,
    PieceScores,
    PiecewiseLinear,
    SmoothClip,
    TokenBag,
)
from adaptive_nets.generators.tabular.statistics import (
    CategoryStatistics,
    NumberStatistics,
    TableStatistics,
    named_features,
)

# Categories with up to this many values, slots included, are one-hot.
ONE_HOT = 12

# Sizes of embeddings: of a number, a category, a text.
NUMBER_UNITS, CATEGORY_UNITS, TEXT_UNITS = 16, 8, 32

# Standard deviation of the first embeddings of categories.
CATEGORY_SCALE = 0.3

# Of many columns, embeddings are smaller: together they have about this size. Those of one unit or
# none would be no better than normal scores.
ALL_UNITS, LEAST_UNITS = 1024, 2


def read_columns(
    inputs: keras.KerasTensor | dict[str, keras.KerasTensor],
    statistics: TableStatistics,
    embedding: str,
    codes: bool,
    rates: tuple[float, float] = (1.0, 1.0),
) -> tuple[keras.KerasTensor, list[int]]:
    """Returns all columns as one vector per row, and the sizes of the columns' parts in it.

    Args:
        inputs: The features.
        statistics: What is known of them.
        embedding: How numbers are read, as in `Recipe`.
        codes: Whether integers with few values are read as categories too.
        rates: Factors on the learning rates of the embeddings of numbers and of categories.
            Defaults to 1 and 1.
    """
    named, parts, sizes = named_features(inputs), [], []
    if "numbers" in named:
        for tensor in read_numbers(named["numbers"], statistics.numbers, embedding, rates[0]):
            units = tensor.shape[-1] if len(tensor.shape) == 3 else 1
            sizes += [units] * tensor.shape[1]
            parts.append(tensor)
    if "missing" in named:
        parts.append(named["missing"])
        sizes += [1] * named["missing"].shape[-1]
    for name in ("categories", "codes"):
        if name in named and (codes or name != "codes"):
            for tensor, more in read_categories(named[name], getattr(statistics, name), rates[1]):
                parts.append(tensor)
                sizes += more
    if "tokens" in named:
        tensor = read_tokens(named["tokens"], statistics.tokens, TEXT_UNITS)
        parts.append(tensor)
        sizes += [TEXT_UNITS] * tensor.shape[1]
    flat = [t if len(t.shape) == 2 else keras.layers.Flatten()(t) for t in parts]
    return flat[0] if len(flat) == 1 else keras.layers.Concatenate()(flat), sizes


def read_tokens(
    ids: keras.KerasTensor, places: np.ndarray, units: int, scale: float = 0.1
) -> keras.KerasTensor:
    """Returns texts as `[rows, texts, units]`."""
    return TokenBag(len(places), int(places.max()), units, places, scale)(ids)


def varying(known: NumberStatistics) -> list[int]:
    """Returns the columns of numbers that are not constant; all of them, if each is."""
    found = [int(c) for c in np.flatnonzero(known.counts())]
    return found or list(range(len(known.counts())))


def cut_numbers(
    numbers: keras.KerasTensor, known: NumberStatistics, columns: list[int]
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Returns the pieces `[rows, columns, pieces]` and normal scores `[rows, columns]` of some."""
    most = max(1, *(known.counts()[columns]))
    edges, scores = known.edges[columns, : most + 1], known.scores[columns, : most + 1]
    pieces = Pieces(most, edges, columns)(numbers)
    return pieces, PieceScores(scores)(pieces)


def read_numbers(
    numbers: keras.KerasTensor, known: NumberStatistics, embedding: str, rate: float = 1.0
) -> list[keras.KerasTensor]:
    """Returns numbers as `[rows, columns]`, or embedded as `[rows, columns, units]`.

    Columns of two values are read as such, and constant ones not at all. Very many columns are not
    embedded.
    """
    counts = known.counts()
    two, many = ([int(c) for c in np.flatnonzero(which)] for which in (counts == 1, counts > 1))
    if not two and not many:
        two = list(range(len(counts)))
    found = [cut_numbers(numbers, known, two)[1]] if two else []
    units = min(NUMBER_UNITS, ALL_UNITS // max(1, len(many)))
    if units < LEAST_UNITS:
        embedding = {"pieces": "scores", "periodic": "clipped"}.get(embedding, embedding)
    if many and embedding in ("pieces", "scores"):
        pieces, scores = cut_numbers(numbers, known, many)
        if embedding == "pieces":
            scores = PiecewiseLinear(units, rate=rate)((pieces, scores))
        found.append(scores)
    elif many:
        clipped = SmoothClip(known.center[many], known.scale[many], columns=many)(numbers)
        found.append(Periodic(rate=rate)(clipped) if embedding == "periodic" else clipped)
    return found


def read_categories(
    ids: keras.KerasTensor, known: CategoryStatistics, rate: float = 1.0
) -> list[tuple[keras.KerasTensor, list[int]]]:
    """Returns categories as one-hot vectors where values are few, as embeddings elsewhere."""
    found = []
    few = [c for c, size in enumerate(known.sizes) if size <= ONE_HOT]
    many = [c for c, size in enumerate(known.sizes) if size > ONE_HOT]
    for columns, one_hot in ((few, True), (many, False)):
        if not columns:
            continue
        some, chosen = known.of(columns), columns if few and many else None
        if one_hot:
            layer = OneHot(some.sizes, some.stand_ins, chosen)
            found.append((layer(ids), some.sizes))
        else:
            units, scale = CATEGORY_UNITS, CATEGORY_SCALE
            layer = CategoryEmbedding(some.sizes, some.stand_ins, units, scale, chosen, rate)
            found.append((layer(ids), [units] * len(columns)))
    return found
