"""The networks: from the columns' vector to logits."""

from collections.abc import Callable

import keras

from adaptive_nets.generators.tabular.columns import (
    cut_numbers,
    read_columns,
    read_tokens,
    varying,
)
from adaptive_nets.generators.tabular.layers import (
    Buckets,
    CategoryEmbedding,
    ColumnSum,
    Crosses,
    InputScale,
    MemberHeads,
    PiecewiseLinear,
    ScaledDense,
    ScaleEnsemble,
)
from adaptive_nets.generators.tabular.recipe import Recipe
from adaptive_nets.generators.tabular.statistics import TableStatistics, named_features

# In a RealMLP embeddings of numbers and of categories learn this much more slowly than kernels, or
# they overfit.
EMBEDDING_RATES = (0.1, 0.3)

# Parts of a number's range, and most columns, whose pairs a wide model reads.
BUCKETS, MOST_CROSSED = 12, 16

# Of a text's tokens, which are averaged, single ones tell of its class.
TOKEN_WEIGHT = 10.0

Inputs = keras.KerasTensor | dict[str, keras.KerasTensor]
# Logits [rows, units] or heads [rows, k, units], and the hidden layers.
Network = tuple[keras.KerasTensor, list[keras.KerasTensor]]


def tabm(inputs: Inputs, units: int, recipe: Recipe, known: TableStatistics) -> Network:
    """TabM: members that share kernels and differ by their scales, each with its own head."""
    x, sizes = read_columns(inputs, known, recipe.embedding, recipe.codes)
    start = "normal" if max(sizes) > 1 else "signs"
    full = recipe.scales == "all"
    x = ScaleEnsemble(recipe.members, start, sizes)(x)
    for layer, width in enumerate(recipe.widths):
        if full and layer:
            x = ScaleEnsemble(recipe.members)(x)
        x = keras.layers.Dense(width, use_bias=not full)(x)
        if full:
            x = ScaleEnsemble(recipe.members, use_bias=True)(x)
        x = keras.layers.Activation("relu")(x)
        x = _dropped(x, recipe)
    return MemberHeads(units)(x), []


def mlp(inputs: Inputs, units: int, recipe: Recipe, known: TableStatistics) -> Network:
    """Fully connected layers."""
    x, _ = read_columns(inputs, known, recipe.embedding, recipe.codes)
    hidden = []
    for width in recipe.widths:
        x = keras.layers.Dense(width, "relu")(x)
        x = _dropped(x, recipe)
        hidden.append(x)
    return keras.layers.Dense(units)(x), hidden


def realmlp(inputs: Inputs, units: int, recipe: Recipe, known: TableStatistics) -> Network:
    """RealMLP: learnt input scales, and kernels of unit scale with parametric activations."""
    x, _ = read_columns(inputs, known, recipe.embedding, recipe.codes, EMBEDDING_RATES)
    x, hidden = InputScale()(x), []
    for width in recipe.widths:
        x = ScaledDense(width, "selu")(x)
        x = _dropped(x, recipe)
        hidden.append(x)
    return ScaledDense(units)(x), hidden


def wide(inputs: Inputs, units: int, recipe: Recipe, known: TableStatistics) -> Network:
    """A linear model of the pieces of numbers, of categories, of tokens and of pairs of columns."""
    named, parts, crossed, sizes = named_features(inputs), [], [], []
    for name in ("categories", "codes"):
        if name in named and (recipe.codes or name != "codes"):
            seen = getattr(known, name)
            parts.append(CategoryEmbedding(seen.sizes, seen.stand_ins, units, 0.0)(named[name]))
            crossed.append(named[name])
            sizes += seen.sizes
    if "numbers" in named:
        pieces, _ = cut_numbers(named["numbers"], known.numbers, varying(known.numbers))
        parts.append(PiecewiseLinear(units, linear=False)((pieces, pieces)))
        crossed.append(Buckets(BUCKETS)(pieces))
        sizes += [BUCKETS] * pieces.shape[1]
    if "tokens" in named:
        texts = read_tokens(named["tokens"], known.tokens, units, scale=0.0)
        parts.append(keras.layers.Rescaling(TOKEN_WEIGHT)(texts))
    if "missing" in named:
        parts.append(keras.layers.Dense(units, kernel_initializer="zeros")(named["missing"]))
    sizes = sizes[:MOST_CROSSED]
    if recipe.crosses and len(sizes) > 1:
        parts.append(Crosses(sizes, units)(crossed))
    return ColumnSum()(parts), []


def _dropped(x, recipe):
    return keras.layers.Dropout(recipe.dropout)(x) if recipe.dropout else x


NETWORKS: dict[str, Callable[[Inputs, int, Recipe, TableStatistics], Network]] = {
    "tabm": tabm,
    "mlp": mlp,
    "realmlp": realmlp,
    "wide": wide,
}
