"""The networks: from the columns' vector to logits."""

from collections.abc import Callable

import keras

from adaptive_nets.generators.tabular.columns import read_columns
from adaptive_nets.generators.tabular.layers import (
    InputScale,
    MemberHeads,
    ScaledDense,
    ScaleEnsemble,
)
from adaptive_nets.generators.tabular.recipe import Recipe
from adaptive_nets.generators.tabular.statistics import TableStatistics

# In a RealMLP embeddings of numbers and of categories learn this much more slowly than kernels, or
# they overfit.
EMBEDDING_RATES = (0.1, 0.3)

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


def _dropped(x, recipe):
    return keras.layers.Dropout(recipe.dropout)(x) if recipe.dropout else x


NETWORKS: dict[str, Callable[[Inputs, int, Recipe, TableStatistics], Network]] = {
    "tabm": tabm,
    "mlp": mlp,
    "realmlp": realmlp,
}
