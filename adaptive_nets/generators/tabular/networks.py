"""The networks: from the columns' vector to logits."""

from collections.abc import Callable

import keras

from adaptive_nets.generators.tabular.columns import read_columns, read_numbers
from adaptive_nets.generators.tabular.layers import (
    CategoryEmbedding,
    InputScale,
    MemberHeads,
    ScaledDense,
    ScaleEnsemble,
    TokenBag,
)
from adaptive_nets.generators.tabular.recipe import Recipe
from adaptive_nets.generators.tabular.statistics import TableStatistics, named_features

# In a RealMLP embeddings of numbers learn this much more slowly than kernels.
EMBEDDING_RATE = 0.1

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
    x, _ = read_columns(inputs, known, recipe.embedding, recipe.codes, EMBEDDING_RATE)
    x, hidden = InputScale()(x), []
    for width in recipe.widths:
        x = ScaledDense(width, "selu")(x)
        x = _dropped(x, recipe)
        hidden.append(x)
    return ScaledDense(units)(x), hidden


def linear(inputs: Inputs, units: int, recipe: Recipe, known: TableStatistics) -> Network:
    """A weight for every value of a category, every token, and every piece of a number."""
    named, terms = named_features(inputs), []
    if "numbers" in named:
        terms += map(_flat, read_numbers(named["numbers"], known.numbers, recipe.embedding))
    terms += [named["missing"]] if "missing" in named else []
    terms = [keras.layers.Dense(units, kernel_initializer="zeros")(term) for term in terms]
    for name in ("categories", "codes"):
        if name in named:
            of = getattr(known, name)
            values = CategoryEmbedding(of.sizes, of.stand_ins, units, scale=0.0)(named[name])
            terms.append(keras.ops.sum(values, axis=1))
    if "tokens" in named:
        places = known.tokens
        bag = TokenBag(len(places), int(places.max()), units, places, scale=0.0)
        terms.append(TOKEN_WEIGHT * keras.ops.sum(bag(named["tokens"]), axis=1))
    return (terms[0] if len(terms) == 1 else keras.layers.Add()(terms)), []


def _flat(x):
    return x if len(x.shape) == 2 else keras.layers.Flatten()(x)


def _dropped(x, recipe):
    return keras.layers.Dropout(recipe.dropout)(x) if recipe.dropout else x


NETWORKS: dict[str, Callable[[Inputs, int, Recipe, TableStatistics], Network]] = {
    "tabm": tabm,
    "mlp": mlp,
    "realmlp": realmlp,
    "linear": linear,
}
