"""`Bagging`: subnetworks that are trained on samples of the rows."""

import keras
import numpy as np

from adaptive_nets._checks import check_bool, check_config, check_number, show
from adaptive_nets.adanet import Builder, Ensemble, Generator, Report, Subnetwork, TrainingData
from adaptive_nets.adanet.candidates.generator import WrappingGenerator
from adaptive_nets.adanet.candidates.stock.layer_builder import Features
from adaptive_nets.serialization import describe_object, restore_object


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Bagging(WrappingGenerator):
    """Trains each subnetwork of another generator on its own sample of the rows.

    Mixture weights and the leaderboard still use all rows.

    Args:
        generator: The `Generator` whose subnetworks are trained.
        fraction: Size of a sample as a fraction of all rows, > 0. Defaults to 1.
        replacement: Whether a row may be drawn several times (bootstrap). Defaults to `True`.

    Raises:
        TypeError: `generator` is not an `adanet.Generator`.
        ValueError: `fraction` is out of range.

    Example:

    ```python
    import adaptive_nets as an

    an.generators.Bagging(an.generators.Dense(widths=[32, 64], depths=[1]), fraction=0.8)
    ```
    """

    def __init__(self, generator: Generator, fraction: float = 1.0, replacement: bool = True):
        if not isinstance(generator, Generator):
            raise TypeError(f"generator must be an adanet.Generator. Received: {show(generator)}.")
        self.generator, self.replacement = generator, check_bool("replacement", replacement)
        most = None if self.replacement else 1
        self.fraction = check_number("fraction", fraction, 0, most, inclusive="high")

    def generate(
        self, previous: Ensemble | None, iteration: int, reports: list[Report]
    ) -> list["BaggedBuilder"]:
        inner = self.generator.generate(previous, iteration, reports)
        return [BaggedBuilder(builder, self) for builder in inner]

    def get_config(self) -> dict:
        return {
            "generator": describe_object(self.generator),
            "fraction": self.fraction,
            "replacement": self.replacement,
        }

    @classmethod
    def from_config(cls, config: dict) -> "Bagging":
        config = check_config(cls, config)
        return cls(**{**config, "generator": restore_object(config["generator"], "generator")})


class BaggedBuilder(Builder):
    """Wraps another builder and trains its subnetwork on a sample of the rows."""

    def __init__(self, builder: Builder, bagging: Bagging):
        self.builder, self.bagging = builder, bagging
        self.name, self.rescale_output = builder.name, builder.rescale_output
        self.majority = builder.majority

    def build(self, inputs: Features, units: int, previous: Ensemble | None = None) -> Subnetwork:
        return self.builder.build(inputs, units, previous)

    def optimizer(self) -> keras.optimizers.Optimizer:
        return self.builder.optimizer()

    def hyperparameters(self) -> dict:
        return self.builder.hyperparameters()

    def training_data(self, rows: int, seed: int) -> TrainingData:
        size = max(1, round(self.bagging.fraction * rows))
        rng = np.random.default_rng(seed)
        return TrainingData(indices=rng.choice(rows, size, replace=self.bagging.replacement))
