"""Fully connected candidates."""

import keras

from adaptive_nets.adanet import Subnetwork
from adaptive_nets.generators.base import (
    DepthGenerator,
    OptimizedBuilder,
    check_rate,
    check_sizes,
    flatten_features,
)


@keras.saving.register_keras_serializable(package="adaptive_nets")
class Dense(DepthGenerator):
    """Fully connected networks: by the paper's rule, one as deep as the ensemble's deepest
    member and one a layer deeper (AdaNet, section 5).

    Args:
        widths: Units of each hidden layer, one or several to try. Defaults to 64.
        depths: Hidden layers to try, or `None` for the paper's rule. Defaults to `None`.
        activation: Name of the activation. Defaults to `"relu"`.
        norm: `None`, `"batch"` or `"layer"`. Defaults to `None`.
        dropout: Rate after each hidden layer, in [0, 1). Defaults to 0.
        optimizer: Name, config or optimizer to be copied. Defaults to `"adam"`.
        learning_rate: Number or schedule. Defaults to 1e-3.

    Example:

    ```python
    import adaptive_nets as an

    an.generators.Dense(widths=[64, 128], depths=[1, 2], dropout=0.1)
    ```
    """

    def __init__(
        self,
        widths=64,
        depths=None,
        activation="relu",
        norm=None,
        dropout=0.0,
        optimizer="adam",
        learning_rate=1e-3,
    ):
        super().__init__(depths, optimizer, learning_rate)
        self.widths = check_sizes("widths", widths)
        if norm not in (None, "batch", "layer"):
            raise ValueError(f"norm must be None, 'batch' or 'layer'. Received: norm={norm!r}.")
        keras.activations.get(activation)
        self.activation, self.norm = activation, norm
        self.dropout = check_rate("dropout", dropout)

    def generate(self, previous, iteration, reports):
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

    def get_config(self):
        return {
            **super().get_config(),
            "widths": self.widths,
            "activation": self.activation,
            "norm": self.norm,
            "dropout": self.dropout,
        }


class DenseBuilder(OptimizedBuilder):
    """One fully connected network."""

    def build(self, inputs, units, previous=None):
        g = self.generator
        depth, width = self._hyperparameters["depth"], self._hyperparameters["width"]
        x = flatten_features(inputs)
        for _ in range(depth):
            x = keras.layers.Dense(width, use_bias=g.norm is None)(x)
            if g.norm == "batch":
                x = keras.layers.BatchNormalization()(x)
            elif g.norm == "layer":
                x = keras.layers.LayerNormalization()(x)
            x = keras.layers.Activation(g.activation)(x)
            if g.dropout:
                x = keras.layers.Dropout(g.dropout)(x)
        return Subnetwork(keras.layers.Dense(units)(x), last_layer=x, depth=depth)
