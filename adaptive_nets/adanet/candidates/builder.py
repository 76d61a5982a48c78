"""What a candidate is: `Subnetwork`, and the `Builder` that makes one."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from adaptive_nets.data.training_data import TrainingData

if TYPE_CHECKING:
    from adaptive_nets.adanet.ensembles.ensemble import Ensemble


@dataclasses.dataclass(frozen=True)
class Subnetwork:
    """The symbolic outputs of one candidate network.

    Args:
        logits: KerasTensor of shape `(batch, head.units)`: the candidate's own prediction.
        last_layer: KerasTensor of shape `(batch, n)`: the features that a `"matrix"` mixture weight
            reads. Defaults to `logits`.
        hidden: KerasTensors of the hidden layers' activations, first to last: what later
            subnetworks may read (`adanet.connect`), and what `complexity="rademacher"` counts.
            `None` where nothing is to be read. Defaults to `None`.
        depth: Number of hidden layers; what `complexity="sqrt_depth"` reads. Defaults to 1.
        complexity: The measure r in `Γ = λ r + β` (AdaNet, section 4), non-negative. `None` lets
            the search's `complexity` rule compute it. Defaults to `None`.
        attributes: Numbers or strings to be handed to the generator in the next rounds'
            reports.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(8, activation="relu")(inputs)
    an.adanet.Subnetwork(keras.layers.Dense(3)(hidden), hidden, hidden=[hidden], depth=1)
    ```
    """

    logits: keras.KerasTensor
    last_layer: keras.KerasTensor | None = None
    hidden: Sequence[keras.KerasTensor] | None = None
    depth: int = 1
    complexity: float | None = None
    attributes: dict = dataclasses.field(default_factory=dict)


class Builder(abc.ABC):
    """Builds one candidate subnetwork of a round, and says how it is trained.

    Subclasses set `name` (unique in a round, a valid part of a file name) and implement `build`.

    Attributes:
        rescale_output: Whether the logits are to be scaled to the targets' mean and spread
            (regression heads), so that a network that begins near 0 need not learn them.
            Defaults to `False`.
        majority: Options of `majority.expand` for a candidate that is to train k-fold kernels; it
            is frozen, weighed and stored with their mean, as stock layers. Defaults to `None`.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    class Linear(an.adanet.Builder):
        name = "linear"

        def build(self, inputs, units, previous=None):
            return an.adanet.Subnetwork(keras.layers.Dense(units)(inputs), depth=0)
    ```
    """

    name: str
    rescale_output = False
    majority: dict[str, Any] | None = None

    @abc.abstractmethod
    def build(
        self,
        inputs: keras.KerasTensor | dict[str, keras.KerasTensor],
        units: int,
        previous: "Ensemble | None" = None,
    ) -> Subnetwork:
        """Builds the subnetwork.

        Args:
            inputs: KerasTensor, or dict of KerasTensors, of the (preprocessed) features.
            units: Width of the logits.
            previous: The `Ensemble` chosen so far, or `None` in the first round. Its `hidden`
                holds its members' hidden layers as KerasTensors; `adanet.connect` reads them.

        Returns:
            A `Subnetwork` whose tensors are computed from `inputs` and, where wanted, from
            `previous.hidden`.
        """

    def optimizer(self) -> keras.optimizers.Optimizer:
        """A fresh optimizer with its learning rate or schedule. Defaults to `Adam(1e-3)`."""
        return keras.optimizers.Adam(1e-3)

    def hyperparameters(self) -> dict:
        """Numbers and strings that describe the candidate in reports. Defaults to `{}`."""
        return {}

    def training_data(self, rows: int, seed: int) -> "TrainingData | None":
        """What this candidate is trained on, where it is not simply what `fit` was given.

        Mixture weights and the leaderboard stay with the data of `fit`.

        Args:
            rows: Number of training rows in `fit`.
            seed: Integer, the same for this candidate whenever the search is run again.

        Returns:
            `TrainingData`, or `None` for all rows as they are. Defaults to `None`.
        """
        return None
