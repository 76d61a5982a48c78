"""`TabularBuilder`: builds and trains one network for tables."""

import keras

from adaptive_nets.adanet import Builder, Ensemble, RoundSchedule, Subnetwork
from adaptive_nets.adanet.candidates.stock.layer_builder import Features
from adaptive_nets.generators.tabular.networks import NETWORKS
from adaptive_nets.generators.tabular.recipe import Recipe
from adaptive_nets.generators.tabular.schedule import LateDecay
from adaptive_nets.generators.tabular.statistics import TableStatistics

# Weights whose names have these in them do not decay.
NOT_DECAYED = ("bias", "scale", "embedding")


class TabularBuilder(Builder):
    """Builds one network of a recipe.

    Args:
        recipe: The `Recipe`.
        statistics: `TableStatistics` of the training rows.
        majority: Options of `majority.expand`, or `None`. Defaults to `None`.
    """

    rescale_output = True

    def __init__(self, recipe: Recipe, statistics: TableStatistics, majority: dict | None = None):
        self.name, self.recipe, self.statistics = recipe.name, recipe, statistics
        self.majority = majority

    def build(self, inputs: Features, units: int, previous: Ensemble | None = None) -> Subnetwork:
        recipe = self.recipe
        found, hidden = NETWORKS[recipe.kind](inputs, units, recipe, self.statistics)
        if len(found.shape) == 3:
            return Subnetwork(heads=found, depth=len(recipe.widths))
        return Subnetwork(found, hidden[-1] if hidden else None, hidden, len(recipe.widths))

    def optimizer(self) -> keras.optimizers.Optimizer:
        recipe = self.recipe
        rate = RoundSchedule(LateDecay(recipe.learning_rate))
        optimizer = keras.optimizers.AdamW(
            rate, weight_decay=recipe.weight_decay, beta_2=recipe.beta_2
        )
        optimizer.exclude_from_weight_decay(var_names=list(NOT_DECAYED))
        return optimizer

    def hyperparameters(self) -> dict:
        return self.recipe.described()
