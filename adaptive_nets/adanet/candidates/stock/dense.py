"""`Dense`: fully connected subnetworks."""

from collections.abc import Callable, Iterable

import keras

from adaptive_nets._checks import check_number, show
from adaptive_nets.adanet.candidates.builder import Subnetwork
from adaptive_nets.adanet.candidates.generator import Report
from adaptive_nets.adanet.candidates.stock.layer_builder import (
    DepthGenerator,
    Features,
    MajoritySetting,
    OptimizedBuilder,
    activation_name,
    check_sizes,
    flatten_features,
)
from adaptive_nets.adanet.candidates.stock.optimizers import OptimizerSetting, RateSetting
from adaptive_nets.adanet.ensembles.ensemble import Ensemble
from adaptive_nets.serialization import make_object


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Dense(DepthGenerator):
    """Fully connected networks.

    By the paper's rule, each round tries the depth of the ensemble's deepest member and one
    layer more (AdaNet, section 5). Features of any shape are flattened and concatenated.

    Args:
        widths: Number of units per hidden layer, one or several to try. Defaults to 64.
        depths: Numbers of hidden layers to try. Defaults to `None`: the paper's rule.
        activation: Name of a Keras activation, or the function. Defaults to `"relu"`.
        norm: Normalisation: `None`, `"batch"` or `"layer"`. Defaults to `None`.
        dropout: Dropout rate after each hidden layer, in [0, 1). Defaults to 0.
        optimizer: Name, config or optimizer, which is copied. Defaults to `"adam"`.
        learning_rate: Number or schedule. Defaults to `None`, the optimizer's own (Adam's is
            1e-3).
        connect: Which frozen subnetworks layer k reads, in addition to its own input: layer k - 1
            of `"all"` (the paper), of the last one added (`"previous"`: AdaNet.P), or of `"none"`.
            Defaults to `"none"`.
        connection_dropout: Dropout rate on these connections, in [0, 1) (AdaNet.D). Defaults to 0.
        kernel_constraint: Keras constraint on the weights of the hidden layers, such as
            `adanet.NormBall(p, norm_bound)`. Defaults to `None`.
        majority: Number k of kernels to train in place of each kernel (Majority Kernels).
            Subnetworks are frozen with their mean, so ensembles do not get larger. Or a dict of
            options of `majority.expand`. Defaults to 1: plain layers.

    Raises:
        ValueError: A setting is out of range, or the activation or optimizer is unknown.

    Example:

    ```python
    import adaptive_nets as an

    an.generators.Dense(widths=[64, 128], depths=[1, 2], dropout=0.1)
    ```
    """

    def __init__(
        self,
        widths: int | Iterable[int] = 64,
        depths: int | Iterable[int] | None = None,
        activation: str | Callable = "relu",
        norm: str | None = None,
        dropout: float = 0.0,
        optimizer: OptimizerSetting = "adam",
        learning_rate: RateSetting = None,
        connect: str = "none",
        connection_dropout: float = 0.0,
        kernel_constraint: str | dict | keras.constraints.Constraint | None = None,
        majority: MajoritySetting = 1,
    ):
        super().__init__(depths, optimizer, learning_rate, connect, connection_dropout, majority)
        self.widths = check_sizes("widths", widths)
        if norm is not None and not (isinstance(norm, str) and norm in ("batch", "layer")):
            raise ValueError(f"norm must be None, 'batch' or 'layer'. Received: norm={show(norm)}.")
        self.norm = norm
        self.activation = activation_name(activation)
        self.dropout = check_number("dropout", dropout, 0, 1, "low")
        constraint = _constraint(kernel_constraint)
        self.kernel_constraint = constraint and keras.constraints.serialize(constraint)

    def generate(
        self, previous: Ensemble | None, iteration: int, reports: list[Report]
    ) -> list["DenseBuilder"]:
        several = len(self.widths) > 1
        return [
            DenseBuilder(
                f"{depth}_layer_dense" + (f"_{width}" if several else ""),
                self,
                depth=depth,
                width=width,
            )
            for depth in self.next_depths(previous)
            for width in self.widths
        ]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "widths": self.widths,
            "activation": self.activation,
            "norm": self.norm,
            "dropout": self.dropout,
            "kernel_constraint": self.kernel_constraint,
        }


class DenseBuilder(OptimizedBuilder):
    """Builds one fully connected network."""

    def build(self, inputs: Features, units: int, previous: Ensemble | None = None) -> Subnetwork:
        g = self.generator
        depth, width = self._hyperparameters["depth"], self._hyperparameters["width"]
        x, hidden = flatten_features(inputs), []
        for _ in range(depth):
            x = g.join(hidden, previous) if hidden else x
            constraint = keras.constraints.get(g.kernel_constraint)
            layer = keras.layers.Dense(width, use_bias=g.norm is None, kernel_constraint=constraint)
            x = layer(x)
            if g.norm == "batch":
                # A round may be short: Keras' momentum of 0.99 forgets the start too slowly.
                x = keras.layers.BatchNormalization(momentum=0.9)(x)
            elif g.norm == "layer":
                x = keras.layers.LayerNormalization()(x)
            x = keras.layers.Activation(g.activation)(x)
            if g.dropout:
                x = keras.layers.Dropout(g.dropout)(x)
            hidden.append(x)
        return Subnetwork(keras.layers.Dense(units)(x), x, hidden, depth)


def _constraint(given):
    """Returns a constraint of Keras, by its name or configuration, or `None`."""
    error = None
    try:
        # Layers and classes can be called too, as functions can.
        if not isinstance(given, keras.Layer | type):
            return keras.constraints.get(make_object(given, "constraint"))
    except Exception as raised:
        error = raised
    raise ValueError(
        "kernel_constraint must be a keras.constraints.Constraint, the name of one, or None. "
        f"Received: kernel_constraint={show(given)}."
    ) from error
