"""`Subnetwork`, and the `Builder` that builds one."""

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
    """The symbolic outputs of one subnetwork.

    Args:
        logits: KerasTensor of shape `(batch, head.units)`, the subnetwork's own prediction. With
            `heads` it may be `None`: the head's mean of them (`Head.mean_of`), which for classes
            is that of their probabilities.
        last_layer: KerasTensor of shape `(batch, n)`, the features that a `"matrix"` mixture weight
            reads. Defaults to `None`: `logits`.
        hidden: KerasTensors of the hidden layers' activations, first to last, which later
            subnetworks may read (`adanet.connect`) and `complexity="rademacher"` counts. Defaults
            to `None`: nothing may be read.
        depth: Number of hidden layers, used by `complexity="sqrt_depth"`. Defaults to 1.
        complexity: The measure r >= 0 in `Γ = λ r + β` (AdaNet, section 4). Defaults to `None`: the
            search's `complexity` rule computes it.
        attributes: Numbers or strings to pass to the generator in the reports of the next rounds.
            Defaults to none.
        heads: KerasTensor of shape `(batch, k, head.units)`: the logits of k predictors that share
            layers. Each is trained on its own loss (together, on the mean of the k losses), while
            `logits` is what predicts. Defaults to `None`: `logits` is trained.

    Example:

    ```python
    import keras
    import adaptive_nets as an

    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(8, activation="relu")(inputs)
    an.adanet.Subnetwork(keras.layers.Dense(3)(hidden), hidden, hidden=[hidden], depth=1)
    ```
    """

    logits: keras.KerasTensor | None = None
    last_layer: keras.KerasTensor | None = None
    hidden: Sequence[keras.KerasTensor] | None = None
    depth: int = 1
    complexity: float | None = None
    attributes: dict = dataclasses.field(default_factory=dict)
    heads: keras.KerasTensor | None = None


class Builder(abc.ABC):
    """Builds one subnetwork of a round, and defines how it is trained.

    Subclasses set `name` (unique in a round, a valid part of a file name) and implement `build`.

    Attributes:
        rescale_output: Whether to scale the logits to the mean and spread of the targets
            (regression heads), so that a network with outputs near 0 need not learn them.
            Defaults to `False`.
        majority: Options of `majority.expand` for a subnetwork that trains k-fold kernels. It is
            frozen, weighed and stored with their mean, as stock layers. Defaults to `None`.
        steps_per_call: The most steps between two calls of `after_steps`. Defaults to `None`: it is
            not called.
        by_name: Whether `build` is given a dict of features by their names in the data, where these
            cannot be names of served inputs. Defaults to `False`: by the names of served inputs.

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
    steps_per_call: int | None = None
    by_name = False

    @abc.abstractmethod
    def build(
        self,
        inputs: keras.KerasTensor | dict[str, keras.KerasTensor],
        units: int,
        previous: "Ensemble | None" = None,
    ) -> Subnetwork:
        """Builds the subnetwork.

        Keras' initializers, dropout and random layers get their seeds from that of the search. What
        draws from `numpy.random` or `random` needs a generator of its own, with a seed.

        Args:
            inputs: KerasTensor, or dict of KerasTensors, of the (preprocessed) features.
            units: Number of logits.
            previous: The current `Ensemble`, or `None` in the first round. Its `hidden` holds the
                members' hidden layers as KerasTensors, which `adanet.connect` reads.

        Returns:
            A `Subnetwork` whose tensors are computed from `inputs` and, optionally, from
            `previous.hidden`.
        """

    def optimizer(self) -> keras.optimizers.Optimizer:
        """Returns a new optimizer with its learning rate or schedule. Defaults to `Adam(1e-3)`.

        A rate that changes over the whole round is an `adanet.RoundSchedule`.
        """
        return keras.optimizers.Adam(1e-3)

    def after_steps(self, step: int, loss: float, done: bool) -> bool:
        """Called while the subnetwork is trained, if `steps_per_call` is set.

        Args:
            step: Steps that it has been trained in this round.
            loss: Its running mean loss.
            done: Whether the round's training has ended.

        Returns:
            Whether to stop its training, while others go on. Defaults to `False`.
        """
        return False

    def keeps(self, previous: "Ensemble") -> "Sequence[str] | None":
        """Returns which members an ensemble with this subnetwork keeps of the previous ensemble.

        Args:
            previous: The current `Ensemble`.

        Returns:
            Names of members, or `None` for all. Defaults to `None`.
        """
        return None

    def hyperparameters(self) -> dict:
        """Returns numbers and strings that describe the subnetwork in reports. Defaults to `{}`."""
        return {}

    def training_data(self, rows: int, seed: int) -> "TrainingData | None":
        """Returns the subnetwork's own training data, if it differs from that of `fit`.

        Mixture weights and the leaderboard still use the data of `fit`.

        Args:
            rows: Number of training rows in `fit`.
            seed: Integer, the same for this subnetwork whenever the search is run again.

        Returns:
            `TrainingData`, or `None` for the training rows of `fit`. Defaults to `None`.
        """
        return None
