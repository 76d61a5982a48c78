"""`Energy`: subnetworks whose structure and initial weights an `EnergyNet` learns."""

import pathlib
from typing import Any

import keras
import numpy as np

from adaptive_nets._checks import check_choice, check_integer
from adaptive_nets._pieces import ChosenRows
from adaptive_nets.adanet import Ensemble, Generator, Report, Subnetwork
from adaptive_nets.adanet.candidates.stock.layer_builder import (
    Features,
    MajoritySetting,
    OptimizedBuilder,
    activation_name,
    describe_majority,
    flatten_features,
)
from adaptive_nets.adanet.candidates.stock.optimizers import (
    OptimizerSetting,
    RateSetting,
    describe_optimizer,
    describe_rate,
    make_optimizer,
)
from adaptive_nets.energy import EnergyNet

# Factors by which later rounds multiply the widths.
NEIGHBOURS = (0.5, 2.0)


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Energy(Generator):
    """Fully connected networks whose structure is learnt from the features, without labels.

    Before the first round, an `energy.EnergyNet` learns widths and depth from the training rows,
    once. The first round proposes the learnt structure, with all and with fewer of its layers.
    Later rounds propose neighbours: half as wide, twice as wide, and one layer deeper.

    Args:
        max_layers: Maximum number of learnt layers. Defaults to 2.
        max_units: Maximum number of units per layer. Defaults to 256.
        steps: Training steps per layer of the structure. Defaults to 1,000.
        rows: Maximum number of rows to learn from. Defaults to 10,000.
        init: `"energy"`: subnetworks with the learnt structure also start from the learnt weights.
            `"random"`: only widths and depth are used. Defaults to `"energy"`.
        activation: Activation of the hidden layers. Defaults to `"relu"`.
        optimizer: Name, config or optimizer, which is copied. Defaults to `"adam"`.
        learning_rate: Number or schedule. Defaults to `None`, the optimizer's own.
        majority: Number k of majority kernels, as for `generators.Dense`. Defaults to 1: plain
            layers.
        seed: Seed of the learnt structure. Defaults to 0.

    Attributes:
        report: The `energy.StructureReport`, or `None` before it is learnt.

    Raises:
        ValueError: A setting is out of range, or `generate` is called before `prepare`.

    Example:

    ```python
    import adaptive_nets as an

    an.generators.Energy(max_layers=2, max_units=64)
    ```

    Reference: EnergyNet, for the approach. The rules are this package's own (`energy.EnergyNet`).
    """

    standardize = True
    needs_features = True

    def __init__(
        self,
        max_layers: int = 2,
        max_units: int = 256,
        steps: int = 1000,
        rows: int = 10_000,
        init: str = "energy",
        activation: str = "relu",
        optimizer: OptimizerSetting = "adam",
        learning_rate: RateSetting = None,
        majority: MajoritySetting = 1,
        seed: int = 0,
    ):
        # Checks the arguments.
        EnergyNet(max_layers, max_units, steps=steps)
        check_choice("init", init, ("energy", "random"))
        self.rows, self.seed = check_integer("rows", rows, 10), check_integer("seed", seed, 0)
        self.max_layers, self.max_units, self.steps = int(max_layers), int(max_units), int(steps)
        self.init, self.activation = init, activation_name(activation)
        self.optimizer = describe_optimizer(optimizer)
        self.learning_rate = describe_rate(learning_rate)
        self.majority = describe_majority(majority)
        make_optimizer(self.optimizer, self.learning_rate)
        self._net: EnergyNet | None = None

    @property
    def report(self) -> Any:
        """The `energy.StructureReport`, or `None` before it is learnt."""
        return self._net and self._net.report

    def prepare(self, features: Any, folder: pathlib.Path | None = None) -> None:
        if self._net is not None:
            return
        named = features if isinstance(features, dict) else {"features": features}
        # Of many rows only those that are read are copied.
        kept = (np.ndarray, ChosenRows)
        listed = [a if isinstance(a, kept) else np.asarray(a) for a in named.values()]
        order = np.random.default_rng(self.seed).permutation(len(listed[0]))[: self.rows]
        some = [np.asarray(each[np.sort(order)]).reshape(len(order), -1) for each in listed]
        rows = np.concatenate(some, axis=1)
        net = EnergyNet(
            self.max_layers, self.max_units, steps=self.steps, model_dir=folder, seed=self.seed
        )
        net.fit(rows.astype("float32"))
        self._net = net

    def generate(
        self, previous: Ensemble | None, iteration: int, reports: list[Report]
    ) -> list["EnergyBuilder"]:
        if self._net is None:
            raise ValueError(
                "generators.Energy must learn from the features first, as AdaNet.fit lets it do. "
                "Call prepare(features) to use it on its own."
            )
        # If the features have no structure to learn, start with a small layer.
        widths = list(self._net.widths) or [min(16, self.max_units)]
        if previous is None:
            return [EnergyBuilder(self, widths[:depth]) for depth in range(1, len(widths) + 1)]
        wanted = [[max(1, round(w * factor)) for w in widths] for factor in NEIGHBOURS]
        wanted.append([*widths, widths[-1]])
        return [EnergyBuilder(self, each) for each in wanted]

    def starts_from(self, widths: list[int]) -> EnergyNet | None:
        """Returns the net with learnt weights for these widths, or `None` to start at random."""
        learnt = self.init == "energy" and list(self._net.widths[: len(widths)]) == widths
        return self._net if learnt else None

    def get_config(self) -> dict:
        return {
            "max_layers": self.max_layers,
            "max_units": self.max_units,
            "steps": self.steps,
            "rows": self.rows,
            "init": self.init,
            "activation": self.activation,
            "optimizer": self.optimizer,
            "learning_rate": self.learning_rate,
            "majority": self.majority,
            "seed": self.seed,
        }


class EnergyBuilder(OptimizedBuilder):
    """Builds one network of given widths."""

    def __init__(self, generator: Energy, widths: list[int]):
        super().__init__("energy_" + "_".join(map(str, widths)), generator, widths=widths)
        self.widths = widths

    def build(self, inputs: Features, units: int, previous: Ensemble | None = None) -> Subnetwork:
        x, net = flatten_features(inputs), self.generator.starts_from(self.widths)
        if net is not None:
            chosen = self.generator.activation
            hidden = net.hidden(x, activation=chosen, depth=len(self.widths))[1:]
        else:
            hidden = []
            for width in self.widths:
                x = keras.layers.Dense(width, self.generator.activation)(x)
                hidden.append(x)
        logits = keras.layers.Dense(units)(hidden[-1])
        return Subnetwork(logits, hidden[-1], hidden, len(self.widths))
